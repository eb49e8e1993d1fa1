//! Where the logs, usage and roles of measures lead.

use std::sync::Arc;

use async_trait::async_trait;
use exec::{CredentialsError, FunctionCredentials, RoleCredentials, UsageRecord, UsageSink};
use service::ports::{LogLine, LogSink, LogStream};

/// Takes everything and keeps nothing; as a role, anybody.
pub struct Nowhere;

impl LogSink for Nowhere {
    fn append(&self, _: &Arc<LogStream>, _: Vec<LogLine>) {}
}

impl UsageSink for Nowhere {
    fn record(&self, _: UsageRecord) {}
}

#[async_trait]
impl RoleCredentials for Nowhere {
    async fn get(&self) -> Result<FunctionCredentials, CredentialsError> {
        Ok(FunctionCredentials {
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: None,
            expires_at: None,
        })
    }
}
