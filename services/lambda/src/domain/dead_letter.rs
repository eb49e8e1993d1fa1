//! The dead-letter queue or topic of a function.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq>

use base::Arn;
use routing::deliveries::{Attribute, Kind};
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
    match arn.filter(|arn| matches!(Kind::of(arn), Some(Kind::Queue | Kind::Topic))) {
        Some(arn) => Ok(Some(arn)),
        None => Err(error::invalid_parameter(format!(
            "The provided dead letter target ARN {text} is not that of an SQS queue or an SNS \
             topic."
        ))),
    }
}

/// What goes with an event that is given up. `answer` is the function's last one.
pub fn attributes(request_id: &str, answer: Option<&[u8]>) -> Vec<Attribute> {
    let answer: Option<Json> = answer.and_then(|answer| serde_json::from_slice(answer).ok());
    let message = answer
        .as_ref()
        .and_then(|answer| answer.get("errorMessage")?.as_str())
        .filter(|message| !message.is_empty());
    // The function did answer; or it never ran.
    let code = if answer.is_some() { 200 } else { 429 };
    let mut attributes = vec![
        Attribute::text("RequestID", request_id),
        Attribute::number("ErrorCode", code),
    ];
    attributes.extend(message.map(|text| Attribute::text("ErrorMessage", cut(text))));
    attributes
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
        let [id, code, message] = &attributes("id", Some(long.as_bytes()))[..] else {
            panic!("there are three");
        };
        assert_eq!(*id, Attribute::text("RequestID", "id"));
        assert_eq!(*code, Attribute::number("ErrorCode", 200));
        assert_eq!(
            (&*message.name, message.value.len()),
            ("ErrorMessage", 1_024)
        );
        let without = attributes("id", None);
        assert!(without.iter().all(|it| it.name != "ErrorMessage"));
    }
}
