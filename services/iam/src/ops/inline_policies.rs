//! Policies embedded in one role or user.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html>

use std::sync::Arc;

use base::AccountId;
use service::{RequestContext, ServiceError};
use wire::Unit;

use super::lookup::{self, Principal};
use crate::domain::page::{self, Page};
use crate::domain::policy::encoded;
use crate::generated as model;
use crate::identity::Identity;
use crate::records::{Role, User};

pub async fn put_role_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::PutRolePolicyRequest,
) -> Result<Unit, ServiceError> {
    let policy = (input.policy_name, input.policy_document);
    put::<Role>(&iam, context.account, &input.role_name, policy).await
}

pub async fn put_user_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::PutUserPolicyRequest,
) -> Result<Unit, ServiceError> {
    let policy = (input.policy_name, input.policy_document);
    put::<User>(&iam, context.account, &input.user_name, policy).await
}

pub async fn get_role_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::GetRolePolicyRequest,
) -> Result<model::GetRolePolicyResponse, ServiceError> {
    let document = get::<Role>(&iam, context.account, &input.role_name, &input.policy_name)?;
    Ok(model::GetRolePolicyResponse {
        role_name: input.role_name,
        policy_name: input.policy_name,
        policy_document: document,
    })
}

pub async fn get_user_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::GetUserPolicyRequest,
) -> Result<model::GetUserPolicyResponse, ServiceError> {
    let document = get::<User>(&iam, context.account, &input.user_name, &input.policy_name)?;
    Ok(model::GetUserPolicyResponse {
        user_name: input.user_name,
        policy_name: input.policy_name,
        policy_document: document,
    })
}

pub async fn delete_role_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::DeleteRolePolicyRequest,
) -> Result<Unit, ServiceError> {
    delete::<Role>(&iam, context.account, &input.role_name, &input.policy_name).await
}

pub async fn delete_user_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::DeleteUserPolicyRequest,
) -> Result<Unit, ServiceError> {
    delete::<User>(&iam, context.account, &input.user_name, &input.policy_name).await
}

pub async fn list_role_policies(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListRolePoliciesRequest,
) -> Result<model::ListRolePoliciesResponse, ServiceError> {
    let cut = (input.marker.as_deref(), input.max_items);
    let page = list::<Role>(&iam, context.account, &input.role_name, cut)?;
    Ok(model::ListRolePoliciesResponse {
        policy_names: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub async fn list_user_policies(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListUserPoliciesRequest,
) -> Result<model::ListUserPoliciesResponse, ServiceError> {
    let cut = (input.marker.as_deref(), input.max_items);
    let page = list::<User>(&iam, context.account, &input.user_name, cut)?;
    Ok(model::ListUserPoliciesResponse {
        policy_names: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

async fn put<P: Principal>(
    iam: &Identity,
    account: AccountId,
    name: &str,
    (policy, document): (String, String),
) -> Result<Unit, ServiceError> {
    let mut change = iam.change().await;
    let mut owner = (*lookup::principal::<P>(&change.read(), account, name)?).clone();
    owner
        .permissions_mut()
        .put_inline(P::holder(name), policy, document)?;
    change.put(owner)?;
    change.commit().await?;
    Ok(Unit {})
}

fn get<P: Principal>(
    iam: &Identity,
    account: AccountId,
    name: &str,
    policy: &str,
) -> Result<String, ServiceError> {
    let owner = lookup::principal::<P>(&iam.directory.read(), account, name)?;
    owner
        .permissions()
        .inline(P::holder(name), policy)
        .map(encoded)
}

async fn delete<P: Principal>(
    iam: &Identity,
    account: AccountId,
    name: &str,
    policy: &str,
) -> Result<Unit, ServiceError> {
    let mut change = iam.change().await;
    let mut owner = (*lookup::principal::<P>(&change.read(), account, name)?).clone();
    owner
        .permissions_mut()
        .remove_inline(P::holder(name), policy)?;
    change.put(owner)?;
    change.commit().await?;
    Ok(Unit {})
}

fn list<P: Principal>(
    iam: &Identity,
    account: AccountId,
    name: &str,
    (marker, max_items): (Option<&str>, Option<i32>),
) -> Result<Page<String>, ServiceError> {
    let owner = lookup::principal::<P>(&iam.directory.read(), account, name)?;
    let names = owner
        .permissions()
        .inline
        .keys()
        .map(|name| (name.clone(), name.clone()));
    page::cut(names, marker, max_items)
}
