//! Publish.

use std::time::Duration;

use base::Timestamp;
use service::{RequestContext, ServiceError};
use sha2::{Digest as _, Sha256};
use store::{Batch, StoreError};

use super::State;
use super::devices::{self, DeviceId};
use crate::deliver::{self, Order, Outcome, Published};
use crate::domain::endpoint::is_phone_number;
use crate::domain::message::{DEFAULT_MAX_BYTES, Message};
use crate::domain::{arn, attributes};
use crate::error;
use crate::generated as g;
use crate::records::{OUTGOING, Outgoing, TAKEN, Taken, Topic, TopicId};

/// For how long a FIFO topic knows what it has taken.
const REMEMBERED: Duration = Duration::from_mins(5);
/// With each message some older ones are forgotten, more than one so that none stay.
const FORGOTTEN_AT_ONCE: usize = 10;

pub async fn publish(
    sns: State,
    context: RequestContext,
    input: g::PublishInput,
) -> Result<g::PublishResponse, ServiceError> {
    let message = Message::check(
        input.message,
        input.subject,
        input.message_structure.as_deref(),
        input.message_attributes.unwrap_or_default(),
    )?;
    let target = match (input.topic_arn.or(input.target_arn), input.phone_number) {
        (Some(topic), None) => topic,
        (None, Some(number)) => {
            message.check_size(DEFAULT_MAX_BYTES)?;
            return text_message(&sns, &context, number, &message).await;
        }
        _ => {
            return Err(error::invalid(
                "TopicArn or TargetArn Reason: no value for required parameter",
            ));
        }
    };
    if let Some(device) = devices::of_arn(&target) {
        message.check_size(DEFAULT_MAX_BYTES)?;
        return push(&sns, &context, &device, &message).await;
    }
    let (topic, record) = sns.topic_by_id(
        &context,
        arn::topic(&target, "TopicArn or TargetArn")?,
        "Publish",
    )?;
    let ordering = Ordering {
        group: input.message_group_id,
        deduplication: input.message_deduplication_id,
    };
    let sent = send(&sns, &context, (&topic, &record), &message, ordering).await?;
    Ok(g::PublishResponse {
        message_id: Some(sent.message_id),
        sequence_number: sent.sequence.map(deliver::sequence_text),
    })
}

/// As the publisher says it.
pub struct Ordering {
    pub group: Option<String>,
    pub deduplication: Option<String>,
}

pub struct Sent {
    pub message_id: String,
    pub sequence: Option<u64>,
}

/// Takes a checked message: it is durable, with all its deliveries, once this returns.
pub async fn send(
    sns: &State,
    context: &RequestContext,
    (topic, record): (&TopicId, &Topic),
    message: &Message,
    ordering: Ordering,
) -> Result<Sent, ServiceError> {
    message.check_size(attributes::max_message_bytes(&record.attributes))?;
    let authority = context.authority().unwrap_or(&sns.authority);
    let now = sns.clock.now();
    let message_id = uuid::Uuid::new_v4().to_string();
    let mut published = Published {
        topic,
        id: &message_id,
        at: now,
        message,
        order: None,
        authority,
        attributes: &record.attributes,
        signer: sns.signer_for(topic).await?,
        trace: context.trace.as_deref(),
    };
    let Some((group, deduplication)) = order(topic, record, message, ordering)? else {
        commit(sns, &published, Batch::new()).await?;
        return Ok(Sent {
            message_id,
            sequence: None,
        });
    };
    let fifo = sns.topics.fifo(topic);
    let mut fifo = fifo.lock().await;
    let remembered = now - REMEMBERED;
    if let Some(taken) = fifo.taken_since(&deduplication, remembered) {
        return Ok(Sent {
            message_id: taken.message_id.clone(),
            sequence: Some(taken.sequence),
        });
    }
    let sequence = fifo.next_sequence(now);
    published.order = Some(Order {
        group,
        deduplication: deduplication.clone(),
        sequence,
    });
    let taken = Taken {
        at: now,
        message_id: message_id.clone(),
        sequence,
    };
    let mut batch = Batch::new();
    let forgotten = fifo.older(remembered, FORGOTTEN_AT_ONCE);
    for id in &forgotten {
        TAKEN.delete(&mut batch, (topic.key(), id.as_str()));
    }
    TAKEN
        .put(&mut batch, (topic.key(), deduplication.as_str()), &taken)
        .map_err(|error| error::unavailable(&error))?;
    commit(sns, &published, batch).await?;
    for id in &forgotten {
        fifo.forget(id);
    }
    fifo.take(deduplication, taken);
    Ok(Sent {
        message_id: message_id.clone(),
        sequence: Some(sequence),
    })
}

/// Group and deduplication id, for a FIFO topic.
fn order(
    topic: &TopicId,
    record: &Topic,
    message: &Message,
    given: Ordering,
) -> Result<Option<(String, String)>, ServiceError> {
    if !topic.is_fifo() {
        if given.deduplication.is_some() {
            return Err(error::invalid(
                "MessageDeduplicationId Reason: The request includes MessageDeduplicationId \
                 parameter that is not valid for this topic type",
            ));
        }
        return Ok(None);
    }
    let Some(group) = given.group else {
        return Err(error::group_required());
    };
    let by_content = record
        .attributes
        .get("ContentBasedDeduplication")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let deduplication = match given.deduplication {
        Some(id) => id,
        None if by_content => hex::encode(Sha256::digest(message.body())),
        None => {
            return Err(error::invalid(
                "The topic should either have ContentBasedDeduplication enabled or \
                 MessageDeduplicationId provided explicitly",
            ));
        }
    };
    let legal =
        |text: &str| (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if !legal(&group) {
        return Err(error::invalid("MessageGroupId"));
    }
    if !legal(&deduplication) {
        return Err(error::invalid("MessageDeduplicationId"));
    }
    Ok(Some((group, deduplication)))
}

async fn commit(
    sns: &State,
    published: &Published<'_>,
    mut batch: Batch,
) -> Result<(), ServiceError> {
    let subscriptions = sns.topics.subscriptions_of(published.topic);
    let Outcome { parcels, outgoing } = published.to(&subscriptions);
    let staged = write_down(&mut batch, published.topic, published.at, &outgoing)
        .and_then(|()| sns.deliveries.stage(&mut batch, parcels))
        .map_err(|error| error::unavailable(&error))?;
    if !batch.is_empty() {
        sns.commit(Ok(batch)).await?;
    }
    staged.send_off();
    if let Some(onlooker) = &sns.onlooker {
        onlooker.saw(published.seen(&subscriptions));
    }
    Ok(())
}

pub fn write_down(
    batch: &mut Batch,
    topic: &TopicId,
    at: Timestamp,
    outgoing: &[Outgoing],
) -> Result<(), StoreError> {
    for one in outgoing {
        let id = uuid::Uuid::new_v4().to_string();
        let key = (
            topic.account.as_str(),
            topic.region.as_str(),
            at.millis(),
            id,
        );
        tracing::info!(
            protocol = one.protocol,
            endpoint = one.endpoint,
            "a message would leave"
        );
        OUTGOING.put(batch, key, one)?;
    }
    Ok(())
}

async fn text_message(
    sns: &State,
    context: &RequestContext,
    number: String,
    message: &Message,
) -> Result<g::PublishResponse, ServiceError> {
    if !is_phone_number(&number) || !number.starts_with('+') {
        return Err(error::invalid(format!(
            "PhoneNumber Reason: {number} is not valid to publish to"
        )));
    }
    let outgoing = Outgoing {
        protocol: "sms".to_owned(),
        endpoint: number,
        subject: None,
        message: message.body_for("sms").to_owned(),
    };
    leave(sns, context, outgoing).await
}

/// A message for one device.
async fn push(
    sns: &State,
    context: &RequestContext,
    device: &DeviceId,
    message: &Message,
) -> Result<g::PublishResponse, ServiceError> {
    let found = devices::find(sns, context, device).await?;
    if found
        .attributes
        .get("Enabled")
        .is_some_and(|on| on == "false")
    {
        return Err(error::endpoint_disabled());
    }
    let platform = &device.application.platform;
    let outgoing = Outgoing {
        protocol: "application".to_owned(),
        endpoint: device.arn(),
        subject: message.subject.clone(),
        message: message.body_for(platform).to_owned(),
    };
    leave(sns, context, outgoing).await
}

async fn leave(
    sns: &State,
    context: &RequestContext,
    outgoing: Outgoing,
) -> Result<g::PublishResponse, ServiceError> {
    let mut batch = Batch::new();
    let like = arn::own(context, "");
    let put = write_down(&mut batch, &like, sns.clock.now(), &[outgoing]);
    sns.commit(put.map(|()| batch)).await?;
    Ok(g::PublishResponse {
        message_id: Some(uuid::Uuid::new_v4().to_string()),
        sequence_number: None,
    })
}
