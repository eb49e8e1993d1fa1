//! Managed policies: create, read, list, delete.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html>

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base::AccountId;
use service::{RequestContext, ServiceError};
use wire::Unit;

use super::{answer, lookup};
use crate::directory::State;
use crate::domain::{aws_managed, ids, page, policy};
use crate::error;
use crate::generated as model;
use crate::generated::{PolicyScopeType, PolicyUsageType};
use crate::identity::Identity;
use crate::records::{Permissions, Policy, PolicyVersion, Role, User};

const MAX_POLICIES: usize = 1_500;

pub async fn create_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::CreatePolicyRequest,
) -> Result<model::CreatePolicyResponse, ServiceError> {
    policy::check_managed(&input.policy_document)?;
    let tags = lookup::new_tags(input.tags)?;
    let mut change = iam.change().await;
    {
        let state = change.read();
        if state
            .find::<Policy>(context.account, &input.policy_name)
            .is_some()
        {
            return Err(error::already_exists(format!(
                "A policy called {} already exists. Duplicate names are not allowed.",
                input.policy_name
            )));
        }
        if state.list::<Policy>(context.account).count() >= MAX_POLICIES {
            return Err(error::quota("PoliciesPerAccount", MAX_POLICIES));
        }
    }
    let now = iam.now();
    let first = PolicyVersion {
        document: input.policy_document,
        created: now,
    };
    let policy = Policy {
        account: context.account,
        name: input.policy_name,
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id: ids::unique_id(ids::MANAGED_POLICY),
        description: input.description,
        created: now,
        updated: now,
        default_version: 1,
        next_version: 2,
        versions: BTreeMap::from([(1, first)]),
        tags,
    };
    let shown = model::Policy {
        description: None,
        ..answer::policy(&policy, (0, 0))
    };
    change.put(policy)?;
    change.commit().await?;
    Ok(model::CreatePolicyResponse {
        policy: Some(shown),
    })
}

pub async fn get_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::GetPolicyRequest,
) -> Result<model::GetPolicyResponse, ServiceError> {
    let state = iam.directory.read();
    let uses = Uses::count(&state, context.account).of(&input.policy_arn);
    let shown = if let Some(policy) = aws_managed::POLICIES.get(&input.policy_arn) {
        answer::aws_policy(&input.policy_arn, policy, uses)
    } else {
        let policy = lookup::policy(&state, context.account, &input.policy_arn)?;
        answer::policy(&policy, uses)
    };
    // Here, and only here, AWS says of a policy without tags that it has none.
    let tags = Some(shown.tags.unwrap_or_default());
    Ok(model::GetPolicyResponse {
        policy: Some(model::Policy { tags, ..shown }),
    })
}

pub async fn list_policies(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::ListPoliciesRequest,
) -> Result<model::ListPoliciesResponse, ServiceError> {
    let state = iam.directory.read();
    let uses = Uses::count(&state, context.account);
    let scope = input.scope.unwrap_or_default();
    let mut policies: BTreeMap<String, model::Policy> = BTreeMap::new();
    if scope != PolicyScopeType::Aws {
        for (key, policy) in state.list::<Policy>(context.account) {
            let arn = ids::arn(policy.account, "policy", &policy.path, &policy.name).to_string();
            policies.insert(
                format!("{key} {arn}"),
                answer::policy(policy, uses.of(&arn)),
            );
        }
    }
    if scope != PolicyScopeType::Local {
        for (arn, policy) in &*aws_managed::POLICIES {
            let key = format!("{} {arn}", policy.name.to_lowercase());
            policies.insert(key, answer::aws_policy(arn, policy, uses.of(arn)));
        }
    }
    let only_attached = input.only_attached.unwrap_or(false);
    let wanted = policies.into_iter().filter(|(_, policy)| {
        let path = policy.path.as_deref().unwrap_or("/");
        let counts = (
            policy.attachment_count,
            policy.permissions_boundary_usage_count,
        );
        lookup::on_path(path, input.path_prefix.as_ref())
            && is_used_as(counts, input.policy_usage_filter, only_attached)
    });
    let page = page::cut(wanted, input.marker.as_deref(), input.max_items)?;
    // Lists leave out descriptions and tags.
    let brief = |policy| model::Policy {
        description: None,
        tags: None,
        ..policy
    };
    Ok(model::ListPoliciesResponse {
        policies: Some(page.items.into_iter().map(brief).collect()),
        is_truncated: page.is_truncated,
        marker: page.marker,
    })
}

pub async fn delete_policy(
    iam: Arc<Identity>,
    context: RequestContext,
    input: model::DeletePolicyRequest,
) -> Result<Unit, ServiceError> {
    let mut change = iam.change().await;
    let policy = {
        let state = change.read();
        let by = (&context.principal, "iam:DeletePolicy");
        let policy = lookup::policy_to_change(&state, context.account, &input.policy_arn, by)?;
        if Uses::count(&state, context.account).of(&input.policy_arn) != (0, 0) {
            return Err(error::delete_conflict(
                "Cannot delete a policy attached to entities.",
            ));
        }
        policy
    };
    if policy.versions.len() > 1 {
        return Err(error::delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete \
             the policy's versions. The default version is deleted with the policy.",
        ));
    }
    change.delete(&policy);
    change.commit().await?;
    Ok(Unit {})
}

fn is_used_as(
    (attached, bounding): (Option<i32>, Option<i32>),
    filter: Option<PolicyUsageType>,
    only_used: bool,
) -> bool {
    let used = |count: Option<i32>| count.unwrap_or(0) > 0;
    match filter {
        None => !only_used || used(attached) || used(bounding),
        Some(PolicyUsageType::PermissionsPolicy) => used(attached),
        Some(PolicyUsageType::PermissionsBoundary) => used(bounding),
    }
}

/// How often each managed policy is attached, and how often it bounds.
struct Uses<'a>(HashMap<&'a str, (i32, i32)>);

impl<'a> Uses<'a> {
    fn count(state: &'a State, account: AccountId) -> Self {
        let mut uses: HashMap<&str, (i32, i32)> = HashMap::new();
        let mut add = |permissions: &'a Permissions| {
            for arn in &permissions.attached {
                uses.entry(arn).or_default().0 += 1;
            }
            if let Some(arn) = &permissions.boundary {
                uses.entry(arn).or_default().1 += 1;
            }
        };
        state
            .list::<Role>(account)
            .for_each(|(_, role)| add(&role.permissions));
        state
            .list::<User>(account)
            .for_each(|(_, user)| add(&user.permissions));
        Self(uses)
    }

    fn of(&self, arn: &str) -> (i32, i32) {
        self.0.get(arn).copied().unwrap_or_default()
    }
}
