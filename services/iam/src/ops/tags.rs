//! Tags of roles, users and policies.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagRole.html>

use std::sync::Arc;

use base::AccountId;
use service::{RequestContext, ServiceError};
use wire::Unit;

use super::answer;
use super::lookup::{self, Principal};
use crate::domain::page::{self, Page};
use crate::domain::tags;
use crate::generated as model;
use crate::identity::Identity;
use crate::records::{Role, Tag, User};

pub async fn tag_role(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::TagRoleRequest,
) -> Result<Unit, ServiceError> {
    edit::<Role>(&iam, context.account, &input.role_name, |tags| {
        add(tags, input.tags)
    })
    .await
}

pub async fn tag_user(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::TagUserRequest,
) -> Result<Unit, ServiceError> {
    edit::<User>(&iam, context.account, &input.user_name, |tags| {
        add(tags, input.tags)
    })
    .await
}

pub async fn untag_role(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::UntagRoleRequest,
) -> Result<Unit, ServiceError> {
    edit::<Role>(&iam, context.account, &input.role_name, |tags| {
        remove(tags, &input.tag_keys)
    })
    .await
}

pub async fn untag_user(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::UntagUserRequest,
) -> Result<Unit, ServiceError> {
    edit::<User>(&iam, context.account, &input.user_name, |tags| {
        remove(tags, &input.tag_keys)
    })
    .await
}

pub async fn tag_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::TagPolicyRequest,
) -> Result<Unit, ServiceError> {
    let by = (&context.principal, "iam:TagPolicy");
    edit_policy(&iam, context.account, &input.policy_arn, by, |tags| {
        add(tags, input.tags)
    })
    .await
}

pub async fn untag_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::UntagPolicyRequest,
) -> Result<Unit, ServiceError> {
    let by = (&context.principal, "iam:UntagPolicy");
    edit_policy(&iam, context.account, &input.policy_arn, by, |tags| {
        remove(tags, &input.tag_keys)
    })
    .await
}

pub async fn list_role_tags(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListRoleTagsRequest,
) -> Result<model::ListRoleTagsResponse, ServiceError> {
    let role = lookup::principal::<Role>(&iam.directory.read(), context.account, &input.role_name)?;
    let page = cut(role.tags(), input.marker.as_deref(), input.max_items)?;
    Ok(model::ListRoleTagsResponse {
        tags: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub async fn list_user_tags(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListUserTagsRequest,
) -> Result<model::ListUserTagsResponse, ServiceError> {
    let user = lookup::principal::<User>(&iam.directory.read(), context.account, &input.user_name)?;
    let page = cut(user.tags(), input.marker.as_deref(), input.max_items)?;
    Ok(model::ListUserTagsResponse {
        tags: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub async fn list_policy_tags(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListPolicyTagsRequest,
) -> Result<model::ListPolicyTagsResponse, ServiceError> {
    let state = iam.directory.read();
    // AWS's own policies exist and have no tags.
    let tags = match lookup::check_attachable(&state, context.account, &input.policy_arn) {
        Ok(()) if input.policy_arn.starts_with("arn:aws:iam::aws:") => Vec::new(),
        _ => lookup::policy(&state, context.account, &input.policy_arn)?
            .tags
            .clone(),
    };
    let page = cut(&tags, input.marker.as_deref(), input.max_items)?;
    Ok(model::ListPolicyTagsResponse {
        tags: page.items,
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

async fn edit<P: Principal>(
    iam: &Identity,
    account: AccountId,
    name: &str,
    edit: impl FnOnce(&mut Vec<Tag>) -> Result<(), ServiceError>,
) -> Result<Unit, ServiceError> {
    let mut change = iam.change().await;
    let mut owner = (*lookup::principal::<P>(&change.read(), account, name)?).clone();
    edit(owner.tags_mut())?;
    change.put(owner)?;
    change.commit().await?;
    Ok(Unit {})
}

async fn edit_policy(
    iam: &Identity,
    account: AccountId,
    arn: &str,
    by: (&service::Principal, &str),
    edit: impl FnOnce(&mut Vec<Tag>) -> Result<(), ServiceError>,
) -> Result<Unit, ServiceError> {
    let mut change = iam.change().await;
    let mut policy = lookup::policy_to_change(&change.read(), account, arn, by)?;
    edit(&mut policy.tags)?;
    change.put(policy)?;
    change.commit().await?;
    Ok(Unit {})
}

fn add(tags: &mut Vec<Tag>, new: Vec<model::Tag>) -> Result<(), ServiceError> {
    tags::add(tags, answer::tag_records(new))
}

#[expect(clippy::unnecessary_wraps, reason = "an edit, like adding")]
fn remove(tags: &mut Vec<Tag>, keys: &[String]) -> Result<(), ServiceError> {
    tags::remove(tags, keys);
    Ok(())
}

fn cut(
    tags: &[Tag],
    marker: Option<&str>,
    max_items: Option<i32>,
) -> Result<Page<model::Tag>, ServiceError> {
    let keys = tags.iter().map(|tag| tag.key.to_lowercase());
    page::cut(keys.zip(answer::tag_list(tags)), marker, max_items)
}
