//! AddPermission, RemovePermission.

use serde_json::Value;
use service::{RequestContext, ServiceError};
use wire::Unit;

use super::State;
use crate::domain::attributes::default_policy;
use crate::domain::permission;
use crate::error;
use crate::generated as g;
use crate::records::{Topic, TopicId};

pub async fn add(
    sns: State,
    context: RequestContext,
    input: g::AddPermissionInput,
) -> Result<Unit, ServiceError> {
    let _one_writer = sns.writer.lock().await;
    let (id, topic) = sns.topic(&context, &input.topic_arn, "AddPermission")?;
    let mut policy = policy(&id, &topic)?;
    permission::add(
        &mut policy,
        &id,
        &input.label,
        &input.aws_account_id,
        &input.action_name,
    )?;
    save(&sns, id, &topic, &policy).await
}

pub async fn remove(
    sns: State,
    context: RequestContext,
    input: g::RemovePermissionInput,
) -> Result<Unit, ServiceError> {
    let _one_writer = sns.writer.lock().await;
    let (id, topic) = sns.topic(&context, &input.topic_arn, "RemovePermission")?;
    let mut policy = policy(&id, &topic)?;
    permission::remove(&mut policy, &input.label)?;
    save(&sns, id, &topic, &policy).await
}

fn policy(id: &TopicId, topic: &Topic) -> Result<Value, ServiceError> {
    match topic
        .attributes
        .get("Policy")
        .filter(|text| !text.is_empty())
    {
        Some(text) => serde_json::from_str(text).map_err(|_| error::invalid("Policy")),
        None => Ok(default_policy(id)),
    }
}

async fn save(
    sns: &State,
    id: TopicId,
    topic: &Topic,
    policy: &Value,
) -> Result<Unit, ServiceError> {
    let mut topic = topic.clone();
    topic
        .attributes
        .insert("Policy".to_owned(), policy.to_string());
    sns.save_topic(id, topic).await?;
    Ok(Unit {})
}
