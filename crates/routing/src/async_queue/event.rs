//! What the queue carries, who runs it, and how that may end.

use std::time::Duration;

use async_trait::async_trait;
use base::{Arn, RequestId, Timestamp};
use bytes::Bytes;
use store::{Batch, StoreError};

use crate::deliveries::Staged;

/// One asynchronous invocation.
#[derive(Clone, Debug)]
pub struct AsyncEvent {
    /// The same through every retry.
    pub request_id: RequestId,
    /// With its qualifier, if the caller gave one.
    pub function: Arn,
    /// JSON, at most 1 MB.
    pub payload: Bytes,
    pub accepted_at: Timestamp,
    /// `X-Amzn-Trace-Id`.
    pub trace: Option<String>,
    /// The client context as JSON text.
    pub client_context: Option<String>,
    /// Whom it is for, where the function has tenants.
    pub tenant: Option<String>,
}

/// How long and how often a function's events are tried.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Runs after a first one that failed: 0 to 2.
    pub maximum_retry_attempts: u32,
    /// 60 seconds to 6 hours.
    pub maximum_event_age: Duration,
}

impl Ending {
    /// The word of an invocation record; `None` where there is none.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>
    pub const fn condition(self) -> Option<&'static str> {
        match self {
            Self::Succeeded => Some("Success"),
            Self::RetriesExhausted => Some("RetriesExhausted"),
            Self::EventAgeExceeded => Some("EventAgeExceeded"),
            Self::ZeroReservedConcurrency => Some("ZeroReservedConcurrency"),
            Self::FunctionGone => None,
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            maximum_retry_attempts: 2,
            maximum_event_age: Duration::from_hours(6),
        }
    }
}

/// Runs events. Implemented by whoever knows the functions.
#[async_trait]
pub trait EventRunner: Send + Sync + 'static {
    /// Applies to the function's next decision, so that a change takes effect on waiting events.
    fn retry_policy(&self, function: &Arn) -> RetryPolicy {
        let _ = function;
        RetryPolicy::default()
    }

    /// Runs the function on the event.
    async fn run(&self, event: &AsyncEvent) -> RunOutcome;

    /// An event will not be run again: the place to send it to a destination or a dead-letter
    /// queue. What is staged in the batch becomes durable as the event leaves the store, and is then
    /// sent off.
    ///
    /// # Errors
    /// The store's, if something cannot be staged. The event then stays as it is.
    fn ended(&self, ended: &Ended<'_>, batch: &mut Batch) -> Result<Staged, StoreError> {
        let _ = (ended, batch);
        Ok(Staged::default())
    }
}

/// An event that will not be run again.
#[derive(Clone, Copy, Debug)]
pub struct Ended<'a> {
    pub event: &'a AsyncEvent,
    pub ending: Ending,
    /// How often it has been run.
    pub runs: u32,
    /// What the last run came to, if this is about one.
    pub last: Option<&'a RunOutcome>,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub enum RunOutcome {
    Succeeded(Answer),
    /// The function raised, timed out or ended.
    FunctionFailed(Answer),
    /// The function has been reached by its own doing too often.
    Recursive,
    /// No concurrency is ever left, by the function's own settings.
    TurnedOff,
    /// No concurrency was left. The event waits for some, and the run does not count.
    Throttled,
    /// The function could not be run, for a reason that may pass.
    SystemFailed(String),
    /// There is no such function any more.
    FunctionGone,
}

/// What the function answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub payload: Bytes,
    pub executed_version: String,
}

/// Why an event left the queue, in the words of an invocation record's `condition`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Succeeded,
    RetriesExhausted,
    EventAgeExceeded,
    /// The function may not run at all, and its events have somewhere else to go.
    ZeroReservedConcurrency,
    /// Dropped without a record.
    FunctionGone,
}
