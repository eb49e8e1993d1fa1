//! What the outside world gives to this crate, and takes from it.

use std::any::Any;
use std::net::TcpListener;
use std::sync::Arc;

use async_trait::async_trait;
use base::{AccountId, Arn, Clock, Region, RequestId, Timestamp};
use service::ports::LogSink;

use crate::function::FunctionKey;
use crate::invocation::Phases;

/// Everything [`crate::Exec`] needs from the server.
#[derive(Clone)]
pub struct ExecPorts {
    pub clock: Clock,
    pub logs: Arc<dyn LogSink>,
    pub usage: Arc<dyn UsageSink>,
    /// Makes `AWS_ENDPOINT_URL` work inside environments; without it the variable is not set.
    pub gateway: Option<Arc<dyn GatewaySockets>>,
}

/// Takes a record of each invocation. Never blocks and never fails.
pub trait UsageSink: Send + Sync + 'static {
    fn record(&self, usage: UsageRecord);
}

/// What one invocation consumed.
#[derive(Clone, Debug)]
pub struct UsageRecord {
    /// When the invocation ended.
    pub at: Timestamp,
    pub function: FunctionKey,
    pub request_id: RequestId,
    /// Configured memory, in MB (2^20 bytes).
    pub memory_mb: u32,
    /// Highest use of memory by the environment so far, in MB, where the kernel tells.
    pub max_memory_mb: Option<u32>,
    pub cold: bool,
    pub phases: Phases,
    /// Whole milliseconds of init and handler, rounded up.
    pub billed_ms: u64,
    /// Whether the function answered without an error.
    pub succeeded: bool,
}

/// Serves the AWS APIs on sockets inside environments.
pub trait GatewaySockets: Send + Sync + 'static {
    /// Takes a listening, non-blocking socket on the environment's own 127.0.0.1. Unsigned or not,
    /// calls on it are the function's. Dropping the returned guard must close the socket; that
    /// happens when the environment ends.
    fn open(
        &self,
        listener: TcpListener,
        caller: EnvironmentIdentity,
    ) -> Box<dyn Any + Send + Sync>;
}

/// Who calls on an environment's gateway socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentIdentity {
    pub account: AccountId,
    pub region: Region,
    pub role: Arn,
    /// The function's unqualified ARN.
    pub function: Arn,
}

/// Assumes a function's execution role.
#[async_trait]
pub trait RoleCredentials: Send + Sync + 'static {
    /// Credentials for a new environment. They should live longer than the function's timeout:
    /// an environment is replaced before they expire.
    ///
    /// # Errors
    /// The role cannot be assumed.
    async fn get(&self) -> Result<FunctionCredentials, CredentialsError>;
}

/// A session of the execution role.
#[derive(Clone)]
pub struct FunctionCredentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: Option<String>,
    /// `None` if they never expire.
    pub expires_at: Option<Timestamp>,
}

/// The execution role could not be assumed.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CredentialsError {
    /// For the caller of the function.
    pub message: String,
}

/// Not derived: the secret must not reach a log.
impl std::fmt::Debug for FunctionCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FunctionCredentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
