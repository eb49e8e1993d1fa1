//! CreateTopic, DeleteTopic, ListTopics, GetTopicAttributes, SetTopicAttributes.

use std::collections::BTreeMap;

use service::{RequestContext, ServiceError};
use store::Batch;
use wire::Unit;

use super::State;
use super::tags::{self, check_tags};
use crate::domain::{arn, attributes, page};
use crate::error;
use crate::generated as g;
use crate::records::{SUBSCRIPTIONS, TAKEN, TOPICS, Topic, TopicId};

pub async fn create(
    sns: State,
    context: RequestContext,
    input: g::CreateTopicInput,
) -> Result<g::CreateTopicResponse, ServiceError> {
    let given = input.attributes.unwrap_or_default();
    let is_fifo = given
        .get("FifoTopic")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    arn::check_topic_name(&input.name, is_fifo)?;
    if let Some(policy) = &input.data_protection_policy
        && !policy.is_empty()
    {
        return Err(ServiceError::not_implemented(
            "SNS's",
            "DataProtectionPolicy",
        ));
    }
    for (name, value) in &given {
        attributes::check_topic(name, value, is_fifo)?;
    }
    let tags = tags::of(input.tags.unwrap_or_default());
    check_tags(&tags)?;
    let id = arn::own(&context, &input.name);
    let answer = Ok(g::CreateTopicResponse {
        topic_arn: Some(id.arn().to_string()),
    });
    let _one_writer = sns.writer.lock().await;
    if let Some(existing) = sns.topics.topic(&id) {
        let differs =
            |(name, value): (&String, &String)| existing.attributes.get(name) != Some(value);
        if given.iter().any(differs) {
            return Err(error::invalid(
                "Attributes Reason: Topic already exists with different attributes",
            ));
        }
        if !tags.is_empty() && tags != existing.tags {
            return Err(error::invalid(
                "Tags Reason: Topic already exists with different tags",
            ));
        }
        return answer;
    }
    let topic = Topic {
        attributes: given,
        tags,
    };
    sns.save_topic(id, topic).await?;
    answer
}

/// A topic that is not there is no error.
pub async fn delete(
    sns: State,
    context: RequestContext,
    input: g::DeleteTopicInput,
) -> Result<Unit, ServiceError> {
    let id = arn::topic(&input.topic_arn, "TopicArn")?;
    if id.account != context.account {
        return Err(error::not_authorized("DeleteTopic", &input.topic_arn));
    }
    let _one_writer = sns.writer.lock().await;
    let mut batch = Batch::new();
    TOPICS.delete(&mut batch, id.key());
    SUBSCRIPTIONS.delete_prefix(&mut batch, id.key());
    TAKEN.delete_prefix(&mut batch, id.key());
    sns.commit(Ok(batch)).await?;
    sns.topics.remove_topic(&id);
    Ok(Unit {})
}

pub async fn list(
    sns: State,
    context: RequestContext,
    input: g::ListTopicsInput,
) -> Result<g::ListTopicsResponse, ServiceError> {
    let all = sns.topics.all(&arn::own(&context, ""));
    let keyed = all.into_iter().map(|id| (id.name.clone(), id));
    let (topics, next_token) = page::cut(keyed, input.next_token.as_deref())?;
    let topics = topics
        .iter()
        .map(|(_, id)| g::Topic {
            topic_arn: Some(id.arn().to_string()),
        })
        .collect();
    Ok(g::ListTopicsResponse {
        topics: Some(topics),
        next_token,
    })
}

pub async fn get_attributes(
    sns: State,
    context: RequestContext,
    input: g::GetTopicAttributesInput,
) -> Result<g::GetTopicAttributesResponse, ServiceError> {
    let (id, topic) = sns.topic(&context, &input.topic_arn, "GetTopicAttributes")?;
    Ok(g::GetTopicAttributesResponse {
        attributes: Some(shown(&sns, &id, &topic)),
    })
}

fn shown(sns: &State, id: &TopicId, topic: &Topic) -> BTreeMap<String, String> {
    let subscriptions = sns.topics.subscriptions_of(id);
    let confirmed = subscriptions
        .iter()
        .filter(|one| one.record.confirmed)
        .count();
    let pending = subscriptions.len() - confirmed;
    let mut shown = BTreeMap::from(
        [
            ("TopicArn", id.arn().to_string()),
            ("Owner", id.account.to_string()),
            ("Policy", attributes::default_policy(id).to_string()),
            ("DisplayName", String::new()),
            ("SubscriptionsConfirmed", confirmed.to_string()),
            ("SubscriptionsPending", pending.to_string()),
            ("SubscriptionsDeleted", "0".to_owned()),
            (
                "EffectiveDeliveryPolicy",
                serde_json::json!({"http": attributes::default_delivery_policy()}).to_string(),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    if id.is_fifo() {
        shown.insert("ContentBasedDeduplication".to_owned(), "false".to_owned());
    }
    let set = topic
        .attributes
        .iter()
        .filter(|(_, value)| !value.is_empty());
    shown.extend(set.map(|(name, value)| (name.clone(), value.clone())));
    shown
}

pub async fn set_attributes(
    sns: State,
    context: RequestContext,
    input: g::SetTopicAttributesInput,
) -> Result<Unit, ServiceError> {
    let _one_writer = sns.writer.lock().await;
    let (id, topic) = sns.topic(&context, &input.topic_arn, "SetTopicAttributes")?;
    let value = input.attribute_value.unwrap_or_default();
    attributes::check_topic(&input.attribute_name, &value, id.is_fifo())?;
    if input.attribute_name == "FifoTopic" {
        return Err(error::invalid("AttributeName"));
    }
    let mut topic = (*topic).clone();
    topic.attributes.insert(input.attribute_name, value);
    let subscriptions = sns.topics.subscriptions_of(&id);
    let protocols = subscriptions.iter().map(|one| one.record.protocol.as_str());
    attributes::check_subscribers(&topic.attributes, protocols)?;
    sns.save_topic(id, topic).await?;
    Ok(Unit {})
}
