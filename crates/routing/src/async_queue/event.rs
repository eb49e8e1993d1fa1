//! What the queue carries, who runs it, and how that may end.

use std::time::Duration;

use async_trait::async_trait;
use base::{Arn, RequestId, Timestamp};
use bytes::Bytes;

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
    /// queue. Called before the event leaves the store, so that it may be called again after a
    /// crash. `last` is the outcome of the last run, if there was one since the server started.
    async fn ended(&self, event: &AsyncEvent, ending: Ending, last: Option<&RunOutcome>) {
        let _ = (event, ending, last);
    }
}

/// What a run came to.
#[derive(Clone, Debug)]
pub enum RunOutcome {
    Succeeded(Answer),
    /// The function raised, timed out or ended.
    FunctionFailed(Answer),
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
    /// Dropped without a record.
    FunctionGone,
}
