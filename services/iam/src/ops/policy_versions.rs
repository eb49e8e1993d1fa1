//! Versions of managed policies: at most five, one the default.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicyVersion.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::{answer, lookup};
use crate::domain::{aws_managed, page, policy};
use crate::error;
use crate::generated as model;
use crate::identity::Identity;
use crate::records::{Policy, PolicyVersion};

const MAX_VERSIONS: usize = 5;

pub async fn create_policy_version(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::CreatePolicyVersionRequest,
) -> Result<model::CreatePolicyVersionResponse, ServiceError> {
    policy::check_managed(&input.policy_document)?;
    let by = (&context.principal, "iam:CreatePolicyVersion");
    let mut change = iam.change().await;
    let mut policy =
        lookup::policy_to_change(&change.read(), context.account, &input.policy_arn, by)?;
    if policy.versions.len() >= MAX_VERSIONS {
        return Err(error::limit_exceeded(
            "A managed policy can have up to 5 versions. Before you create a new version, you \
             must delete an existing version.",
        ));
    }
    let number = policy.next_version;
    let version = PolicyVersion {
        document: input.policy_document,
        created: iam.now(),
    };
    let is_default = input.set_as_default.unwrap_or(false);
    let shown = answer::version(number, &version, is_default, false);
    policy.versions.insert(number, version);
    policy.next_version += 1;
    policy.updated = iam.now();
    if is_default {
        policy.default_version = number;
    }
    change.put(policy)?;
    change.commit().await?;
    Ok(model::CreatePolicyVersionResponse {
        policy_version: Some(shown),
    })
}

pub async fn get_policy_version(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::GetPolicyVersionRequest,
) -> Result<model::GetPolicyVersionResponse, ServiceError> {
    let (arn, id) = (&input.policy_arn, &input.version_id);
    let shown = match aws_managed::POLICIES.get(arn) {
        Some(policy) if id == "v1" => aws_version(policy, true),
        Some(_) => return Err(no_such_version(arn, id)),
        None => {
            let policy = lookup::policy(&iam.directory.read(), context.account, arn)?;
            let number = number_of(&policy, arn, id)?;
            let is_default = number == policy.default_version;
            answer::version(number, &policy.versions[&number], is_default, true)
        }
    };
    Ok(model::GetPolicyVersionResponse {
        policy_version: Some(shown),
    })
}

pub async fn list_policy_versions(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListPolicyVersionsRequest,
) -> Result<model::ListPolicyVersionsResponse, ServiceError> {
    let versions = if let Some(policy) = aws_managed::POLICIES.get(&input.policy_arn) {
        vec![(String::new(), aws_version(policy, false))]
    } else {
        let state = iam.directory.read();
        newest_first(&*lookup::policy(
            &state,
            context.account,
            &input.policy_arn,
        )?)
    };
    let page = page::cut(versions, input.marker.as_deref(), input.max_items)?;
    Ok(model::ListPolicyVersionsResponse {
        versions: Some(page.items),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub async fn delete_policy_version(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::DeletePolicyVersionRequest,
) -> Result<Unit, ServiceError> {
    let by = (&context.principal, "iam:DeletePolicyVersion");
    let mut change = iam.change().await;
    let mut policy =
        lookup::policy_to_change(&change.read(), context.account, &input.policy_arn, by)?;
    let number = number_of(&policy, &input.policy_arn, &input.version_id)?;
    if number == policy.default_version {
        return Err(error::delete_conflict(
            "Cannot delete the default version of a policy.",
        ));
    }
    policy.versions.remove(&number);
    policy.updated = iam.now();
    change.put(policy)?;
    change.commit().await?;
    Ok(Unit {})
}

pub async fn set_default_policy_version(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::SetDefaultPolicyVersionRequest,
) -> Result<Unit, ServiceError> {
    let by = (&context.principal, "iam:SetDefaultPolicyVersion");
    let mut change = iam.change().await;
    let mut policy =
        lookup::policy_to_change(&change.read(), context.account, &input.policy_arn, by)?;
    policy.default_version = number_of(&policy, &input.policy_arn, &input.version_id)?;
    policy.updated = iam.now();
    change.put(policy)?;
    change.commit().await?;
    Ok(Unit {})
}

fn newest_first(policy: &Policy) -> Vec<(String, model::PolicyVersion)> {
    let shown = |(number, version): (&u32, &PolicyVersion)| {
        let is_default = *number == policy.default_version;
        // Keys ascend, as the pager wants them, while numbers descend.
        (
            format!("{:010}", u32::MAX - number),
            answer::version(*number, version, is_default, false),
        )
    };
    policy.versions.iter().rev().map(shown).collect()
}

fn aws_version(policy: &aws_managed::AwsPolicy, with_document: bool) -> model::PolicyVersion {
    let version = PolicyVersion {
        document: policy.document.clone(),
        created: aws_managed::CREATED,
    };
    answer::version(1, &version, true, with_document)
}

fn number_of(policy: &Policy, arn: &str, id: &str) -> Result<u32, ServiceError> {
    let number = id.strip_prefix('v').and_then(|number| number.parse().ok());
    number
        .filter(|number| policy.versions.contains_key(number))
        .ok_or_else(|| no_such_version(arn, id))
}

fn no_such_version(arn: &str, id: &str) -> ServiceError {
    error::no_such_entity(format!(
        "Policy {arn} version {id} does not exist or is not attachable."
    ))
}
