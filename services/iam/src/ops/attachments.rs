//! Managed policies attached to roles and users.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachRolePolicy.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use base::AccountId;
use service::{RequestContext, ServiceError};
use wire::Unit;

use super::lookup::{self, Principal};
use crate::domain::page::{self, Page};
use crate::generated as model;
use crate::identity::Identity;
use crate::records::{Role, User};

pub async fn attach_role_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::AttachRolePolicyRequest,
) -> Result<Unit, ServiceError> {
    attach::<Role>(&iam, context.account, &input.role_name, input.policy_arn).await
}

pub async fn attach_user_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::AttachUserPolicyRequest,
) -> Result<Unit, ServiceError> {
    attach::<User>(&iam, context.account, &input.user_name, input.policy_arn).await
}

pub async fn detach_role_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::DetachRolePolicyRequest,
) -> Result<Unit, ServiceError> {
    detach::<Role>(&iam, context.account, &input.role_name, &input.policy_arn).await
}

pub async fn detach_user_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::DetachUserPolicyRequest,
) -> Result<Unit, ServiceError> {
    detach::<User>(&iam, context.account, &input.user_name, &input.policy_arn).await
}

pub async fn list_attached_role_policies(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListAttachedRolePoliciesRequest,
) -> Result<model::ListAttachedRolePoliciesResponse, ServiceError> {
    let cut = (input.marker.as_deref(), input.max_items);
    let prefix = input.path_prefix.as_ref();
    let page = list::<Role>(&iam, context.account, &input.role_name, prefix, cut)?;
    Ok(model::ListAttachedRolePoliciesResponse {
        attached_policies: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub async fn list_attached_user_policies(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListAttachedUserPoliciesRequest,
) -> Result<model::ListAttachedUserPoliciesResponse, ServiceError> {
    let cut = (input.marker.as_deref(), input.max_items);
    let prefix = input.path_prefix.as_ref();
    let page = list::<User>(&iam, context.account, &input.user_name, prefix, cut)?;
    Ok(model::ListAttachedUserPoliciesResponse {
        attached_policies: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

async fn attach<P: Principal>(
    iam: &Identity,
    account: AccountId,
    name: &str,
    arn: String,
) -> Result<Unit, ServiceError> {
    let mut change = iam.change().await;
    let mut owner = {
        let state = change.read();
        let owner = lookup::principal::<P>(&state, account, name)?;
        lookup::check_attachable(&state, account, &arn)?;
        (*owner).clone()
    };
    owner.permissions_mut().attach(P::holder(name), arn)?;
    change.put(owner)?;
    change.commit().await?;
    Ok(Unit {})
}

async fn detach<P: Principal>(
    iam: &Identity,
    account: AccountId,
    name: &str,
    arn: &str,
) -> Result<Unit, ServiceError> {
    lookup::check_policy_arn(arn)?;
    let mut change = iam.change().await;
    let mut owner = (*lookup::principal::<P>(&change.read(), account, name)?).clone();
    owner.permissions_mut().detach(arn)?;
    change.put(owner)?;
    change.commit().await?;
    Ok(Unit {})
}

fn list<P: Principal>(
    iam: &Identity,
    account: AccountId,
    name: &str,
    path_prefix: Option<&String>,
    (marker, max_items): (Option<&str>, Option<i32>),
) -> Result<Page<model::AttachedPolicy>, ServiceError> {
    let owner = lookup::principal::<P>(&iam.directory.read(), account, name)?;
    let by_name: BTreeMap<String, model::AttachedPolicy> = owner
        .permissions()
        .attached
        .iter()
        .filter(|arn| lookup::on_path(path_of(arn), path_prefix))
        .map(|arn| {
            let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
            // Two policies of one name, AWS's and ours, differ in their ARN.
            let key = format!("{name} {arn}");
            let attached = model::AttachedPolicy {
                policy_name: Some(name),
                policy_arn: Some(arn.clone()),
            };
            (key, attached)
        })
        .collect();
    page::cut(by_name, marker, max_items)
}

/// `/service-role/` of `arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole`.
fn path_of(arn: &str) -> &str {
    let path = arn.split_once(":policy").map_or("/", |(_, path)| path);
    path.rfind('/').map_or("/", |end| &path[..=end])
}
