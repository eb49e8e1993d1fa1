//! A call's principal, in the terms of policies.

use auth::policy::{Caller, Context};
use service::{Origin, Principal, RequestContext};

/// The caller as policies name it.
pub fn of(principal: &Principal) -> Caller<'_> {
    match principal {
        Principal::Root { account } => Caller::Root { account: *account },
        Principal::User { arn, user_id } => Caller::User { arn, user_id },
        Principal::Session {
            arn,
            role_arn,
            session_id,
        } => Caller::Session {
            arn,
            role_arn,
            session_id,
        },
        Principal::Service { name, .. } => Caller::Service { name },
    }
}

/// The ARN (or service name) that messages call the caller by.
pub fn name(principal: &Principal) -> String {
    match principal {
        Principal::Root { account } => format!("arn:aws:iam::{account}:root"),
        Principal::User { arn, .. } | Principal::Session { arn, .. } => arn.to_string(),
        Principal::Service { name, .. } => (*name).to_owned(),
    }
}

/// The global condition keys of a call.
pub fn condition_keys(context: &RequestContext) -> Context {
    let mut keys = Context::new()
        .with("aws:CurrentTime", context.received_at.iso8601_seconds())
        .with("aws:EpochTime", context.received_at.seconds().to_string())
        .with("aws:RequestedRegion", context.region.as_str())
        .with("aws:SecureTransport", "false");
    if let Origin::Http {
        peer, user_agent, ..
    } = &context.origin
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
    } = &context.principal
    {
        if let Some(arn) = source_arn {
            keys.insert("aws:SourceArn", arn.to_string());
        }
        if let Some(account) = source_account {
            keys.insert("aws:SourceAccount", account.to_string());
        }
    }
    keys.insert_caller(&of(&context.principal));
    keys
}
