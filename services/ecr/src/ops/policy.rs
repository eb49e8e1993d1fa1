//! SetRepositoryPolicy, GetRepositoryPolicy, DeleteRepositoryPolicy.

use service::{RequestContext, ServiceError};

use super::{State, repository};
use crate::error;
use crate::generated as g;
use crate::records::Repository;

pub async fn set(
    ecr: State,
    context: RequestContext,
    input: g::SetRepositoryPolicyRequest,
) -> Result<g::SetRepositoryPolicyResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let parsed = serde_json::from_str::<serde_json::Value>(&input.policy_text);
    let has_statements = parsed.is_ok_and(|policy| policy.get("Statement").is_some());
    if !has_statements {
        return Err(error::invalid(
            "PolicyText",
            "Invalid repository policy provided",
        ));
    }
    let _one_writer = ecr.writer.lock().await;
    let record = ecr.with(&id, |it| it.record.clone())?;
    let record = Repository {
        policy: Some(input.policy_text.clone()),
        ..record
    };
    ecr.set(&id, record).await?;
    Ok(g::SetRepositoryPolicyResponse {
        registry_id: Some(id.account.to_string()),
        repository_name: Some(id.name),
        policy_text: Some(input.policy_text),
    })
}

pub async fn get(
    ecr: State,
    context: RequestContext,
    input: g::GetRepositoryPolicyRequest,
) -> Result<g::GetRepositoryPolicyResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let policy = ecr.with(&id, |it| it.record.policy.clone())?;
    let policy = policy.ok_or_else(|| error::policy_not_found(&id))?;
    Ok(g::GetRepositoryPolicyResponse {
        registry_id: Some(id.account.to_string()),
        repository_name: Some(id.name),
        policy_text: Some(policy),
    })
}

pub async fn delete(
    ecr: State,
    context: RequestContext,
    input: g::DeleteRepositoryPolicyRequest,
) -> Result<g::DeleteRepositoryPolicyResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let _one_writer = ecr.writer.lock().await;
    let mut record = ecr.with(&id, |it| it.record.clone())?;
    let policy = record.policy.take();
    let policy = policy.ok_or_else(|| error::policy_not_found(&id))?;
    ecr.set(&id, record).await?;
    Ok(g::DeleteRepositoryPolicyResponse {
        registry_id: Some(id.account.to_string()),
        repository_name: Some(id.name),
        policy_text: Some(policy),
    })
}
