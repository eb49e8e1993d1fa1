//! Whether somebody who does not own a bucket may do something in it: by its policy, or an ACL.
//!
//! Its owner's own principals have been judged by the gateway, with the bucket's policy.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-s3-evaluates-access-control.html>

use auth::policy::{self, Caller, Decision, Document, Policies, PolicyKind};
use http::StatusCode;
use service::Access;

use crate::call::Call;
use crate::domain::acl::{Acl, Permission};
use crate::domain::public_policy;
use crate::error::Error;
use crate::ops::fields;
use crate::records::{Bucket, OBJECTS, Ownership};
use crate::state::State;

/// The caller's own policies have been judged already: as if they allowed it.
const EVERYTHING: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;

/// Whether the caller may do what a request asks for.
pub async fn may(
    state: &State,
    call: &Call,
    access: Option<&Access>,
    name: &str,
    bucket: &Bucket,
) -> Result<bool, Error> {
    if !call.is_anonymous && bucket.owner == call.account() {
        return Ok(true);
    }
    let Some(access) = access else {
        return Ok(false);
    };
    match by_policy(call, access, bucket) {
        Decision::ExplicitDeny => Ok(false),
        Decision::Allowed => Ok(true),
        Decision::ImplicitDeny => by_acl(state, call, access, name, bucket).await,
    }
}

/// Whether a key is there is told only to who may list the bucket.
///
/// # Errors
/// `AccessDenied` in place of `NoSuchKey`.
pub async fn hide<T>(
    state: &State,
    call: &Call,
    name: &str,
    bucket: &Bucket,
    found: Result<T, Error>,
) -> Result<T, Error> {
    let is_missing =
        matches!(&found, Err(Error::Client(error)) if error.status == StatusCode::NOT_FOUND);
    if !is_missing {
        return found;
    }
    let list = Access {
        action: "s3:ListBucket".to_owned(),
        resource: format!("arn:aws:s3:::{name}"),
    };
    if call.access.is_none() || may(state, call, Some(&list), name, bucket).await? {
        return found;
    }
    Err(Error::access_denied())
}

fn by_policy(call: &Call, access: &Access, bucket: &Bucket) -> Decision {
    let Some(text) = &bucket.policy else {
        return Decision::ImplicitDeny;
    };
    let is_restricted = bucket.public_access.is_some_and(|block| block.restrict);
    if is_restricted && public_policy::is_public(text) {
        return Decision::ImplicitDeny;
    }
    let Ok(document) = Document::parse(text, PolicyKind::Resource) else {
        return Decision::ImplicitDeny;
    };
    let everything = Document::parse(EVERYTHING, PolicyKind::Identity).map(|d| vec![d]);
    let caller = if call.is_anonymous {
        Caller::Anonymous
    } else {
        call.context.principal.in_policies()
    };
    let mut keys = call.context.condition_keys();
    for (name, value) in &call.condition_keys {
        keys.insert(name, value);
    }
    keys.insert_caller(&caller);
    let request = policy::Request {
        caller,
        action: &access.action,
        resource: &access.resource,
        resource_account: bucket.owner,
        context: &keys,
    };
    let policies = Policies {
        identity: &everything.unwrap_or_default(),
        resource: Some(&document),
        ..Policies::default()
    };
    policy::evaluate(&request, &policies)
}

/// The permissions of an ACL stand for these actions.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#permissions>
fn permission(action: &str) -> Option<(On, Permission)> {
    Some(match action.strip_prefix("s3:")? {
        "ListBucket" | "ListBucketVersions" | "ListBucketMultipartUploads" => {
            (On::Bucket, Permission::Read)
        }
        "PutObject" | "DeleteObject" | "DeleteObjectVersion" => (On::Bucket, Permission::Write),
        "GetBucketAcl" => (On::Bucket, Permission::ReadAcp),
        "PutBucketAcl" => (On::Bucket, Permission::WriteAcp),
        "GetObject" | "GetObjectVersion" => (On::Object, Permission::Read),
        "GetObjectAcl" => (On::Object, Permission::ReadAcp),
        "PutObjectAcl" => (On::Object, Permission::WriteAcp),
        _ => return None,
    })
}

enum On {
    Bucket,
    Object,
}

async fn by_acl(
    state: &State,
    call: &Call,
    access: &Access,
    name: &str,
    bucket: &Bucket,
) -> Result<bool, Error> {
    if bucket.ownership == Ownership::BucketOwnerEnforced {
        return Ok(false);
    }
    let Some((on, permission)) = permission(&access.action) else {
        return Ok(false);
    };
    let acl: Option<Acl> = match on {
        On::Bucket => bucket.acl.clone(),
        On::Object => {
            let prefix = format!("arn:aws:s3:::{name}/");
            let Some(key) = access.resource.strip_prefix(&prefix) else {
                return Ok(false);
            };
            let object = OBJECTS.get(&*state.store, (name, key)).await?;
            object.and_then(|object| object.attributes.acl)
        }
    };
    let ignores = bucket.public_access.is_some_and(|block| block.ignore_acls);
    let who = (!call.is_anonymous).then(|| fields::canonical_id(call.account()));
    Ok(acl
        .is_some_and(|acl| !(ignores && acl.is_public()) && acl.allows(who.as_deref(), permission)))
}
