//! What an invocation comes to: its outcome, and the last that its log says of it.

use std::time::{Duration, Instant};

use base::Timestamp;
use bytes::Bytes;

use super::{Busy, Core, Environment};
use crate::extensions::{ExtensionFailure, Reason};
use crate::invocation::{FunctionError, InvokeEvent, InvokeOutcome, StartTier};
use crate::logs::Platform;
use crate::logs::platform::RuntimeDone;
use crate::logs::report::{self, Failure, Report};

use super::invoke::{Next, Ran, SETTLE, timed_out};

/// What is known of an invocation when its runtime is done.
pub(super) struct Closing {
    payload: Bytes,
    function_error: Option<FunctionError>,
    began: Timestamp,
    duration: Duration,
    failure: Option<Failure>,
    fault: Option<Platform>,
}

/// An invocation that has been answered, and whose extensions are not done.
pub(super) struct Unfinished {
    report: Report,
    started: Instant,
    spent: Duration,
}

/// How it went with the extensions after the runtime.
enum After {
    Settled,
    Failed(ExtensionFailure),
    Exited,
    Busy,
}

impl Closing {
    pub(super) fn of(
        (payload, function_error): (Bytes, Option<FunctionError>),
        began: Timestamp,
        duration: Duration,
    ) -> Self {
        Self {
            payload,
            function_error,
            began,
            duration,
            failure: None,
            fault: None,
        }
    }

    /// It was not the function that ended it.
    pub(super) fn failed(self, failure: Failure, fault: Platform) -> Self {
        Self {
            failure: Some(failure),
            fault: Some(fault),
            ..self
        }
    }

    /// An extension ended it.
    pub(super) fn failed_by(
        event: &InvokeEvent,
        failure: &ExtensionFailure,
        began: Timestamp,
        duration: Duration,
    ) -> Self {
        let message = failure.words(event.request_id);
        let document = super::error_document(failure.error_type, &message);
        let fault = Platform::Fault {
            message,
            error_type: Some(failure.error_type),
        };
        let failed = (document, Some(FunctionError::Unhandled));
        let failure = Failure::Error(failure.error_type.to_owned());
        Self::of(failed, began, duration).failed(failure, fault)
    }

    /// It took too long.
    pub(super) fn timed_out(
        event: &InvokeEvent,
        now: Timestamp,
        began: Timestamp,
        timeout: Duration,
    ) -> Self {
        let document = timed_out(event.request_id, timeout);
        let fault = Platform::Fault {
            message: report::timed_out(now, event.request_id, timeout),
            error_type: None,
        };
        let failed = (document, Some(FunctionError::Unhandled));
        Self::of(failed, began, timeout).failed(Failure::Timeout, fault)
    }

    fn runtime_done(&self, event: &InvokeEvent) -> Platform {
        Platform::RuntimeDone(RuntimeDone {
            request_id: event.request_id,
            failure: self.failure.clone(),
            began: self.began,
            duration: self.duration,
            overhead: Duration::ZERO,
            produced_bytes: match self.failure {
                None => self.payload.len(),
                Some(_) => 0,
            },
            trace: event.trace.clone(),
        })
    }
}

impl Environment<Busy> {
    /// Waits for the extensions, which know that the runtime has answered by asking for telemetry. A
    /// caller that wants no log does not wait with them.
    pub(super) async fn close_with_extensions(
        mut self,
        event: &InvokeEvent,
        closing: Closing,
        started: Instant,
        spent: Duration,
    ) -> Ran {
        let core = &mut *self.core;
        core.log.note(&closing.runtime_done(event));
        let left = core.function.timeout.saturating_sub(closing.duration);
        let patience = if event.tail { left } else { SETTLE.min(left) };
        let after = core.settled_within(patience).await;
        let gone = |outcome| Ran {
            outcome,
            next: Next::Gone,
        };
        let duration = spent + started.elapsed();
        match after {
            After::Settled => {
                let (mut outcome, report) = core.figures(event, closing, duration);
                outcome.log_tail = core.finish(report);
                let next = Next::Idle(self.idle());
                Ran { outcome, next }
            }
            After::Exited => {
                let (mut outcome, report) = core.figures(event, closing, duration);
                outcome.log_tail = core.finish(report);
                core.reason = Reason::Failure;
                gone(outcome)
            }
            // The function has answered, but not in vain: as on Lambda, the environment has failed.
            After::Failed(failure) => {
                let closing = Closing::failed_by(event, &failure, closing.began, duration);
                core.reason = Reason::Failure;
                gone(core.close_after_runtime(event, closing))
            }
            After::Busy if event.tail || left <= SETTLE => {
                let timeout = core.function.timeout;
                let now = core.clock.now();
                let closing = Closing::timed_out(event, now, closing.began, timeout);
                core.end(Reason::Timeout);
                gone(core.close_after_runtime(event, closing))
            }
            After::Busy => {
                let (outcome, report) = core.figures(event, closing, duration);
                core.unfinished = Some(Box::new(Unfinished {
                    report,
                    started,
                    spent,
                }));
                let next = Next::Settling(self);
                Ran { outcome, next }
            }
        }
    }
}

impl Core {
    /// Logs the end of the invocation and puts the outcome together.
    pub(super) fn close(&mut self, event: &InvokeEvent, closing: Closing) -> InvokeOutcome {
        let done = [closing.runtime_done(event)];
        self.close_saying(event, closing, &done)
    }

    fn close_after_runtime(&mut self, event: &InvokeEvent, closing: Closing) -> InvokeOutcome {
        self.close_saying(event, closing, &[])
    }

    fn close_saying(
        &mut self,
        event: &InvokeEvent,
        mut closing: Closing,
        done: &[Platform],
    ) -> InvokeOutcome {
        let (fault, duration) = (closing.fault.take(), closing.duration);
        let (mut outcome, report) = self.figures(event, closing, duration);
        let last = [Platform::End(event.request_id), Platform::Report(report)];
        outcome.log_tail = self.log.finish(fault.iter().chain(done).chain(&last));
        outcome
    }

    /// Waits until runtime and extensions are done, at most for so long.
    async fn settled_within(&mut self, patience: Duration) -> After {
        let host = std::sync::Arc::clone(&self.host);
        let settled = async {
            self.link.settled().await;
            host.extensions.settled().await;
        };
        tokio::select! {
            biased;
            () = settled => After::Settled,
            failure = host.extensions.failed() => After::Failed(failure),
            () = self.exit.ended() => After::Exited,
            () = self.clock.sleep(patience) => After::Busy,
        }
    }

    /// Sees an answered invocation to its end; false if the environment does not come through.
    pub(super) async fn finish_later(&mut self, unfinished: Unfinished) -> bool {
        let Unfinished {
            mut report,
            started,
            spent,
        } = unfinished;
        let timeout = self.function.timeout;
        let left = timeout.saturating_sub(spent + started.elapsed());
        let after = self.settled_within(left).await;
        report.duration = spent + started.elapsed();
        let fault = match &after {
            After::Settled | After::Exited => None,
            After::Failed(failure) => {
                report.failure = Some(Failure::Error(failure.error_type.to_owned()));
                Some(Platform::Fault {
                    message: failure.words(report.request_id),
                    error_type: Some(failure.error_type),
                })
            }
            After::Busy => {
                report.duration = timeout;
                report.failure = Some(Failure::Timeout);
                Some(Platform::Fault {
                    message: report::timed_out(self.clock.now(), report.request_id, timeout),
                    error_type: None,
                })
            }
        };
        report.billed_ms = self.billed_ms(&report);
        report.max_memory_mb = self.max_memory_mb(report.duration);
        if let Some(fault) = &fault {
            self.log.note(fault);
        }
        self.finish(report);
        match after {
            After::Settled => return true,
            After::Busy => self.end(Reason::Timeout),
            After::Failed(_) | After::Exited => self.reason = Reason::Failure,
        }
        false
    }

    /// Logs the last of an invocation.
    fn finish(&self, report: Report) -> Option<String> {
        let last = [Platform::End(report.request_id), Platform::Report(report)];
        self.log.finish(&last)
    }

    fn billed_ms(&self, report: &Report) -> u64 {
        // An init ahead of the invocation is shown, and paid with the provisioned concurrency.
        let init = report.init.filter(|_| !self.provisioned);
        let restore = report.restore.as_ref();
        report::billed_ms(init, report.duration) + restore.map_or(0, report::Restore::billed_ms)
    }

    /// The outcome but for its log, and the figures that the log is to show.
    fn figures(
        &mut self,
        event: &InvokeEvent,
        closing: Closing,
        duration: Duration,
    ) -> (InvokeOutcome, Report) {
        let first = self.first.take();
        let mut report = Report {
            request_id: event.request_id,
            duration,
            billed_ms: 0,
            memory_mb: self.function.memory_mb,
            max_memory_mb: self.max_memory_mb(duration),
            init: self.init.take(),
            restore: self.restore.take(),
            failure: closing.failure,
            trace: event.trace.clone(),
        };
        report.billed_ms = self.billed_ms(&report);
        // Nor did this invocation start anything that was made ahead.
        let first = first.filter(|_| !self.provisioned);
        let start = if first.is_some() {
            self.tier
        } else {
            StartTier::Warm
        };
        let mut phases = first.unwrap_or_default();
        phases.handler = duration;
        let outcome = InvokeOutcome {
            payload: closing.payload,
            function_error: closing.function_error,
            log_tail: None,
            executed_version: self.function.key.version.clone(),
            start,
            phases,
            duration,
            billed_ms: report.billed_ms,
            init_duration: report.init,
            max_memory_mb: report.max_memory_mb,
        };
        (outcome, report)
    }
}
