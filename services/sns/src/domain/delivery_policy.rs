//! How web endpoints are tried again: by the policy of the subscription, or else the topic's.
//!
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>

use routing::deliveries::{BackOff, Phases, Retry};
use serde_json::Value;

/// An endpoint outside gets three more attempts, 20 seconds apart.
const DEFAULT: Retry = Retry {
    attempts: 3,
    max_age_seconds: 3_600,
    first_pause_millis: 20_000,
    longest_pause_millis: 20_000,
    phases: None,
    insists: false,
};
const MOST_RETRIES: u64 = 100;
const LONGEST_DELAY: u64 = 3_600;

#[derive(Clone, Debug, PartialEq)]
pub struct Effective {
    pub retry: Retry,
    /// Messages a second.
    pub per_second: Option<u32>,
    pub content_type: Option<String>,
}

/// What holds for a subscription. Both policies have been checked.
pub fn effective(topic: Option<&str>, subscription: Option<&str>) -> Effective {
    let parse = |text: Option<&str>| serde_json::from_str::<Value>(text?).ok();
    let topic = parse(topic).and_then(|mut policy| policy.get_mut("http").map(Value::take));
    let topic = topic.unwrap_or_default();
    let own = parse(subscription)
        .filter(|_| topic["disableSubscriptionOverrides"] != true)
        .unwrap_or_default();
    let part = |name: &str, default: &str| match &own[name] {
        Value::Null => topic[default].clone(),
        given => given.clone(),
    };
    let throttle = part("throttlePolicy", "defaultThrottlePolicy");
    let request = part("requestPolicy", "defaultRequestPolicy");
    Effective {
        retry: retry(&part("healthyRetryPolicy", "defaultHealthyRetryPolicy")),
        per_second: throttle["maxReceivesPerSecond"]
            .as_u64()
            .and_then(|rate| u32::try_from(rate).ok())
            .filter(|rate| *rate > 0),
        content_type: request["headerContentType"].as_str().map(str::to_owned),
    }
}

fn retry(policy: &Value) -> Retry {
    if !policy.is_object() {
        return DEFAULT;
    }
    let number = |name: &str| policy[name].as_u64();
    let count = |name: &str| number(name).unwrap_or(0).min(MOST_RETRIES) as u32;
    let seconds = |name: &str| number(name).map(|seconds| seconds.min(LONGEST_DELAY) * 1_000);
    let first = seconds("minDelayTarget").unwrap_or(DEFAULT.first_pause_millis);
    let longest = seconds("maxDelayTarget").unwrap_or(DEFAULT.longest_pause_millis);
    let attempts =
        number("numRetries").map_or(DEFAULT.attempts, |all| all.min(MOST_RETRIES) as u32);
    Retry {
        attempts,
        max_age_seconds: DEFAULT.max_age_seconds,
        first_pause_millis: first,
        longest_pause_millis: longest.max(first),
        phases: Some(Phases {
            at_once: count("numNoDelayRetries"),
            first: count("numMinDelayRetries"),
            last: count("numMaxDelayRetries"),
            back_off: match policy["backoffFunction"].as_str() {
                Some("arithmetic") => BackOff::Arithmetic,
                Some("geometric") => BackOff::Geometric,
                Some("exponential") => BackOff::Exponential,
                _ => BackOff::Linear,
            },
        }),
        insists: false,
    }
}

/// Checks a policy; the error says what is wrong.
pub fn check(text: &str, of_topic: bool) -> Result<(), String> {
    let policy: Value =
        serde_json::from_str(text).map_err(|_| "failed to parse JSON.".to_owned())?;
    if !policy.is_object() {
        return Err("failed to parse JSON.".to_owned());
    }
    let (part, name) = if of_topic {
        (&policy["http"], "defaultHealthyRetryPolicy")
    } else {
        (&policy, "healthyRetryPolicy")
    };
    let healthy = &part[name];
    if healthy.is_null() {
        return Ok(());
    }
    let number = |name: &str, most: u64| match &healthy[name] {
        Value::Null => Ok(None),
        value => match value.as_u64().filter(|number| *number <= most) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("{name} must be between 0 and {most}")),
        },
    };
    let first = number("minDelayTarget", LONGEST_DELAY)?;
    let longest = number("maxDelayTarget", LONGEST_DELAY)?;
    if let (Some(first), Some(longest)) = (first, longest)
        && first > longest
    {
        return Err("maxDelayTarget must be greater than or equal to minDelayTarget".to_owned());
    }
    let all = number("numRetries", MOST_RETRIES)?.unwrap_or(3);
    let mut parts = 0;
    for name in [
        "numNoDelayRetries",
        "numMinDelayRetries",
        "numMaxDelayRetries",
    ] {
        parts += number(name, MOST_RETRIES)?.unwrap_or(0);
    }
    if parts > all {
        return Err("numRetries must be at least the sum of the retries of all phases".to_owned());
    }
    let functions = ["linear", "arithmetic", "geometric", "exponential"];
    match healthy["backoffFunction"].as_str() {
        Some(name) if !functions.contains(&name) => {
            Err("backoffFunction must be linear, arithmetic, geometric or exponential".to_owned())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_overrides_its_topic_unless_that_forbids_it() {
        let topic = r#"{"http": {"defaultHealthyRetryPolicy": {"numRetries": 7},
            "defaultThrottlePolicy": {"maxReceivesPerSecond": 5}}}"#;
        let own = r#"{"healthyRetryPolicy": {"numRetries": 2, "numNoDelayRetries": 1},
            "requestPolicy": {"headerContentType": "application/json"}}"#;
        let both = effective(Some(topic), Some(own));
        assert_eq!(both.retry.attempts, 2);
        assert_eq!(both.per_second, Some(5));
        assert_eq!(both.content_type.as_deref(), Some("application/json"));
        let strict = topic.replace(
            r#"{"http": {"#,
            r#"{"http": {"disableSubscriptionOverrides": true, "#,
        );
        assert_eq!(effective(Some(&strict), Some(own)).retry.attempts, 7);
        assert_eq!(effective(None, None).retry, DEFAULT);
    }

    #[test]
    fn what_does_not_hold_together_is_refused() {
        for bad in [
            "[]",
            r#"{"healthyRetryPolicy": {"numRetries": 101}}"#,
            r#"{"healthyRetryPolicy": {"minDelayTarget": 9, "maxDelayTarget": 8}}"#,
            r#"{"healthyRetryPolicy": {"numRetries": 1, "numMaxDelayRetries": 2}}"#,
            r#"{"healthyRetryPolicy": {"backoffFunction": "cubic"}}"#,
        ] {
            assert!(check(bad, false).is_err(), "{bad}");
        }
        assert_eq!(
            check(r#"{"healthyRetryPolicy": {"numRetries": 100}}"#, false),
            Ok(())
        );
    }
}
