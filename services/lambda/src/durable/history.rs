//! Events as the API shows them: what happened, with payloads or without.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Event.html>

use std::sync::Arc;

use super::records::{self, Detail, Failure, Head, Operation};
use crate::generated as api;
use crate::generated::{EventError, EventInput, EventResult, EventType, RetryDetails};

/// What the events of one answer are shown by.
pub struct View<'a> {
    pub head: &'a Head,
    pub operations: &'a [Arc<Operation>],
    /// Whether payloads are wanted.
    pub with_data: bool,
}

impl View<'_> {
    pub fn event(&self, number: u64, event: &records::Event) -> api::Event {
        let operation = event
            .operation
            .and_then(|number| self.operations.get(usize::try_from(number).ok()?))
            .map(Arc::as_ref);
        let mut shown = api::Event {
            event_type: Some(event.kind),
            event_id: i32::try_from(number).ok(),
            event_timestamp: Some(event.at),
            id: operation.map(|it| it.id.clone()),
            name: operation.and_then(|it| it.name.clone()),
            parent_id: operation.and_then(|it| it.parent_id.clone()),
            sub_type: operation.and_then(|it| it.sub_type.clone()),
            ..api::Event::default()
        };
        self.add_details(&mut shown, event, operation);
        shown
    }

    fn add_details(
        &self,
        shown: &mut api::Event,
        event: &records::Event,
        operation: Option<&Operation>,
    ) {
        let result = || self.result(operation.and_then(|it| it.result.as_ref()));
        let error = || self.error(operation.and_then(|it| it.error.as_ref()));
        match event.kind {
            EventType::ExecutionStarted => {
                shown.execution_started_details = Some(api::ExecutionStartedDetails {
                    input: self.input(operation.and_then(|it| it.input.as_ref())),
                    execution_timeout: self.head.timeout.cast_signed(),
                });
            }
            EventType::ExecutionSucceeded => {
                shown.execution_succeeded_details =
                    Some(api::ExecutionSucceededDetails { result: result() });
            }
            EventType::ExecutionFailed => {
                shown.execution_failed_details =
                    Some(api::ExecutionFailedDetails { error: error() });
            }
            EventType::ExecutionTimedOut => {
                shown.execution_timed_out_details = Some(api::ExecutionTimedOutDetails {
                    error: Some(error()),
                });
            }
            EventType::ExecutionStopped => {
                shown.execution_stopped_details =
                    Some(api::ExecutionStoppedDetails { error: error() });
            }
            EventType::ContextStarted => {
                shown.context_started_details = Some(api::ContextStartedDetails {});
            }
            EventType::ContextSucceeded => {
                shown.context_succeeded_details =
                    Some(api::ContextSucceededDetails { result: result() });
            }
            EventType::ContextFailed => {
                shown.context_failed_details = Some(api::ContextFailedDetails { error: error() });
            }
            EventType::WaitStarted | EventType::WaitSucceeded | EventType::WaitCancelled => {
                self.add_wait(shown, event, operation);
            }
            EventType::StepStarted => {
                shown.step_started_details = Some(api::StepStartedDetails {});
            }
            EventType::StepSucceeded | EventType::StepFailed => {
                self.add_step(shown, event, operation);
            }
            EventType::InvocationCompleted => self.add_invocation(shown, event),
            EventType::ExecutionPaused | EventType::ExecutionResumed => {
                self.add_pause(shown, event);
            }
            _ => self.add_outside(shown, event, operation),
        }
    }

    /// What others take part in: callbacks and chained invocations.
    fn add_outside(
        &self,
        shown: &mut api::Event,
        event: &records::Event,
        operation: Option<&Operation>,
    ) {
        let result = || self.result(operation.and_then(|it| it.result.as_ref()));
        let error = || self.error(operation.and_then(|it| it.error.as_ref()));
        match event.kind {
            EventType::CallbackStarted => {
                let callback = operation.and_then(|it| it.callback.as_ref());
                let limits = match event.detail {
                    Detail::Limits { timeout, heartbeat } => (timeout, heartbeat),
                    _ => (None, None),
                };
                shown.callback_started_details = Some(api::CallbackStartedDetails {
                    callback_id: callback.map(|it| it.id.clone()).unwrap_or_default(),
                    timeout: limits.0.map(u32::cast_signed),
                    heartbeat_timeout: limits.1.map(u32::cast_signed),
                });
            }
            EventType::CallbackSucceeded => {
                shown.callback_succeeded_details =
                    Some(api::CallbackSucceededDetails { result: result() });
            }
            EventType::CallbackFailed => {
                shown.callback_failed_details = Some(api::CallbackFailedDetails { error: error() });
            }
            EventType::CallbackTimedOut => {
                shown.callback_timed_out_details =
                    Some(api::CallbackTimedOutDetails { error: error() });
            }
            EventType::ChainedInvokeStarted => {
                let target = operation.and_then(|it| it.target.as_ref());
                let input = operation.and_then(|it| it.input.as_ref());
                let execution = target.and_then(|it| it.execution.as_ref());
                shown.chained_invoke_started_details = Some(api::ChainedInvokeStartedDetails {
                    function_name: target.map(|it| it.function.clone()).unwrap_or_default(),
                    // As Lambda's history, which leaves out the tenant.
                    tenant_id: None,
                    input: input.map(|input| self.input(Some(input))),
                    executed_version: target.and_then(|it| it.version.clone()),
                    durable_execution_arn: execution.map(ToString::to_string),
                });
            }
            EventType::ChainedInvokeSucceeded => {
                shown.chained_invoke_succeeded_details =
                    Some(api::ChainedInvokeSucceededDetails { result: result() });
            }
            EventType::ChainedInvokeFailed => {
                shown.chained_invoke_failed_details =
                    Some(api::ChainedInvokeFailedDetails { error: error() });
            }
            EventType::ChainedInvokeTimedOut => {
                shown.chained_invoke_timed_out_details =
                    Some(api::ChainedInvokeTimedOutDetails { error: error() });
            }
            EventType::ChainedInvokeStopped => {
                shown.chained_invoke_stopped_details =
                    Some(api::ChainedInvokeStoppedDetails { error: error() });
            }
            _ => {}
        }
    }

    fn add_wait(
        &self,
        shown: &mut api::Event,
        event: &records::Event,
        operation: Option<&Operation>,
    ) {
        let until = operation.and_then(|wait| wait.due);
        let seconds = operation.zip(until).map(|(wait, until)| {
            let seconds = until.since(wait.started).as_secs();
            i32::try_from(seconds).unwrap_or(i32::MAX)
        });
        match event.kind {
            EventType::WaitStarted => {
                shown.wait_started_details = Some(api::WaitStartedDetails {
                    duration: seconds.unwrap_or_default(),
                    scheduled_end_timestamp: until.unwrap_or(event.at),
                });
            }
            EventType::WaitSucceeded => {
                shown.wait_succeeded_details =
                    Some(api::WaitSucceededDetails { duration: seconds });
            }
            _ => {
                let error = match &event.detail {
                    Detail::Error(error) => Some(self.error(Some(error))),
                    _ => None,
                };
                shown.wait_cancelled_details = Some(api::WaitCancelledDetails { error });
            }
        }
    }

    fn add_step(
        &self,
        shown: &mut api::Event,
        event: &records::Event,
        operation: Option<&Operation>,
    ) {
        let (attempt, delay, result, error) = match &event.detail {
            Detail::Retry {
                attempt,
                delay,
                result,
                error,
            } => (*attempt, Some(*delay), result.as_ref(), error.as_ref()),
            Detail::Attempt { attempt } => (
                *attempt,
                None,
                operation.and_then(|it| it.result.as_ref()),
                operation.and_then(|it| it.error.as_ref()),
            ),
            _ => (0, None, None, None),
        };
        let retry_details = RetryDetails {
            current_attempt: Some(attempt.cast_signed()),
            next_attempt_delay_seconds: delay.map(u32::cast_signed),
        };
        if event.kind == EventType::StepSucceeded {
            shown.step_succeeded_details = Some(api::StepSucceededDetails {
                result: self.result(result),
                retry_details,
            });
        } else {
            shown.step_failed_details = Some(api::StepFailedDetails {
                error: self.error(error),
                retry_details,
            });
        }
    }

    fn add_invocation(&self, shown: &mut api::Event, event: &records::Event) {
        if let Detail::Invocation {
            started,
            ended,
            request_id,
            error,
        } = &event.detail
        {
            shown.invocation_completed_details = Some(api::InvocationCompletedDetails {
                start_timestamp: *started,
                end_timestamp: *ended,
                request_id: request_id.clone(),
                error: error.as_ref().map(|error| self.error(Some(error))),
            });
        }
    }

    fn add_pause(&self, shown: &mut api::Event, event: &records::Event) {
        match &event.detail {
            Detail::Paused {
                requested,
                reason,
                holds_timeout,
            } => {
                shown.execution_paused_details = Some(api::ExecutionPausedDetails {
                    pause_request_timestamp: *requested,
                    reason: reason.as_ref().map(|reason| api::EventPauseReason {
                        payload: Some(reason.clone()).filter(|_| self.with_data),
                        truncated: Some(!self.with_data),
                    }),
                    execution_timeout_paused: *holds_timeout,
                });
            }
            Detail::Resumed { requested, reason } => {
                shown.execution_resumed_details = Some(api::ExecutionResumedDetails {
                    resume_request_timestamp: *requested,
                    reason: reason.as_ref().map(|reason| api::EventResumeReason {
                        payload: Some(reason.clone()).filter(|_| self.with_data),
                        truncated: Some(!self.with_data),
                    }),
                });
            }
            _ => {}
        }
    }

    fn input(&self, payload: Option<&String>) -> EventInput {
        EventInput {
            payload: payload.filter(|_| self.with_data).cloned(),
            truncated: Some(!self.with_data),
        }
    }

    fn result(&self, payload: Option<&String>) -> EventResult {
        EventResult {
            payload: payload.filter(|_| self.with_data).cloned(),
            truncated: Some(!self.with_data),
        }
    }

    fn error(&self, error: Option<&Failure>) -> EventError {
        let payload = error.filter(|_| self.with_data).cloned();
        EventError {
            payload: payload.map(Into::into),
            truncated: Some(!self.with_data),
        }
    }
}
