//! Where a subscription may lead.

use base::Arn;
use service::ServiceError;

use super::arn::is_fifo;
use crate::error;

const PROTOCOLS: [&str; 9] = [
    "http",
    "https",
    "email",
    "email-json",
    "sms",
    "sqs",
    "application",
    "lambda",
    "firehose",
];

/// Checks protocol and endpoint against each other and against the kind of topic.
pub fn check(protocol: &str, endpoint: &str, topic_is_fifo: bool) -> Result<(), ServiceError> {
    if !PROTOCOLS.contains(&protocol) {
        return Err(error::invalid(format!(
            "Amazon SNS does not support this protocol string: {protocol}"
        )));
    }
    if endpoint.is_empty() {
        return Err(error::invalid("Endpoint"));
    }
    if topic_is_fifo && protocol != "sqs" {
        return Err(error::invalid(format!(
            "Invalid parameter: Endpoint Reason: FIFO topics can not deliver to {protocol} endpoints"
        )));
    }
    let arn = |service: &str| {
        endpoint
            .parse::<Arn>()
            .ok()
            .filter(|arn| arn.service == service)
    };
    match protocol {
        "sqs" => match arn("sqs") {
            None => Err(error::invalid("SQS endpoint ARN")),
            Some(queue) if is_fifo(&queue.resource) && !topic_is_fifo => Err(error::invalid(
                "Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed \
                     to standard SNS topics",
            )),
            Some(_) => Ok(()),
        },
        "lambda" if arn("lambda").is_none() => Err(error::invalid("Lambda endpoint ARN")),
        "application" if arn("sns").is_none() => {
            Err(error::invalid("ApplicationPlatform endpoint ARN"))
        }
        "firehose" => Err(ServiceError::not_implemented("SNS delivery to", "Firehose")),
        "http" | "https" if !endpoint.starts_with(&format!("{protocol}://")) => {
            Err(error::invalid("Endpoint must match the specified protocol"))
        }
        "http" | "https" if endpoint.parse::<http::Uri>().is_err() => {
            Err(error::invalid("Endpoint"))
        }
        "email" | "email-json" if !endpoint.contains('@') => Err(error::invalid("Email address")),
        "sms" if !is_phone_number(endpoint) => {
            Err(error::invalid(format!("Invalid SMS endpoint: {endpoint}")))
        }
        _ => Ok(()),
    }
}

/// E.164, with the separators that people write between digits, one at a time.
pub fn is_phone_number(text: &str) -> bool {
    let number = text.strip_prefix('+').unwrap_or(text);
    let digits = number.chars().filter(char::is_ascii_digit).count();
    (5..=20).contains(&digits)
        && number
            .split(['-', '.', '/', ' ', '(', ')'])
            .all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
}

/// Whether the endpoint's owner has to confirm.
pub fn wants_confirmation(protocol: &str) -> bool {
    matches!(protocol, "http" | "https" | "email" | "email-json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephone_numbers_have_single_separators_between_digits() {
        for good in [
            "+15551234567",
            "+1-555-123-4567",
            "1.555.1234567",
            "555/1234567",
        ] {
            assert!(is_phone_number(good), "{good}");
        }
        for bad in [
            "+15--551234567",
            "+15551234567.",
            "/+15551234567",
            "NAA+15551234567",
            "+1",
            "",
        ] {
            assert!(!is_phone_number(bad), "{bad}");
        }
    }
}
