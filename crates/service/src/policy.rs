//! A call in the terms of policies: who makes it, and the condition keys that every call has.

use auth::policy::{Caller, Context};

use crate::{Origin, Principal, RequestContext};

impl Principal {
    /// The caller as policies tell callers apart.
    pub fn in_policies(&self) -> Caller<'_> {
        match self {
            Self::Root { account } => Caller::Root { account: *account },
            Self::User { arn, user_id } => Caller::User { arn, user_id },
            Self::Session {
                arn,
                role_arn,
                session_id,
            } => Caller::Session {
                arn,
                role_arn,
                session_id,
            },
            Self::Service { name, .. } => Caller::Service { name },
        }
    }

    /// The id of a user, a role's with the session's name, the account for root, or a service's name.
    pub fn id(&self) -> String {
        match self {
            Self::Root { account } => account.to_string(),
            Self::User { user_id, .. } => user_id.clone(),
            Self::Session { session_id, .. } => session_id.clone(),
            Self::Service { name, .. } => (*name).to_owned(),
        }
    }

    /// The ARN (or service name) that messages call the caller by.
    pub fn name(&self) -> String {
        match self {
            Self::Root { account } => format!("arn:aws:iam::{account}:root"),
            Self::User { arn, .. } | Self::Session { arn, .. } => arn.to_string(),
            Self::Service { name, .. } => (*name).to_owned(),
        }
    }
}

impl RequestContext {
    /// The global condition keys, but for those of the caller.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
    pub fn condition_keys(&self) -> Context {
        let is_tls = matches!(self.origin, Origin::Http { is_tls: true, .. });
        let mut keys = Context::new()
            .with("aws:CurrentTime", self.received_at.iso8601_seconds())
            .with("aws:EpochTime", self.received_at.seconds().to_string())
            .with("aws:RequestedRegion", self.region.as_str())
            .with("aws:SecureTransport", is_tls.to_string());
        if let Origin::Http {
            peer, user_agent, ..
        } = &self.origin
        {
            if let Some(peer) = peer {
                keys.insert("aws:SourceIp", peer.ip().to_string());
            }
            if let Some(agent) = user_agent {
                keys.insert("aws:UserAgent", agent);
            }
        }
        if let Principal::Service {
            source_arn,
            source_account,
            ..
        } = &self.principal
        {
            if let Some(arn) = source_arn {
                keys.insert("aws:SourceArn", arn.to_string());
            }
            if let Some(account) = source_account {
                keys.insert("aws:SourceAccount", account.to_string());
            }
        }
        keys
    }
}
