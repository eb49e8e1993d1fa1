//! May the caller do this: identity policies, boundaries, and who is root.

use auth::AuthError;
use auth::policy::{self, Decision, Document, Policies, PolicyKind};
use base::AccountId;
use service::{Access, Demand, RequestContext};

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
        let access = Access {
            action: action.to_owned(),
            resource: resource.to_owned(),
        };
        self.authorize_demand(caller, &access.into(), context)
    }

    /// The same, where the service knows more than action and resource.
    pub(crate) fn authorize_demand(
        &self,
        caller: &Caller,
        demand: &Demand,
        context: &RequestContext,
    ) -> Result<(), AuthError> {
        let Access { action, resource } = &demand.access;
        if self.config.auth == AuthMode::Permissive || action.is_empty() {
            return Ok(());
        }
        let of_resource = demand.resource_policy.as_deref();
        let of_resource = of_resource.map(|text| parse(text, PolicyKind::Resource));
        let principal = caller.principal.in_policies();
        let mut keys = context.condition_keys();
        keys.insert_caller(&principal);
        for (key, value) in &demand.conditions {
            keys.insert(key, value);
        }
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
            resource: of_resource.as_ref(),
        };
        match policy::evaluate(&request, &policies) {
            Decision::Allowed => Ok(()),
            decision => Err(AuthError::AccessDenied {
                principal: caller.principal.name(),
                action: action.clone(),
                resource: resource.clone(),
                explicit: decision == Decision::ExplicitDeny,
            }),
        }
    }
}

/// The policies that came with the caller's credential. IAM accepted them; should one not parse
/// now, it allows nothing, as a boundary too.
fn documents(caller: &Caller) -> (Vec<Document>, Vec<Document>) {
    let parse = |text: &String| parse(text, PolicyKind::Identity);
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

/// A policy that its service accepted; should it not parse now, it allows nothing.
fn parse(text: &str, kind: PolicyKind) -> Document {
    Document::parse(text, kind).unwrap_or_else(|error| {
        tracing::warn!(%error, "a stored policy does not parse; it allows nothing");
        Document::union([])
    })
}

/// The account an ARN names; S3's name none and belong to whoever asks.
fn resource_account(resource: &str, own: AccountId) -> AccountId {
    resource
        .parse::<base::Arn>()
        .ok()
        .and_then(|arn| arn.account_id())
        .unwrap_or(own)
}
