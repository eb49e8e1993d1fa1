//! ListSubscriptions, ListSubscriptionsByTopic, GetSubscriptionAttributes,
//! SetSubscriptionAttributes, Unsubscribe.

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{Origin, Principal, RequestContext, ServiceError};
use store::Batch;
use wire::Unit;

use super::State;
use crate::domain::{arn, attributes, page};
use crate::error;
use crate::generated as g;
use crate::records::{SUBSCRIPTIONS, Subscription};
use crate::topics::Subscribed;

/// Writes a subscription in place of what it was.
pub async fn save(
    sns: &State,
    before: &Subscribed,
    record: Subscription,
) -> Result<(), ServiceError> {
    let mut batch = Batch::new();
    let key = (before.topic.key(), before.id.as_str());
    let put = SUBSCRIPTIONS.put(&mut batch, key, &record);
    sns.commit(put.map(|()| batch)).await?;
    let after = Subscribed::new(before.topic.clone(), before.id.clone(), record);
    sns.topics.put_subscription(after);
    Ok(())
}

fn find(
    sns: &State,
    context: &RequestContext,
    text: &str,
    action: &str,
) -> Result<Arc<Subscribed>, ServiceError> {
    let (topic, id) = arn::subscription(text)?;
    let found = sns
        .topics
        .subscription(&topic, &id)
        .ok_or_else(error::subscription_not_found)?;
    if ![topic.account, found.record.owner].contains(&context.account) {
        return Err(error::not_authorized(action, text));
    }
    Ok(found)
}

fn described(one: &Subscribed) -> g::Subscription {
    g::Subscription {
        subscription_arn: Some(if one.record.confirmed {
            one.arn()
        } else {
            "PendingConfirmation".to_owned()
        }),
        owner: Some(one.record.owner.to_string()),
        protocol: Some(one.record.protocol.clone()),
        endpoint: Some(one.record.endpoint.clone()),
        topic_arn: Some(one.topic.arn().to_string()),
    }
}

type Listed = (Option<Vec<g::Subscription>>, Option<String>);

fn listed(all: Vec<Arc<Subscribed>>, token: Option<&str>) -> Result<Listed, ServiceError> {
    let keyed = all
        .into_iter()
        .map(|one| (format!("{}\0{}", one.topic.name, one.id), one));
    let (page, next) = page::cut(keyed, token)?;
    let described = page.iter().map(|(_, one)| described(one));
    Ok((Some(described.collect()), next))
}

pub async fn list(
    sns: State,
    context: RequestContext,
    input: g::ListSubscriptionsInput,
) -> Result<g::ListSubscriptionsResponse, ServiceError> {
    let all = sns.topics.subscriptions_like(&arn::own(&context, ""));
    let (subscriptions, next_token) = listed(all, input.next_token.as_deref())?;
    Ok(g::ListSubscriptionsResponse {
        subscriptions,
        next_token,
    })
}

pub async fn list_by_topic(
    sns: State,
    context: RequestContext,
    input: g::ListSubscriptionsByTopicInput,
) -> Result<g::ListSubscriptionsByTopicResponse, ServiceError> {
    let (id, _) = sns.topic(&context, &input.topic_arn, "ListSubscriptionsByTopic")?;
    let all = sns.topics.subscriptions_of(&id);
    let (subscriptions, next_token) = listed(all, input.next_token.as_deref())?;
    Ok(g::ListSubscriptionsByTopicResponse {
        subscriptions,
        next_token,
    })
}

pub async fn get_attributes(
    sns: State,
    context: RequestContext,
    input: g::GetSubscriptionAttributesInput,
) -> Result<g::GetSubscriptionAttributesResponse, ServiceError> {
    let action = "GetSubscriptionAttributes";
    let found = find(&sns, &context, &input.subscription_arn, action)?;
    let record = &found.record;
    let mut shown = BTreeMap::from(
        [
            ("SubscriptionArn", found.arn()),
            ("TopicArn", found.topic.arn().to_string()),
            ("Owner", record.owner.to_string()),
            ("Protocol", record.protocol.clone()),
            ("Endpoint", record.endpoint.clone()),
            ("PendingConfirmation", (!record.confirmed).to_string()),
            ("ConfirmationWasAuthenticated", record.confirmed.to_string()),
            ("RawMessageDelivery", "false".to_owned()),
            (
                "SubscriptionPrincipal",
                format!("arn:aws:iam::{}:root", record.owner),
            ),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    let set = record
        .attributes
        .iter()
        .filter(|(_, value)| !value.is_empty());
    shown.extend(set.map(|(name, value)| (name.clone(), value.clone())));
    if shown.contains_key("FilterPolicy") {
        let scope = "FilterPolicyScope".to_owned();
        shown.entry(scope).or_insert("MessageAttributes".to_owned());
    }
    Ok(g::GetSubscriptionAttributesResponse {
        attributes: Some(shown),
    })
}

pub async fn set_attributes(
    sns: State,
    context: RequestContext,
    input: g::SetSubscriptionAttributesInput,
) -> Result<Unit, ServiceError> {
    let _one_writer = sns.writer.lock().await;
    let action = "SetSubscriptionAttributes";
    let found = find(&sns, &context, &input.subscription_arn, action)?;
    let mut record = found.record.clone();
    let value = input.attribute_value.unwrap_or_default();
    record.attributes.insert(input.attribute_name, value);
    attributes::check_subscription(&record.attributes, &found.topic, "")?;
    save(&sns, &found, record).await?;
    Ok(Unit {})
}

/// One that is not there is no error. The link in a message may be used by anybody who has it.
pub async fn unsubscribe(
    sns: State,
    context: RequestContext,
    input: g::UnsubscribeInput,
) -> Result<Unit, ServiceError> {
    let (topic, id) = arn::subscription(&input.subscription_arn)?;
    let _one_writer = sns.writer.lock().await;
    let Some(found) = sns.topics.subscription(&topic, &id) else {
        return Ok(Unit {});
    };
    let by_link = matches!(context.origin, Origin::Http { .. })
        && matches!(context.principal, Principal::Root { .. });
    if !by_link && ![topic.account, found.record.owner].contains(&context.account) {
        return Err(error::not_authorized(
            "Unsubscribe",
            &input.subscription_arn,
        ));
    }
    let mut batch = Batch::new();
    SUBSCRIPTIONS.delete(&mut batch, (topic.key(), id.as_str()));
    sns.commit(Ok(batch)).await?;
    sns.topics.remove_subscription(&topic, &id);
    Ok(Unit {})
}
