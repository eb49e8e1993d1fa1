//! The dead-letter queue or topic of a function.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq>

use std::collections::BTreeMap;

use base::Arn;
use routing::outbox::{Attribute, Target};
use serde_json::Value as Json;
use service::ServiceError;

use crate::error;
use crate::generated::DeadLetterConfig;

/// Longest error message among the attributes, in bytes.
const MAX_ERROR_MESSAGE: usize = 1_024;

/// `None` where an empty ARN takes the target away.
///
/// # Errors
/// Neither a queue nor a topic. FIFO ones are taken, as on Lambda, and nothing arrives there.
pub fn target(config: Option<&DeadLetterConfig>) -> Result<Option<Arn>, ServiceError> {
    let given = config.and_then(|config| config.target_arn.as_deref());
    let Some(text) = given.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let arn: Option<Arn> = text.parse().ok();
    match arn.filter(|arn| matches!(Target::of(arn), Some(Target::Queue | Target::Topic))) {
        Some(arn) => Ok(Some(arn)),
        None => Err(error::invalid_parameter(format!(
            "The provided dead letter target ARN {text} is not that of an SQS queue or an SNS \
             topic."
        ))),
    }
}

/// What goes with an event that is given up. `answer` is the function's last one.
pub fn attributes(request_id: &str, answer: Option<&[u8]>) -> BTreeMap<String, Attribute> {
    let answer: Option<Json> = answer.and_then(|answer| serde_json::from_slice(answer).ok());
    let message = answer
        .as_ref()
        .and_then(|answer| answer.get("errorMessage")?.as_str())
        .filter(|message| !message.is_empty());
    let attributes = [
        ("RequestID", Some(Attribute::text(request_id))),
        // The function did answer; or it never ran.
        (
            "ErrorCode",
            Some(Attribute::number(if answer.is_some() { 200 } else { 429 })),
        ),
        (
            "ErrorMessage",
            message.map(|text| Attribute::text(cut(text))),
        ),
    ];
    attributes
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

fn cut(message: &str) -> &str {
    &message[..message.floor_char_boundary(MAX_ERROR_MESSAGE)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(arn: &str) -> Result<Option<Arn>, ServiceError> {
        target(Some(&DeadLetterConfig {
            target_arn: Some(arn.to_owned()),
        }))
    }

    #[test]
    fn a_target_is_a_queue_or_a_topic() {
        assert!(
            given("arn:aws:sqs:us-east-1:000000000000:q")
                .unwrap()
                .is_some()
        );
        assert!(
            given("arn:aws:sns:us-east-1:000000000000:t")
                .unwrap()
                .is_some()
        );
        assert_eq!(given("").unwrap(), None);
        assert!(given("arn:aws:s3:::bucket").is_err());
    }

    #[test]
    fn the_attributes_say_what_the_function_said() {
        let long = format!(r#"{{"errorMessage":"{}"}}"#, "é".repeat(600));
        let attributes = attributes("id", Some(long.as_bytes()));
        assert_eq!(attributes["RequestID"], Attribute::text("id"));
        assert_eq!(attributes["ErrorCode"], Attribute::number(200));
        assert_eq!(attributes["ErrorMessage"].value.len(), 1_024);
        let without = super::attributes("id", None);
        assert!(!without.contains_key("ErrorMessage"));
    }
}
