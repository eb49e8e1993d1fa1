//! A session of a role, for whom its trust policy lets in.
//!
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
//!
//! Unlike AWS's, an account's root may assume any role of its account: in permissive mode everyone
//! is root. Session tags count in the trust policy's conditions and are not carried on.

use std::sync::Arc;

use auth::policy::{Context, Document, Policies, PolicyKind, Request, evaluate};
use base::Arn;
use service::{Origin, Principal, RequestContext, ServiceError};

use super::issue::{NewSession, issue};
use crate::directory::State;
use crate::domain::sealing::Holder;
use crate::domain::{ids, policy};
use crate::error;
use crate::generated_sts as model;
use crate::identity::{Identity, documents, managed_document, role_arn};
use crate::records::{Role, User};

const DEFAULT_SECONDS: u32 = 3_600;
/// A session made by a session.
const MAX_CHAINED_SECONDS: u32 = 3_600;
/// Plain characters of all session policies together.
const MAX_SESSION_POLICY: usize = 2_048;

pub async fn assume_role(
    identity: Arc<Identity>,
    context: RequestContext,
    input: model::AssumeRoleRequest,
) -> Result<model::AssumeRoleResponse, ServiceError> {
    if input.serial_number.is_some() || input.token_code.is_some() {
        return Err(error::denied(
            "MultiFactorAuthentication failed with invalid MFA one time pass code. ",
        ));
    }
    let state = identity.directory.read();
    let role = find(&state, &context, &input.role_arn)?;
    check_trust(&identity, &state, &context, &role, &input)?;
    let seconds = seconds(&context, &role, input.duration_seconds)?;
    let policy_arns: Vec<String> = input
        .policy_arns
        .iter()
        .flatten()
        .filter_map(|descriptor| descriptor.arn.clone())
        .collect();
    let packed = check_session_policies(&state, &role, &policy_arns, input.policy.as_deref())?;
    drop(state);
    let session = input.role_session_name;
    let user = model::AssumedRoleUser {
        assumed_role_id: format!("{}:{session}", role.id),
        arn: ids::session_arn(role.account, &role.name, &session).to_string(),
    };
    let holder = Holder::Role {
        name: role.name.clone(),
        path: role.path.clone(),
        id: role.id.clone(),
        session,
    };
    let new = NewSession {
        account: role.account,
        holder,
        seconds,
        policy_arns,
        policy: input.policy,
    };
    Ok(model::AssumeRoleResponse {
        credentials: Some(issue(&identity, new)),
        assumed_role_user: Some(user),
        packed_policy_size: packed,
        source_identity: input.source_identity,
        ..model::AssumeRoleResponse::default()
    })
}

/// A role that does not exist is denied like one that does not trust the caller, so that nobody
/// can probe for names; other services in this process are told.
fn find(state: &State, context: &RequestContext, arn: &str) -> Result<Arc<Role>, ServiceError> {
    let parsed = arn.parse::<Arn>().ok().filter(|arn| arn.service == "iam");
    let role = parsed
        .as_ref()
        .and_then(|arn| Some((arn.account_id()?, arn.resource.strip_prefix("role/")?)));
    let Some((account, path_and_name)) = role else {
        return Err(error::validation(format!("{arn} is invalid")));
    };
    let name = path_and_name.rsplit('/').next().unwrap_or_default();
    let role = state
        .find::<Role>(account, name)
        .filter(|role| role_arn(role).to_string() == arn);
    role.ok_or_else(|| match context.origin {
        Origin::Internal => error::not_found("role", name),
        Origin::Http { .. } => not_authorized(context, arn),
    })
}

/// The trust policy decides, with the caller's own policies where it trusts the whole account. The
/// gateway asks for no permission beforehand: a trust policy that names the caller is enough.
fn check_trust(
    identity: &Identity,
    state: &State,
    context: &RequestContext,
    role: &Role,
    input: &model::AssumeRoleRequest,
) -> Result<(), ServiceError> {
    let arn = role_arn(role).to_string();
    let trust = Document::parse(&role.trust, PolicyKind::Trust).map_err(|error| {
        tracing::error!(%error, role = arn, "a stored trust policy does not parse");
        ServiceError::internal()
    })?;
    let (own, boundaries) = callers_policies(identity, state, &context.principal);
    let keys = condition_keys(context, input);
    let allows = |action: &str| {
        let request = Request {
            caller: context.principal.in_policies(),
            action,
            resource: &arn,
            resource_account: role.account,
            context: &keys,
        };
        let policies = Policies {
            identity: &own,
            boundaries: &boundaries,
            resource: Some(&trust),
        };
        evaluate(&request, &policies).is_allowed()
    };
    if !allows("sts:AssumeRole") {
        return Err(not_authorized(context, &arn));
    }
    let has_tags = input.tags.as_ref().is_some_and(|tags| !tags.is_empty());
    for (wanted, action) in [
        (has_tags, "sts:TagSession"),
        (input.source_identity.is_some(), "sts:SetSourceIdentity"),
    ] {
        if wanted && !allows(action) {
            return Err(error::access_denied(
                &context.principal.name(),
                action,
                &arn,
            ));
        }
    }
    Ok(())
}

fn condition_keys(context: &RequestContext, input: &model::AssumeRoleRequest) -> Context {
    let mut keys = context.condition_keys();
    keys.insert_caller(&context.principal.in_policies());
    keys.insert("sts:RoleSessionName", &input.role_session_name);
    if let Some(id) = &input.external_id {
        keys.insert("sts:ExternalId", id);
    }
    if let Some(source) = &input.source_identity {
        keys.insert("sts:SourceIdentity", source);
    }
    for tag in input.tags.iter().flatten() {
        keys.insert(&format!("aws:RequestTag/{}", tag.key), &tag.value);
        keys.insert("aws:TagKeys", &tag.key);
    }
    keys
}

/// The policies of the caller itself, and all that bounds them.
fn callers_policies(
    identity: &Identity,
    state: &State,
    principal: &Principal,
) -> (Vec<Document>, Vec<Document>) {
    let found = match principal {
        Principal::User { arn, user_id } => arn.account_id().and_then(|account| {
            let user = state.find::<User>(account, last(&arn.resource))?;
            (user.id == *user_id).then(|| documents(state, account, &user.permissions))
        }),
        Principal::Session {
            role_arn,
            session_id,
            ..
        } => role_arn.account_id().and_then(|account| {
            let role = state.find::<Role>(account, last(&role_arn.resource))?;
            let is_same = session_id.split(':').next() == Some(role.id.as_str());
            is_same.then(|| documents(state, account, &role.permissions))
        }),
        Principal::Root { .. } | Principal::Service { .. } => None,
    };
    let (own, boundary) = found.unwrap_or_default();
    let mut bounds: Vec<String> = boundary.into_iter().collect();
    if let Principal::Session { arn, .. } = principal {
        bounds.extend(identity.bounded.of(&arn.to_string()));
    }
    let parse = |text: &String| Document::parse(text, PolicyKind::Identity).ok();
    // A boundary that does not parse bounds to nothing.
    let bound = |text| parse(text).unwrap_or_else(|| Document::union([]));
    (
        own.iter().filter_map(parse).collect(),
        bounds.iter().map(bound).collect(),
    )
}

fn seconds(context: &RequestContext, role: &Role, given: Option<i32>) -> Result<u32, ServiceError> {
    let seconds = given
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(DEFAULT_SECONDS);
    if matches!(context.principal, Principal::Session { .. }) && seconds > MAX_CHAINED_SECONDS {
        return Err(error::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by \
             role chaining.",
        ));
    }
    if seconds > role.max_session_seconds {
        return Err(error::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        ));
    }
    Ok(seconds)
}

/// Checks the session policies and says, in per cent, how much of their quota they use.
fn check_session_policies(
    state: &State,
    role: &Role,
    arns: &[String],
    inline: Option<&str>,
) -> Result<Option<i32>, ServiceError> {
    for arn in arns {
        if managed_document(state, role.account, arn).is_none() {
            return Err(error::validation(format!(
                "The specified policy {arn} does not exist."
            )));
        }
    }
    if let Some(document) = inline {
        policy::check_identity(document)?;
    }
    if arns.is_empty() && inline.is_none() {
        return Ok(None);
    }
    let size = inline.map_or(0, str::len) + arns.iter().map(String::len).sum::<usize>();
    let percent = (size * 100).div_ceil(MAX_SESSION_POLICY);
    if percent > 100 {
        return Err(error::packed_policy_too_large(percent));
    }
    Ok(i32::try_from(percent).ok())
}

fn not_authorized(context: &RequestContext, role: &str) -> ServiceError {
    error::access_denied(&context.principal.name(), "sts:AssumeRole", role)
}

fn last(resource: &str) -> &str {
    resource.rsplit('/').next().unwrap_or_default()
}
