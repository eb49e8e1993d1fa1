//! What is delivered, where to, and how often it is tried.

use std::time::Duration;

use base::{AccountId, Arn, Region, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use service::Reach;

use super::web::HttpParts;

/// One message for one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parcel {
    pub target: Target,
    pub body: String,
    pub source: Source,
    /// Parcels for one target with the same text are handed over one after another, as accepted.
    pub order: Option<String>,
    pub retry: Retry,
    pub dead_letter: Option<DeadLetter>,
    pub accepted_at: Timestamp,
    /// At most so many parcels a second go to its target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// `X-Amzn-Trace-Id` of what caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

/// In whose name it is delivered: the resource, such as a topic or a rule, and its account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    pub arn: Arn,
    pub account: AccountId,
    pub region: Region,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Invoked asynchronously with the body as event.
    Function(Arn),
    /// Gets the body as message.
    Queue {
        queue: Arn,
        group: Option<String>,
        deduplication: Option<String>,
        attributes: Vec<Attribute>,
    },
    /// Gets the body as event, in a stream of its own.
    LogGroup(Arn),
    /// Gets the body as detail of an event.
    EventBus {
        /// Where there is none, the default bus of the source's account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bus: Option<Arn>,
        source: String,
        detail_type: String,
        resources: Vec<Arn>,
        time: Timestamp,
    },
    /// The body, a JSON object, is the input of an operation.
    Call {
        service: String,
        operation: String,
        /// Of the resource that is called, for the lane.
        arn: String,
        #[serde(default, skip_serializing_if = "Reach::is_anywhere")]
        reach: Reach,
    },
    /// Gets the body by POST, where nothing else is said.
    Web {
        url: String,
        headers: Vec<(String, String)>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        method: Option<String>,
        #[serde(default, skip_serializing_if = "Reach::is_anywhere")]
        reach: Reach,
    },
    /// Gets the body by a request that its service completes.
    Endpoint { arn: String, parts: HttpParts },
    /// A kind of target that this server does not have; the text says which.
    Nowhere(String),
    /// A target that has refused already, and why, in the words of dead letters.
    Refused { code: String, message: String },
}

/// A message attribute, as SQS has them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    pub name: String,
    /// Such as `String` or `Number.int`.
    pub kind: String,
    /// In base64 where the kind is `Binary`.
    pub value: String,
}

/// When to try again, and when no more.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// After the first attempt.
    pub attempts: u32,
    pub max_age_seconds: u64,
    /// Pauses double from the first to the longest, each with jitter.
    pub first_pause_millis: u64,
    pub longest_pause_millis: u64,
    /// Where they do not just double.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phases: Option<Phases>,
    /// Whether what a target says it will never take is tried again all the same.
    #[serde(default)]
    pub insists: bool,
}

/// How SNS spaces the attempts at a web endpoint, besides those that back off.
///
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phases {
    /// Retries without a pause, before all others.
    pub at_once: u32,
    /// Then retries with the first pause.
    pub first: u32,
    /// Retries with the longest pause, after all others.
    pub last: u32,
    pub back_off: BackOff,
}

/// How pauses grow from the first to the longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackOff {
    Linear,
    Arithmetic,
    Geometric,
    Exponential,
}

impl Retry {
    /// The pause before retry number `retry`, from zero.
    pub fn phased(&self, phases: Phases, retry: u32) -> Duration {
        let millis = |number: f64| Duration::from_secs_f64(number / 1_000.0);
        let (low, high) = (
            self.first_pause_millis as f64,
            self.longest_pause_millis as f64,
        );
        let Some(retry) = retry.checked_sub(phases.at_once) else {
            return Duration::ZERO;
        };
        let Some(retry) = retry.checked_sub(phases.first) else {
            return millis(low);
        };
        let fixed = phases.at_once + phases.first + phases.last;
        let growing = self.attempts.saturating_sub(fixed);
        if retry >= growing {
            return millis(high);
        }
        let along = f64::from(retry + 1) / f64::from(growing);
        millis(match phases.back_off {
            BackOff::Linear => low + (high - low) * along,
            BackOff::Arithmetic => low + (high - low) * along * along,
            BackOff::Geometric => low.max(1.0) * (high.max(1.0) / low.max(1.0)).powf(along),
            BackOff::Exponential => low + (high - low) * ((along * 10.0).exp2() - 1.0) / 1_023.0,
        })
    }
}

impl Retry {
    /// As Lambda does with what it tells of invocations: for a day, until it arrives.
    pub const LAMBDA: Self = Self {
        attempts: u32::MAX,
        longest_pause_millis: 300_000,
        ..Self::EVENTS
    };

    /// As EventBridge does where nothing else is said: for a day, 185 times.
    pub const EVENTS: Self = Self {
        attempts: 185,
        max_age_seconds: 86_400,
        first_pause_millis: 1_000,
        longest_pause_millis: 600_000,
        phases: None,
        insists: false,
    };

    /// As EventBridge does, with what a target's own policy says instead.
    pub fn events(attempts: Option<i32>, max_age_seconds: Option<i32>) -> Self {
        let attempts = attempts.and_then(|number| u32::try_from(number).ok());
        let age = max_age_seconds.and_then(|number| u64::try_from(number).ok());
        Self {
            attempts: attempts.unwrap_or(Self::EVENTS.attempts),
            max_age_seconds: age.unwrap_or(Self::EVENTS.max_age_seconds),
            ..Self::EVENTS
        }
    }
}

/// Where a parcel goes that cannot be delivered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadLetter {
    pub queue: Arn,
    /// Instead of the parcel's body.
    pub body: Option<String>,
    pub style: Style,
    /// Attributes besides those that say what went wrong.
    pub attributes: Vec<Attribute>,
}

/// How a service names the attributes of its dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Style {
    /// `ERROR_CODE` and so on: EventBridge and its Scheduler.
    Events,
    /// `ErrorCode` and so on.
    Sns,
}

impl Target {
    /// A queue that gets the body and nothing else.
    pub const fn queue(queue: Arn) -> Self {
        Self::Queue {
            queue,
            group: None,
            deduplication: None,
            attributes: Vec::new(),
        }
    }

    /// A call of an operation; `arn` is the resource that it is about.
    pub fn call(service: &str, operation: &str, arn: impl Into<String>) -> Self {
        Self::Call {
            service: service.to_owned(),
            operation: operation.to_owned(),
            arn: arn.into(),
            reach: Reach::Anywhere,
        }
    }

    /// A topic, and the body with which it gets a message. `more` are further members of Publish.
    pub fn topic(topic: &str, message: &str, more: Map<String, Json>) -> (Self, String) {
        let mut input = more;
        input.insert("TopicArn".to_owned(), topic.into());
        input.insert("Message".to_owned(), message.into());
        let target = Self::call("sns", "Publish", topic);
        (target, Json::Object(input).to_string())
    }

    /// How long it may take to answer. A function that is waited for may run for 15 minutes.
    pub(super) fn patience(&self) -> Duration {
        match self {
            Self::Call { operation, .. } if operation == "Invoke" => Duration::from_mins(16),
            _ => Duration::from_mins(1),
        }
    }
}

impl Attribute {
    pub fn text(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::of_kind("String", name, value)
    }

    pub fn number(name: impl Into<String>, value: u32) -> Self {
        Self::of_kind("Number", name, value.to_string())
    }

    fn of_kind(kind: &str, name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: kind.to_owned(),
            value: value.into(),
        }
    }
}

impl Parcel {
    /// Parcels of one lane wait for each other.
    pub(super) fn lane(&self) -> String {
        let target = match &self.target {
            Target::Function(arn) | Target::LogGroup(arn) | Target::Queue { queue: arn, .. } => {
                arn.to_string()
            }
            Target::EventBus { bus: Some(bus), .. } => bus.to_string(),
            Target::EventBus { bus: None, .. } => {
                let Source {
                    account, region, ..
                } = &self.source;
                Arn::regional("events", region, *account, "event-bus/default").to_string()
            }
            Target::Call { arn, operation, .. } => format!("{operation} {arn}"),
            Target::Web { url, .. } => url.clone(),
            Target::Endpoint { arn, .. } => arn.clone(),
            Target::Nowhere(what) => what.clone(),
            Target::Refused { .. } => "refused".to_owned(),
        };
        match &self.order {
            Some(order) => format!("{target} {order}"),
            None => target,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_was_stored_before_buses_were_named_is_for_the_default_bus() {
        let stored = serde_json::json!({"event_bus": {
            "source": "aws.s3", "detail_type": "Object Created", "resources": [], "time": 0,
        }});
        let target: Target = serde_json::from_value(stored).unwrap();
        assert!(matches!(target, Target::EventBus { bus: None, .. }));
    }

    #[test]
    fn phases_follow_each_other() {
        let retry = Retry {
            attempts: 9,
            max_age_seconds: 3_600,
            first_pause_millis: 1_000,
            longest_pause_millis: 9_000,
            phases: None,
            insists: false,
        };
        let pauses = |back_off| {
            let phases = Phases {
                at_once: 2,
                first: 1,
                last: 2,
                back_off,
            };
            let seconds = (0..9).map(|at| retry.phased(phases, at).as_secs_f64());
            seconds.collect::<Vec<_>>()
        };
        let linear = pauses(BackOff::Linear);
        assert_eq!(linear, [0.0, 0.0, 1.0, 3.0, 5.0, 7.0, 9.0, 9.0, 9.0]);
        for back_off in [
            BackOff::Arithmetic,
            BackOff::Geometric,
            BackOff::Exponential,
        ] {
            let other = pauses(back_off);
            assert!(other.is_sorted(), "{other:?}");
            assert!(
                other[3] < linear[3] && (other[6] - 9.0).abs() < 1e-6,
                "{other:?}"
            );
        }
    }
}
