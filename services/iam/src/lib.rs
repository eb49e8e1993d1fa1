//! IAM and STS: who there is, what they may do, and credentials to prove it. One set of identities
//! per account, in no region.
//!
//! # What is absent
//! Groups, instance profiles, login profiles, MFA, identity providers, and when a role or key was
//! last used.

mod bounded_sessions;
mod credentials;
mod directory;
mod domain;
mod error;
mod generated;
mod generated_sts;
mod identity;
mod ops;
mod records;
mod services;

use std::sync::Arc;

use service::{Operation, Service, operation};

pub use credentials::IssuedCredentials;
pub use identity::Identity;

use generated as iam;
use generated_sts as sts;
use ops::{
    access_keys, attachments, inline_policies, policies, policy_entities, policy_versions, roles,
    tags, users,
};

/// IAM over these identities.
pub fn service(identity: &Arc<Identity>) -> Arc<dyn Service> {
    Arc::new(services::Iam(Arc::clone(identity)))
}

/// STS over these identities.
pub fn sts_service(identity: &Arc<Identity>) -> Arc<dyn Service> {
    Arc::new(services::Sts(Arc::clone(identity)))
}

/// The look-up of access keys over these identities.
pub fn credentials(identity: &Arc<Identity>) -> Arc<IssuedCredentials> {
    Arc::new(IssuedCredentials(Arc::clone(identity)))
}

static OPERATIONS: &[Operation<Identity>] = &[
    operation!(iam::CreateRole => roles::create_role),
    operation!(iam::GetRole => roles::get_role),
    operation!(iam::ListRoles => roles::list_roles),
    operation!(iam::DeleteRole => roles::delete_role),
    operation!(iam::UpdateRole => roles::update_role),
    operation!(iam::UpdateRoleDescription => roles::update_role_description),
    operation!(iam::UpdateAssumeRolePolicy => roles::update_assume_role_policy),
    operation!(iam::ListInstanceProfilesForRole => roles::list_instance_profiles_for_role),
    operation!(iam::CreateUser => users::create_user),
    operation!(iam::GetUser => users::get_user),
    operation!(iam::ListUsers => users::list_users),
    operation!(iam::DeleteUser => users::delete_user),
    operation!(iam::UpdateUser => users::update_user),
    operation!(iam::CreateAccessKey => access_keys::create_access_key),
    operation!(iam::ListAccessKeys => access_keys::list_access_keys),
    operation!(iam::DeleteAccessKey => access_keys::delete_access_key),
    operation!(iam::UpdateAccessKey => access_keys::update_access_key),
    operation!(iam::GetAccessKeyLastUsed => access_keys::get_access_key_last_used),
    operation!(iam::CreatePolicy => policies::create_policy),
    operation!(iam::GetPolicy => policies::get_policy),
    operation!(iam::ListPolicies => policies::list_policies),
    operation!(iam::DeletePolicy => policies::delete_policy),
    operation!(iam::CreatePolicyVersion => policy_versions::create_policy_version),
    operation!(iam::GetPolicyVersion => policy_versions::get_policy_version),
    operation!(iam::ListPolicyVersions => policy_versions::list_policy_versions),
    operation!(iam::DeletePolicyVersion => policy_versions::delete_policy_version),
    operation!(iam::SetDefaultPolicyVersion => policy_versions::set_default_policy_version),
    operation!(iam::ListEntitiesForPolicy => policy_entities::list_entities_for_policy),
    operation!(iam::AttachRolePolicy => attachments::attach_role_policy),
    operation!(iam::DetachRolePolicy => attachments::detach_role_policy),
    operation!(iam::ListAttachedRolePolicies => attachments::list_attached_role_policies),
    operation!(iam::AttachUserPolicy => attachments::attach_user_policy),
    operation!(iam::DetachUserPolicy => attachments::detach_user_policy),
    operation!(iam::ListAttachedUserPolicies => attachments::list_attached_user_policies),
    operation!(iam::PutRolePolicy => inline_policies::put_role_policy),
    operation!(iam::GetRolePolicy => inline_policies::get_role_policy),
    operation!(iam::ListRolePolicies => inline_policies::list_role_policies),
    operation!(iam::DeleteRolePolicy => inline_policies::delete_role_policy),
    operation!(iam::PutUserPolicy => inline_policies::put_user_policy),
    operation!(iam::GetUserPolicy => inline_policies::get_user_policy),
    operation!(iam::ListUserPolicies => inline_policies::list_user_policies),
    operation!(iam::DeleteUserPolicy => inline_policies::delete_user_policy),
    operation!(iam::TagRole => tags::tag_role),
    operation!(iam::UntagRole => tags::untag_role),
    operation!(iam::ListRoleTags => tags::list_role_tags),
    operation!(iam::TagUser => tags::tag_user),
    operation!(iam::UntagUser => tags::untag_user),
    operation!(iam::ListUserTags => tags::list_user_tags),
    operation!(iam::TagPolicy => tags::tag_policy),
    operation!(iam::UntagPolicy => tags::untag_policy),
    operation!(iam::ListPolicyTags => tags::list_policy_tags),
];

static STS_OPERATIONS: &[Operation<Identity>] = &[
    operation!(sts::AssumeRole => ops::sts::assume_role),
    operation!(sts::GetCallerIdentity => ops::sts::get_caller_identity),
    operation!(sts::GetSessionToken => ops::sts::get_session_token),
    operation!(sts::GetAccessKeyInfo => ops::sts::get_access_key_info),
];
