//! Finding what an operation names, or AWS's error.

use std::sync::Arc;

use base::AccountId;
use service::ServiceError;

use crate::directory::{Entity, State};
use crate::domain::permissions::Holder;
use crate::domain::{aws_managed, tags};
use crate::error;
use crate::identity::find_policy;
use crate::records::{Permissions, Policy, Role, Tag, User};

/// Roles and users: what holds permissions.
pub trait Principal: Entity + Clone {
    const KIND: &'static str;
    const MAX_INLINE: usize;
    const ATTACHED_QUOTA: &'static str;

    fn permissions(&self) -> &Permissions;
    fn permissions_mut(&mut self) -> &mut Permissions;
    fn tags(&self) -> &[Tag];
    fn tags_mut(&mut self) -> &mut Vec<Tag>;

    fn holder(name: &str) -> Holder<'_> {
        Holder {
            kind: Self::KIND,
            name,
            max_inline: Self::MAX_INLINE,
            attached_quota: Self::ATTACHED_QUOTA,
        }
    }
}

macro_rules! principal {
    ($type:ty, $kind:literal, $max_inline:literal, $quota:literal) => {
        impl Principal for $type {
            const KIND: &'static str = $kind;
            const MAX_INLINE: usize = $max_inline;
            const ATTACHED_QUOTA: &'static str = $quota;

            fn permissions(&self) -> &Permissions {
                &self.permissions
            }

            fn permissions_mut(&mut self) -> &mut Permissions {
                &mut self.permissions
            }

            fn tags(&self) -> &[Tag] {
                &self.tags
            }

            fn tags_mut(&mut self) -> &mut Vec<Tag> {
                &mut self.tags
            }
        }
    };
}
principal!(Role, "role", 10_240, "PoliciesPerRole");
principal!(User, "user", 2_048, "PoliciesPerUser");

/// The role or user of that name.
pub fn principal<P: Principal>(
    state: &State,
    account: AccountId,
    name: &str,
) -> Result<Arc<P>, ServiceError> {
    state
        .find(account, name)
        .ok_or_else(|| error::not_found(P::KIND, name))
}

/// The customer-managed policy of that ARN.
pub fn policy(state: &State, account: AccountId, arn: &str) -> Result<Arc<Policy>, ServiceError> {
    check_policy_arn(arn)?;
    find_policy(state, account, arn)
        .ok_or_else(|| error::no_such_entity(format!("Policy {arn} was not found.")))
}

/// The account's own policy, for changing it: AWS's are not for anyone to change.
pub fn policy_to_change(
    state: &State,
    account: AccountId,
    arn: &str,
    (caller, action): (&service::Principal, &str),
) -> Result<Policy, ServiceError> {
    if arn.starts_with("arn:aws:iam::aws:policy/") {
        let caller = caller.name();
        return Err(error::access_denied(
            &caller,
            action,
            &format!("policy {arn}"),
        ));
    }
    policy(state, account, arn).map(|policy| (*policy).clone())
}

/// A managed policy must exist to be attached or to bound.
pub fn check_attachable(state: &State, account: AccountId, arn: &str) -> Result<(), ServiceError> {
    check_policy_arn(arn)?;
    if aws_managed::POLICIES.contains_key(arn) || find_policy(state, account, arn).is_some() {
        return Ok(());
    }
    Err(error::no_such_entity(format!(
        "Policy {arn} does not exist or is not attachable."
    )))
}

pub fn check_policy_arn(arn: &str) -> Result<(), ServiceError> {
    let valid = arn
        .parse::<base::Arn>()
        .is_ok_and(|arn| arn.service == "iam" && arn.resource.starts_with("policy/"));
    if valid {
        Ok(())
    } else {
        Err(error::invalid_input(format!("ARN {arn} is not valid.")))
    }
}

/// The tags of something new.
pub fn new_tags(tags: Option<Vec<crate::generated::Tag>>) -> Result<Vec<Tag>, ServiceError> {
    let mut added = Vec::new();
    tags::add(
        &mut added,
        super::answer::tag_records(tags.unwrap_or_default()),
    )?;
    Ok(added)
}

/// Whether a list by path wants it.
pub fn on_path(path: &str, prefix: Option<&String>) -> bool {
    prefix.is_none_or(|prefix| path.starts_with(prefix.as_str()))
}
