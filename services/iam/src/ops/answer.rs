//! Records as answers show them.

use crate::domain::aws_managed::{self, AwsPolicy};
use crate::domain::ids;
use crate::domain::policy::encoded;
use crate::generated as model;
use crate::identity::{role_arn, user_arn};
use crate::records::{AccessKey, Policy, PolicyVersion, Role, Tag, User};

pub fn role(role: &Role) -> model::Role {
    model::Role {
        path: role.path.clone(),
        role_name: role.name.clone(),
        role_id: role.id.clone(),
        arn: role_arn(role).to_string(),
        create_date: role.created,
        assume_role_policy_document: Some(encoded(&role.trust)),
        description: role.description.clone(),
        max_session_duration: i32::try_from(role.max_session_seconds).ok(),
        permissions_boundary: boundary(role.permissions.boundary.as_ref()),
        tags: tags(&role.tags),
        // Use is not tracked; AWS leaves it empty for roles not used of late.
        role_last_used: Some(model::RoleLastUsed::default()),
        source_role_template: None,
    }
}

/// A role as ListRoles shows it: AWS leaves out what takes a look-up each.
pub fn listed_role(record: &Role) -> model::Role {
    let whole = role(record);
    model::Role {
        permissions_boundary: None,
        tags: None,
        role_last_used: None,
        ..whole
    }
}

pub fn user(user: &User) -> model::User {
    model::User {
        path: user.path.clone(),
        user_name: user.name.clone(),
        user_id: user.id.clone(),
        arn: user_arn(user).to_string(),
        create_date: user.created,
        password_last_used: None,
        permissions_boundary: boundary(user.permissions.boundary.as_ref()),
        tags: tags(&user.tags),
    }
}

/// A user as ListUsers shows it.
pub fn listed_user(record: &User) -> model::User {
    model::User {
        permissions_boundary: None,
        tags: None,
        ..user(record)
    }
}

/// `uses` counts attachments and uses as a boundary.
pub fn policy(policy: &Policy, uses: (i32, i32)) -> model::Policy {
    let arn = ids::arn(policy.account, "policy", &policy.path, &policy.name);
    model::Policy {
        policy_name: Some(policy.name.clone()),
        policy_id: Some(policy.id.clone()),
        arn: Some(arn.to_string()),
        path: Some(policy.path.clone()),
        default_version_id: Some(format!("v{}", policy.default_version)),
        attachment_count: Some(uses.0),
        permissions_boundary_usage_count: Some(uses.1),
        is_attachable: Some(true),
        description: policy.description.clone(),
        create_date: Some(policy.created),
        update_date: Some(policy.updated),
        tags: tags(&policy.tags),
    }
}

pub fn aws_policy(arn: &str, policy: &AwsPolicy, uses: (i32, i32)) -> model::Policy {
    model::Policy {
        policy_name: Some(policy.name.clone()),
        policy_id: Some(policy.id.clone()),
        arn: Some(arn.to_owned()),
        path: Some(policy.path.clone()),
        default_version_id: Some("v1".to_owned()),
        attachment_count: Some(uses.0),
        permissions_boundary_usage_count: Some(uses.1),
        is_attachable: Some(true),
        description: Some(policy.description.clone()),
        create_date: Some(aws_managed::CREATED),
        update_date: Some(aws_managed::CREATED),
        tags: None,
    }
}

/// `with_document`: lists do without it.
pub fn version(
    number: u32,
    version: &PolicyVersion,
    is_default: bool,
    with_document: bool,
) -> model::PolicyVersion {
    model::PolicyVersion {
        document: with_document.then(|| encoded(&version.document)),
        version_id: Some(format!("v{number}")),
        is_default_version: Some(is_default),
        create_date: Some(version.created),
    }
}

pub fn key_metadata(key: &AccessKey, user_name: &str) -> model::AccessKeyMetadata {
    model::AccessKeyMetadata {
        user_name: Some(user_name.to_owned()),
        access_key_id: Some(key.id.clone()),
        status: Some(status(key)),
        create_date: Some(key.created),
    }
}

pub fn status(key: &AccessKey) -> model::StatusType {
    if key.active {
        model::StatusType::Active
    } else {
        model::StatusType::Inactive
    }
}

pub fn tag_list(tags: &[Tag]) -> Vec<model::Tag> {
    tags.iter()
        .map(|tag| model::Tag {
            key: tag.key.clone(),
            value: tag.value.clone(),
        })
        .collect()
}

pub fn tag_records(tags: Vec<model::Tag>) -> impl Iterator<Item = Tag> {
    tags.into_iter().map(|tag| Tag {
        key: tag.key,
        value: tag.value,
    })
}

fn tags(tags: &[Tag]) -> Option<Vec<model::Tag>> {
    (!tags.is_empty()).then(|| tag_list(tags))
}

fn boundary(arn: Option<&String>) -> Option<model::AttachedPermissionsBoundary> {
    arn.map(|arn| model::AttachedPermissionsBoundary {
        permissions_boundary_type: Some(
            model::PermissionsBoundaryAttachmentType::PermissionsBoundaryPolicy,
        ),
        permissions_boundary_arn: Some(arn.clone()),
    })
}
