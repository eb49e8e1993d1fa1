//! May the caller do this: identity policies, boundaries, and who is root.

use auth::AuthError;
use auth::policy::{self, Context, Decision, Document, Policies, PolicyKind};
use base::AccountId;
use service::{Origin, Principal, RequestContext};

use crate::authenticate::Caller;
use crate::{AuthMode, Gateway};

impl Gateway {
    /// Evaluates the caller's policies; in permissive mode everyone may do everything. An empty
    /// action needs no permission.
    pub(crate) fn authorize(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        context: &RequestContext,
    ) -> Result<(), AuthError> {
        if self.config.auth == AuthMode::Permissive || action.is_empty() {
            return Ok(());
        }
        let principal = policy_caller(&caller.principal);
        let mut keys = condition_keys(context);
        keys.insert_caller(&principal);
        let (identity, boundaries) = documents(caller);
        let request = policy::Request {
            caller: principal,
            action,
            resource,
            resource_account: resource_account(resource, caller.account),
            context: &keys,
        };
        let policies = Policies {
            identity: &identity,
            boundaries: &boundaries,
            resource: None,
        };
        match policy::evaluate(&request, &policies) {
            Decision::Allowed => Ok(()),
            decision => Err(AuthError::AccessDenied {
                principal: name(&caller.principal),
                action: action.to_owned(),
                resource: resource.to_owned(),
                explicit: decision == Decision::ExplicitDeny,
            }),
        }
    }
}

fn policy_caller(principal: &Principal) -> policy::Caller<'_> {
    match principal {
        Principal::Root { account } => policy::Caller::Root { account: *account },
        Principal::User { arn, user_id } => policy::Caller::User { arn, user_id },
        Principal::Session {
            arn,
            role_arn,
            session_id,
        } => policy::Caller::Session {
            arn,
            role_arn,
            session_id,
        },
        Principal::Service { name, .. } => policy::Caller::Service { name },
    }
}

/// The policies that came with the caller's credential. IAM accepted them; should one not parse
/// now, it allows nothing, as a boundary too.
fn documents(caller: &Caller) -> (Vec<Document>, Vec<Document>) {
    let parse = |text: &String| {
        Document::parse(text, PolicyKind::Identity).unwrap_or_else(|error| {
            tracing::warn!(%error, "a stored policy does not parse; it allows nothing");
            Document::union([])
        })
    };
    caller
        .credential
        .as_ref()
        .map_or_else(Default::default, |credential| {
            let all = |texts: &[String]| texts.iter().map(parse).collect();
            (
                all(&credential.identity_policies),
                all(&credential.boundaries),
            )
        })
}

/// The global condition keys that a request has.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
fn condition_keys(context: &RequestContext) -> Context {
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
    keys
}

/// The account an ARN names; S3's name none and belong to whoever asks.
fn resource_account(resource: &str, own: AccountId) -> AccountId {
    resource
        .parse::<base::Arn>()
        .ok()
        .and_then(|arn| arn.account_id())
        .unwrap_or(own)
}

fn name(principal: &Principal) -> String {
    match principal {
        Principal::Root { account } => format!("arn:aws:iam::{account}:root"),
        Principal::User { arn, .. } | Principal::Session { arn, .. } => arn.to_string(),
        Principal::Service { name, .. } => (*name).to_owned(),
    }
}
