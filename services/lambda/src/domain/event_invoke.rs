//! How asynchronous invocations of a function, a version or an alias are handled.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html>

use std::time::Duration;

use base::{Arn, Timestamp};
use routing::async_queue::RetryPolicy;
use routing::deliveries::Kind;
use serde::{Deserialize, Serialize};
use service::ServiceError;

use crate::error;
use crate::generated::{
    DestinationConfig, OnFailure, OnSuccess, PutFunctionEventInvokeConfigRequest,
    UpdateFunctionEventInvokeConfigRequest,
};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventInvoke {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_retry_attempts: Option<u32>,
    /// In seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_event_age: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_success: Option<Arn>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<Arn>,
    pub last_modified: Timestamp,
}

/// What a request sets; `None` is what it leaves out.
pub struct Given<'a> {
    pub maximum_retry_attempts: Option<i32>,
    pub maximum_event_age: Option<i32>,
    pub destinations: Option<&'a DestinationConfig>,
}

impl<'a> From<&'a PutFunctionEventInvokeConfigRequest> for Given<'a> {
    fn from(input: &'a PutFunctionEventInvokeConfigRequest) -> Self {
        Self {
            maximum_retry_attempts: input.maximum_retry_attempts,
            maximum_event_age: input.maximum_event_age_in_seconds,
            destinations: input.destination_config.as_ref(),
        }
    }
}

impl<'a> From<&'a UpdateFunctionEventInvokeConfigRequest> for Given<'a> {
    fn from(input: &'a UpdateFunctionEventInvokeConfigRequest) -> Self {
        Self {
            maximum_retry_attempts: input.maximum_retry_attempts,
            maximum_event_age: input.maximum_event_age_in_seconds,
            destinations: input.destination_config.as_ref(),
        }
    }
}

impl Given<'_> {
    /// The configuration with this, in the place of `before` or out of nothing. The model has
    /// checked the numbers.
    ///
    /// # Errors
    /// Nothing is set, or a destination is of no kind that fits.
    pub fn applied_to(
        &self,
        before: Option<&EventInvoke>,
        now: Timestamp,
    ) -> Result<EventInvoke, ServiceError> {
        if self.maximum_retry_attempts.is_none()
            && self.maximum_event_age.is_none()
            && self.destinations.is_none()
        {
            return Err(error::invalid_parameter(
                "You must specify at least one of error handling or destination setting.",
            ));
        }
        let kept = |pick: fn(&EventInvoke) -> Option<u32>| before.and_then(pick);
        let (on_success, on_failure) = match self.destinations {
            Some(config) => destinations(config)?,
            None => before.map_or((None, None), |before| {
                (before.on_success.clone(), before.on_failure.clone())
            }),
        };
        let retries = self.maximum_retry_attempts.map(i32::unsigned_abs);
        let age = self.maximum_event_age.map(i32::unsigned_abs);
        Ok(EventInvoke {
            maximum_retry_attempts: retries.or_else(|| kept(|it| it.maximum_retry_attempts)),
            maximum_event_age: age.or_else(|| kept(|it| it.maximum_event_age)),
            on_success,
            on_failure,
            last_modified: now,
        })
    }
}

impl EventInvoke {
    pub fn policy(&self) -> RetryPolicy {
        let default = RetryPolicy::default();
        let age = self.maximum_event_age;
        RetryPolicy {
            maximum_retry_attempts: self
                .maximum_retry_attempts
                .unwrap_or(default.maximum_retry_attempts),
            maximum_event_age: age.map_or(default.maximum_event_age, |seconds| {
                Duration::from_secs(seconds.into())
            }),
        }
    }

    pub fn destinations(&self) -> impl Iterator<Item = &Arn> {
        self.on_success.iter().chain(&self.on_failure)
    }

    pub fn shown_destinations(&self) -> DestinationConfig {
        let text = |arn: &Option<Arn>| arn.as_ref().map(Arn::to_string);
        DestinationConfig {
            on_success: Some(OnSuccess {
                destination: text(&self.on_success),
            }),
            on_failure: Some(OnFailure {
                destination: text(&self.on_failure),
            }),
        }
    }
}

fn destinations(config: &DestinationConfig) -> Result<(Option<Arn>, Option<Arn>), ServiceError> {
    let success = config.on_success.as_ref();
    let success = success.and_then(|it| it.destination.as_deref());
    let failure = config.on_failure.as_ref();
    let failure = failure.and_then(|it| it.destination.as_deref());
    let (success, failure) = (given(success), given(failure));
    let read = |text: Option<&str>, takes: fn(Kind) -> bool| match text {
        None => Some(None),
        Some(text) => {
            let arn: Arn = text.parse().ok()?;
            Kind::of(&arn).filter(|kind| takes(*kind))?;
            Some(Some(arn))
        }
    };
    let read = read(success, |kind| kind != Kind::Bucket).zip(read(failure, |_| true));
    read.ok_or_else(|| {
        let part = |name: &str, text: Option<&str>| match text {
            Some(text) => format!("{name}(destination={text})"),
            None => "null".to_owned(),
        };
        error::invalid_parameter(format!(
            "The provided destination config DestinationConfig(onSuccess={}, onFailure={}) is \
             invalid.",
            part("OnSuccess", success),
            part("OnFailure", failure)
        ))
    })
}

/// An empty ARN takes the destination away.
fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

    fn config(success: Option<&str>, failure: Option<&str>) -> DestinationConfig {
        DestinationConfig {
            on_success: success.map(|arn| OnSuccess {
                destination: Some(arn.to_owned()),
            }),
            on_failure: failure.map(|arn| OnFailure {
                destination: Some(arn.to_owned()),
            }),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let destinations = config(None, Some(QUEUE));
        let put = Given {
            maximum_retry_attempts: Some(0),
            maximum_event_age: None,
            destinations: Some(&destinations),
        };
        let first = put.applied_to(None, at(1)).unwrap();
        assert_eq!(first.policy().maximum_retry_attempts, 0);
        assert_eq!(first.policy().maximum_event_age.as_secs(), 21_600);
        let update = Given {
            maximum_retry_attempts: None,
            maximum_event_age: Some(60),
            destinations: None,
        };
        let second = update.applied_to(Some(&first), at(2)).unwrap();
        assert_eq!(
            second,
            EventInvoke {
                maximum_event_age: Some(60),
                last_modified: at(2),
                ..first
            }
        );
        let nothing = Given {
            maximum_event_age: None,
            ..update
        };
        assert!(nothing.applied_to(Some(&second), at(3)).is_err());
    }

    #[test]
    fn a_bucket_takes_failures_only() {
        let bucket = "arn:aws:s3:::bucket";
        assert!(destinations(&config(Some(QUEUE), Some(bucket))).is_ok());
        let refused = destinations(&config(Some(bucket), None)).unwrap_err();
        assert_eq!(
            refused.message,
            "The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=\
             arn:aws:s3:::bucket), onFailure=null) is invalid."
        );
        assert_eq!(destinations(&config(Some(""), None)).unwrap(), (None, None));
    }
}
