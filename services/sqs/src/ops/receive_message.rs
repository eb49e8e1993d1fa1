//! ReceiveMessage. What it takes and how it hides it is in `domain/visibility.rs`; how it waits, in
//! `queue/receive.rs`.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use service::{RequestContext, ServiceError};

use crate::domain::attributes::QueueAttributes;
use crate::domain::message_attributes::{AttributeValue, Base64, Content, select};
use crate::domain::send::check_id;
use crate::domain::system_attributes::Wanted;
use crate::domain::{digest, sequence};
use crate::generated::{
    Message, MessageAttributeValue, ReceiveMessageRequest, ReceiveMessageResult,
};
use crate::queue::{Delivered, ReceiveRequest};
use crate::{Sqs, error};

/// Receives up to ten messages and hides them; waits for the first if asked to.
pub async fn receive_message(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: ReceiveMessageRequest,
) -> Result<ReceiveMessageResult, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    let wanted = Wanted::parse(
        input
            .message_system_attribute_names
            .clone()
            .unwrap_or_default(),
        input.attribute_names.clone().unwrap_or_default(),
    )?;
    let request = request(&input, &queue.record().attributes)?;
    let delivered = queue.receive(request, &sqs.queues).await?;
    let names = input.message_attribute_names.unwrap_or_default();
    let messages: Vec<Message> = delivered
        .iter()
        .map(|delivered| message(delivered, &wanted, &names))
        .collect();
    Ok(ReceiveMessageResult {
        messages: (!messages.is_empty()).then_some(messages),
    })
}

/// Checks the numbers of a request; what it leaves out is the queue's.
fn request(
    input: &ReceiveMessageRequest,
    queue: &QueueAttributes,
) -> Result<ReceiveRequest, ServiceError> {
    let max = bounded(
        input.max_number_of_messages,
        1,
        1,
        10,
        "MaxNumberOfMessages",
        "Must be between 1 and 10, if provided.",
    )?;
    let hide = bounded(
        input.visibility_timeout,
        queue.visibility_timeout,
        0,
        43_200,
        "VisibilityTimeout",
        "Must be >= 0 and <= 43200, if provided.",
    )?;
    let wait = bounded(
        input.wait_time_seconds,
        queue.receive_message_wait_time_seconds,
        0,
        20,
        "WaitTimeSeconds",
        "Must be >= 0 and <= 20, if provided.",
    )?;
    let attempt = input
        .receive_request_attempt_id
        .clone()
        .filter(|_| queue.fifo);
    check_id("ReceiveRequestAttemptId", attempt.as_deref())?;
    Ok(ReceiveRequest {
        max: max as usize,
        hide: Duration::from_secs(hide.into()),
        wait: Duration::from_secs(wait.into()),
        attempt,
    })
}

fn bounded(
    given: Option<i32>,
    default: u32,
    low: i32,
    high: i32,
    parameter: &str,
    reason: &str,
) -> Result<u32, ServiceError> {
    match given {
        None => Ok(default),
        Some(value) if (low..=high).contains(&value) => Ok(value.unsigned_abs()),
        Some(value) => Err(error::invalid_parameter(value, parameter, reason)),
    }
}

fn message(delivered: &Delivered, wanted: &Wanted, names: &[String]) -> Message {
    let content = &delivered.message;
    let attributes = select(&content.attributes, names);
    let system = system_attributes(delivered, wanted);
    Message {
        message_id: Some(content.id.clone()),
        receipt_handle: Some(delivered.receipt.handle()),
        md5_of_body: Some(content.body_digest.clone()),
        body: Some(content.body.clone()),
        attributes: (!system.is_empty()).then_some(system),
        // Of the attributes in this answer, so that a client can check it.
        md5_of_message_attributes: digest::of_attributes(&attributes),
        message_attributes: (!attributes.is_empty()).then(|| {
            attributes
                .into_iter()
                .map(|(name, value)| (name, attribute(value)))
                .collect()
        }),
    }
}

fn system_attributes(delivered: &Delivered, wanted: &Wanted) -> BTreeMap<String, String> {
    let content = &delivered.message;
    let receives = &delivered.receives;
    // A standard queue's message may have a group (fair queues) but no sequence number.
    let sequence_number = content
        .deduplication_id
        .as_ref()
        .map(|_| sequence::printed(delivered.sequence));
    let source = content.dead_letter_source.as_ref();
    [
        ("SenderId", Some(content.sender_id.clone())),
        ("SentTimestamp", Some(content.sent_at.millis().to_string())),
        ("ApproximateReceiveCount", Some(receives.count.to_string())),
        (
            "ApproximateFirstReceiveTimestamp",
            receives.first.map(|at| at.millis().to_string()),
        ),
        ("SequenceNumber", sequence_number),
        ("MessageDeduplicationId", content.deduplication_id.clone()),
        ("MessageGroupId", content.group_id.clone()),
        ("AWSTraceHeader", content.trace_header.clone()),
        ("DeadLetterQueueSourceArn", source.map(ToString::to_string)),
    ]
    .into_iter()
    .filter(|(name, _)| wanted.wants(name))
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}

fn attribute(value: AttributeValue) -> MessageAttributeValue {
    let (string_value, binary_value) = match value.content {
        Content::Text(text) => (Some(text), None),
        Content::Binary(Base64(bytes)) => (None, Some(bytes)),
    };
    MessageAttributeValue {
        data_type: value.data_type,
        string_value,
        binary_value,
        ..MessageAttributeValue::default()
    }
}
