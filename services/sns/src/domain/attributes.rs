//! Which attributes topics and subscriptions have, and what they may be.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use base::Arn;
use serde_json::{Value, json};
use service::ServiceError;

use super::arn::is_fifo;
use super::message::DEFAULT_MAX_BYTES;
use super::{delivery_policy, filter};
use crate::error;
use crate::records::TopicId;

const MAXIMUM_MESSAGE_SIZE: &str = "MaximumMessageSize";
const MESSAGE_SIZES: RangeInclusive<usize> = 1_024..=1_048_576;
/// Subscriptions of a topic whose messages may be larger than by default.
const MOST_SUBSCRIPTIONS_OF_LARGE: usize = 100;

/// Bytes that a message to a topic, or a batch of them, may have.
///
/// <https://docs.aws.amazon.com/sns/latest/dg/large-message-payloads.html>
pub fn max_message_bytes(attributes: &BTreeMap<String, String>) -> usize {
    attributes
        .get(MAXIMUM_MESSAGE_SIZE)
        .and_then(|size| size.parse().ok())
        .unwrap_or(DEFAULT_MAX_BYTES)
}

/// Checks that a topic may have these subscriptions, by their protocols: not all can take large
/// messages.
pub fn check_subscribers<'a>(
    attributes: &BTreeMap<String, String>,
    protocols: impl IntoIterator<Item = &'a str>,
) -> Result<(), ServiceError> {
    if max_message_bytes(attributes) <= DEFAULT_MAX_BYTES {
        return Ok(());
    }
    let mut count = 0;
    for protocol in protocols {
        count += 1;
        if !["sqs", "lambda", "firehose"].contains(&protocol) {
            return Err(error::invalid(format!(
                "{MAXIMUM_MESSAGE_SIZE} Reason: Topics with a {MAXIMUM_MESSAGE_SIZE} above \
                 {DEFAULT_MAX_BYTES} do not support subscriptions with protocol {protocol}"
            )));
        }
    }
    if count > MOST_SUBSCRIPTIONS_OF_LARGE {
        return Err(error::invalid(format!(
            "{MAXIMUM_MESSAGE_SIZE} Reason: Topics with a {MAXIMUM_MESSAGE_SIZE} above \
             {DEFAULT_MAX_BYTES} support up to {MOST_SUBSCRIPTIONS_OF_LARGE} subscriptions"
        )));
    }
    Ok(())
}

/// What may be set on a topic; delivery status logging is kept as set.
fn is_topic_attribute(name: &str) -> bool {
    let feedback = [
        "SuccessFeedbackRoleArn",
        "SuccessFeedbackSampleRate",
        "FailureFeedbackRoleArn",
    ];
    matches!(
        name,
        "DisplayName"
            | "Policy"
            | "DeliveryPolicy"
            | "KmsMasterKeyId"
            | "SignatureVersion"
            | "TracingConfig"
            | "FifoTopic"
            | "ContentBasedDeduplication"
            | "FifoThroughputScope"
            | "ArchivePolicy"
            | MAXIMUM_MESSAGE_SIZE
    ) || feedback.iter().any(|suffix| name.ends_with(suffix))
}

/// Checks one attribute of a topic.
pub fn check_topic(name: &str, value: &str, is_fifo: bool) -> Result<(), ServiceError> {
    if !is_topic_attribute(name) {
        return Err(error::invalid("AttributeName"));
    }
    if name == "ArchivePolicy" && !value.is_empty() {
        return Err(ServiceError::not_implemented("SNS's", "ArchivePolicy"));
    }
    let reason = |text: &str| error::invalid(format!("Attributes Reason: {name}: {text}"));
    match name {
        "FifoTopic" | "ContentBasedDeduplication" => {
            if !is_fifo && name == "ContentBasedDeduplication" {
                return Err(error::invalid(
                    "Content-based deduplication can only be set for FIFO topics",
                ));
            }
            check_boolean(name, value, "Attributes Reason: ")
        }
        "DeliveryPolicy" if !value.is_empty() => delivery_policy::check(value, true)
            .map_err(|why| error::invalid(format!("DeliveryPolicy: {why}"))),
        "Policy" if !value.is_empty() => match serde_json::from_str::<Value>(value) {
            Ok(Value::Object(_)) => Ok(()),
            _ => Err(error::invalid(format!(
                "{name}: failed to parse JSON. Unexpected token"
            ))),
        },
        "SignatureVersion" if !["1", "2"].contains(&value) => Err(reason("Invalid value")),
        "TracingConfig" if !["PassThrough", "Active"].contains(&value) => {
            Err(reason("Invalid value"))
        }
        MAXIMUM_MESSAGE_SIZE
            if !value
                .parse()
                .is_ok_and(|size| MESSAGE_SIZES.contains(&size)) =>
        {
            Err(reason(
                "Invalid value. Must be an integer from 1024 to 1048576",
            ))
        }
        "DisplayName" if value.chars().count() > 100 => Err(error::invalid("DisplayName")),
        _ => Ok(()),
    }
}

fn check_boolean(name: &str, value: &str, prefix: &str) -> Result<(), ServiceError> {
    if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") {
        return Ok(());
    }
    Err(error::invalid(format!(
        "{prefix}{name}: Invalid value [{value}]. Must be true or false."
    )))
}

/// Checks all attributes of a subscription. `prefix` is what stands before a reason.
pub fn check_subscription(
    attributes: &BTreeMap<String, String>,
    topic: &TopicId,
    prefix: &str,
) -> Result<(), ServiceError> {
    for (name, value) in attributes {
        let invalid = |text: &str| error::invalid(format!("{prefix}{name}: {text}"));
        match name.as_str() {
            "RawMessageDelivery" => check_boolean(name, value, prefix)?,
            "FilterPolicyScope" => {
                if !["MessageAttributes", "MessageBody"].contains(&value.as_str()) {
                    return Err(invalid(&format!(
                        "Invalid value [{value}]. Please use either MessageBody or \
                         MessageAttributes"
                    )));
                }
            }
            "RedrivePolicy" | "DeliveryPolicy" if value.is_empty() => {}
            "RedrivePolicy" => {
                let queue = dead_letters(value).ok_or_else(|| invalid("failed to parse JSON."))?;
                if queue.service != "sqs" {
                    return Err(invalid("deadLetterTargetArn is an invalid arn"));
                }
                if is_fifo(&queue.resource) != topic.is_fifo() {
                    return Err(invalid(
                        "must use a FIFO dead-letter queue with a FIFO topic, and a standard one \
                         with a standard topic",
                    ));
                }
            }
            "DeliveryPolicy" => {
                delivery_policy::check(value, false).map_err(|why| invalid(&why))?;
            }
            "FilterPolicy" | "SubscriptionRoleArn" => {}
            _ => return Err(error::invalid("AttributeName")),
        }
    }
    filter::check(attributes, prefix)
}

/// The queue that a redrive policy names.
pub fn dead_letters(policy: &str) -> Option<Arn> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    policy.get("deadLetterTargetArn")?.as_str()?.parse().ok()
}

/// The policy of a topic whose owner has set none: only the owner.
pub fn default_policy(topic: &TopicId) -> Value {
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Effect": "Allow",
            "Sid": "__default_statement_ID",
            "Principal": {"AWS": "*"},
            "Action": [
                "SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission",
                "SNS:RemovePermission", "SNS:DeleteTopic", "SNS:Subscribe",
                "SNS:ListSubscriptionsByTopic", "SNS:Publish"
            ],
            "Resource": topic.arn().to_string(),
            "Condition": {"StringEquals": {"AWS:SourceOwner": topic.account.as_str()}}
        }]
    })
}

/// How HTTP endpoints are tried again where nothing else is set.
pub fn default_delivery_policy() -> Value {
    json!({
        "defaultHealthyRetryPolicy": {
            "minDelayTarget": 20, "maxDelayTarget": 20, "numRetries": 3,
            "numMaxDelayRetries": 0, "numNoDelayRetries": 0, "numMinDelayRetries": 0,
            "backoffFunction": "linear"
        },
        "disableSubscriptionOverrides": false,
        "defaultRequestPolicy": {"headerContentType": "text/plain; charset=UTF-8"}
    })
}
