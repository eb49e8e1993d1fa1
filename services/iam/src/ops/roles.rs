//! Roles: create, read, change, delete.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::{answer, lookup};
use crate::domain::{ids, page, policy};
use crate::error;
use crate::generated as model;
use crate::identity::Identity;
use crate::records::{Permissions, Role};

const MAX_ROLES: usize = 1_000;
const DEFAULT_SESSION_SECONDS: u32 = 3_600;

pub async fn create_role(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::CreateRoleRequest,
) -> Result<model::CreateRoleResponse, ServiceError> {
    policy::check_trust(&input.assume_role_policy_document)?;
    let tags = lookup::new_tags(input.tags)?;
    let mut change = iam.change().await;
    {
        let state = change.read();
        if state
            .find::<Role>(context.account, &input.role_name)
            .is_some()
        {
            let name = &input.role_name;
            return Err(error::already_exists(format!(
                "Role with name {name} already exists."
            )));
        }
        if state.list::<Role>(context.account).count() >= MAX_ROLES {
            return Err(error::quota("RolesPerAccount", MAX_ROLES));
        }
        if let Some(arn) = &input.permissions_boundary {
            lookup::check_attachable(&state, context.account, arn)?;
        }
    }
    let role = Role {
        account: context.account,
        name: input.role_name,
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id: ids::unique_id(ids::ROLE),
        created: iam.now(),
        description: input.description,
        max_session_seconds: seconds(input.max_session_duration),
        trust: input.assume_role_policy_document,
        permissions: Permissions {
            boundary: input.permissions_boundary,
            ..Permissions::default()
        },
        tags,
    };
    let shown = answer::role(&role);
    change.put(role)?;
    change.commit().await?;
    // CreateRole alone does not tell when the role was last used.
    Ok(model::CreateRoleResponse {
        role: model::Role {
            role_last_used: None,
            ..shown
        },
    })
}

pub async fn get_role(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::GetRoleRequest,
) -> Result<model::GetRoleResponse, ServiceError> {
    let state = iam.directory.read();
    let role = lookup::principal::<Role>(&state, context.account, &input.role_name)?;
    Ok(model::GetRoleResponse {
        role: answer::role(&role),
    })
}

pub async fn list_roles(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListRolesRequest,
) -> Result<model::ListRolesResponse, ServiceError> {
    let state = iam.directory.read();
    let roles = state
        .list::<Role>(context.account)
        .filter(|(_, role)| lookup::on_path(&role.path, input.path_prefix.as_ref()))
        .map(|(key, role)| (key.clone(), role));
    let page = page::cut(roles, input.marker.as_deref(), input.max_items)?;
    Ok(model::ListRolesResponse {
        roles: page
            .items
            .into_iter()
            .map(|role| answer::listed_role(role))
            .collect(),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub async fn delete_role(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::DeleteRoleRequest,
) -> Result<Unit, ServiceError> {
    let mut change = iam.change().await;
    let role = lookup::principal::<Role>(&change.read(), context.account, &input.role_name)?;
    role.permissions.check_empty()?;
    change.delete(&*role);
    change.commit().await?;
    Ok(Unit {})
}

pub async fn update_role(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::UpdateRoleRequest,
) -> Result<model::UpdateRoleResponse, ServiceError> {
    update(&iam, &context, &input.role_name, |role| {
        if let Some(description) = input.description {
            role.description = Some(description);
        }
        if input.max_session_duration.is_some() {
            role.max_session_seconds = seconds(input.max_session_duration);
        }
    })
    .await?;
    Ok(model::UpdateRoleResponse {})
}

pub async fn update_role_description(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::UpdateRoleDescriptionRequest,
) -> Result<model::UpdateRoleDescriptionResponse, ServiceError> {
    let role = update(&iam, &context, &input.role_name, |role| {
        role.description = Some(input.description);
    })
    .await?;
    Ok(model::UpdateRoleDescriptionResponse {
        role: Some(answer::role(&role)),
    })
}

pub async fn update_assume_role_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::UpdateAssumeRolePolicyRequest,
) -> Result<Unit, ServiceError> {
    policy::check_trust(&input.policy_document)?;
    update(&iam, &context, &input.role_name, |role| {
        role.trust = input.policy_document;
    })
    .await?;
    Ok(Unit {})
}

/// There are no instance profiles here, and so none for any role that exists.
pub async fn list_instance_profiles_for_role(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListInstanceProfilesForRoleRequest,
) -> Result<model::ListInstanceProfilesForRoleResponse, ServiceError> {
    lookup::principal::<Role>(&iam.directory.read(), context.account, &input.role_name)?;
    Ok(model::ListInstanceProfilesForRoleResponse {
        instance_profiles: Vec::new(),
        is_truncated: Some(false),
        marker: None,
    })
}

async fn update(
    iam: &Identity,
    context: &RequestContext,
    name: &str,
    edit: impl FnOnce(&mut Role),
) -> Result<Role, ServiceError> {
    let mut change = iam.change().await;
    let found = lookup::principal::<Role>(&change.read(), context.account, name)?;
    let mut role = (*found).clone();
    edit(&mut role);
    change.put(role.clone())?;
    change.commit().await?;
    Ok(role)
}

fn seconds(given: Option<i32>) -> u32 {
    given
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(DEFAULT_SESSION_SECONDS)
}
