//! Who a managed policy is attached to.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListEntitiesForPolicy.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::lookup;
use crate::domain::page;
use crate::generated as model;
use crate::generated::{EntityType, PolicyUsageType};
use crate::identity::Identity;
use crate::records::{Permissions, Role, User};

/// One entity, in the order of the pages: roles before users.
enum Entity {
    Role(model::PolicyRole),
    User(model::PolicyUser),
}

pub async fn list_entities_for_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListEntitiesForPolicyRequest,
) -> Result<model::ListEntitiesForPolicyResponse, ServiceError> {
    let state = iam.directory.read();
    lookup::check_attachable(&state, context.account, &input.policy_arn).map_err(|_| {
        let arn = &input.policy_arn;
        crate::error::no_such_entity(format!("Policy {arn} was not found."))
    })?;
    let wants = |kind: EntityType| input.entity_filter.is_none_or(|filter| filter == kind);
    let holds = |path: &str, permissions: &Permissions| {
        lookup::on_path(path, input.path_prefix.as_ref())
            && is_used(permissions, &input.policy_arn, input.policy_usage_filter)
    };
    let roles = state
        .list::<Role>(context.account)
        .filter(|(_, role)| wants(EntityType::Role) && holds(&role.path, &role.permissions))
        .map(|(key, role)| {
            let (role_name, role_id) = (Some(role.name.clone()), Some(role.id.clone()));
            (
                format!("role {key}"),
                Entity::Role(model::PolicyRole { role_name, role_id }),
            )
        });
    let users = state
        .list::<User>(context.account)
        .filter(|(_, user)| wants(EntityType::User) && holds(&user.path, &user.permissions))
        .map(|(key, user)| {
            let (user_name, user_id) = (Some(user.name.clone()), Some(user.id.clone()));
            (
                format!("user {key}"),
                Entity::User(model::PolicyUser { user_name, user_id }),
            )
        });
    let page = page::cut(roles.chain(users), input.marker.as_deref(), input.max_items)?;
    let (mut policy_roles, mut policy_users) = (Vec::new(), Vec::new());
    for entity in page.items {
        match entity {
            Entity::Role(role) => policy_roles.push(role),
            Entity::User(user) => policy_users.push(user),
        }
    }
    Ok(model::ListEntitiesForPolicyResponse {
        policy_groups: Some(Vec::new()),
        policy_users: Some(policy_users),
        policy_roles: Some(policy_roles),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

fn is_used(permissions: &Permissions, arn: &str, filter: Option<PolicyUsageType>) -> bool {
    let attached = permissions.attached.iter().any(|attached| attached == arn);
    let bounds = permissions.boundary.as_deref() == Some(arn);
    match filter {
        None => attached || bounds,
        Some(PolicyUsageType::PermissionsPolicy) => attached,
        Some(PolicyUsageType::PermissionsBoundary) => bounds,
    }
}
