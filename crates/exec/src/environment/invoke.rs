//! One invocation in one environment: event in, answer out, and what the log says of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::RequestId;
use bytes::Bytes;

use super::closing::Closing;
use super::exit::{ExitCause, error_document};
use super::link::{Answer, Lost};
use super::{Busy, Core, Environment, Idle};
use crate::extensions::{ExtensionFailure, Reason};
use crate::info::EnvironmentState;
use crate::invocation::{FunctionError, InvokeEvent, InvokeOutcome};
use crate::logs::Platform;
use crate::logs::report::Failure;

/// How long an answer may wait for its runtime to ask for the next event.
pub(super) const SETTLE: Duration = Duration::from_millis(5);

/// What an invocation leaves.
pub(crate) struct Ran {
    pub(crate) outcome: InvokeOutcome,
    pub(crate) next: Next,
}

/// What an environment is after an invocation.
pub(crate) enum Next {
    Idle(Environment<Idle>),
    /// It has answered, and is not yet done.
    Settling(Environment<Busy>),
    Gone,
}

enum End {
    Answered(Answer),
    Exited(ExitCause),
    Failed(ExtensionFailure),
    TimedOut,
}

impl Environment<Idle> {
    /// Runs the function on an event. `spent` of the function's time has gone by already, for an
    /// init within the invocation.
    pub(crate) async fn invoke(self, event: &InvokeEvent, spent: Duration) -> Ran {
        let mut busy = self.into_state(Busy);
        let core = &mut busy.core;
        core.registration.is_now(EnvironmentState::Busy);
        core.registration.count_request();
        let version = core.function.key.version.clone();
        if event.tail {
            core.log.keep_tail();
        }
        core.log.begin(&Platform::Start {
            request_id: event.request_id,
            version,
            trace: event.trace.clone(),
        });
        let began = core.clock.now();
        let started = Instant::now();
        let (sandbox, mut share) = (Arc::clone(&core.sandbox), core.share);
        let end = share.during(&sandbox, core.run(event, spent)).await;
        core.share = share;
        let duration = spent + started.elapsed();
        match end {
            End::Answered(answer) => {
                let ends = matches!(answer, Answer::Error { ends: true, .. });
                let closing = Closing::of(answered(answer), began, duration);
                if core.host.extensions.has_any() && !ends {
                    return busy
                        .close_with_extensions(event, closing, started, spent)
                        .await;
                }
                let outcome = core.close(event, closing);
                let next = if ends { Next::Gone } else { busy.after().await };
                Ran { outcome, next }
            }
            End::Exited(cause) => {
                let document = cause.document(event.request_id);
                let fault = Platform::Fault {
                    message: cause.message(event.request_id),
                    error_type: Some(cause.error_type()),
                };
                let failure = Failure::Error(cause.error_type().to_owned());
                core.reason = Reason::Failure;
                if cause.out_of_memory {
                    core.memory.mb = Some(core.function.memory_mb);
                    core.memory.read = Some(Instant::now());
                }
                let failed = (document, Some(FunctionError::Unhandled));
                let closing = Closing::of(failed, began, duration).failed(failure, fault);
                let outcome = core.close(event, closing);
                Ran {
                    outcome,
                    next: Next::Gone,
                }
            }
            End::Failed(failure) => {
                core.reason = Reason::Failure;
                let closing = Closing::failed_by(event, &failure, began, duration);
                let outcome = core.close(event, closing);
                Ran {
                    outcome,
                    next: Next::Gone,
                }
            }
            End::TimedOut => {
                core.end(Reason::Timeout);
                let timeout = core.function.timeout;
                let closing = Closing::timed_out(event, core.clock.now(), began, timeout);
                let outcome = core.close(event, closing);
                Ran {
                    outcome,
                    next: Next::Gone,
                }
            }
        }
    }
}

impl Environment<Busy> {
    /// Resolves when the runtime is done with what it does after its answer; `None` if it ends, or
    /// takes longer than the function may.
    pub(crate) async fn settle(mut self) -> Option<Environment<Idle>> {
        let core = &mut *self.core;
        if let Some(unfinished) = core.unfinished.take() {
            return core.finish_later(*unfinished).await.then(|| self.idle());
        }
        let timeout = core.function.timeout;
        tokio::select! {
            biased;
            () = core.link.settled() => {}
            () = core.exit.ended() => return None,
            () = core.clock.sleep(timeout) => return None,
        }
        Some(self.idle())
    }

    /// A runtime client asks for its next event right after its answer: waiting for that here
    /// keeps the next call from meeting an environment that is not yet free.
    async fn after(mut self) -> Next {
        let settled = self.core.link.is_settled()
            || tokio::time::timeout(SETTLE, self.core.link.settled())
                .await
                .is_ok();
        if settled {
            Next::Idle(self.idle())
        } else {
            Next::Settling(self)
        }
    }

    pub(super) fn idle(self) -> Environment<Idle> {
        let since = self.core.clock.now();
        self.core.registration.is_now(EnvironmentState::Idle);
        self.into_state(Idle { since })
    }
}

impl Core {
    async fn run(&mut self, event: &InvokeEvent, spent: Duration) -> End {
        let timeout = self.function.timeout.saturating_sub(spent);
        let deadline = self.clock.now() + timeout;
        let extensions = &self.host.extensions;
        extensions.invoked(event, deadline);
        let answered = tokio::select! {
            biased;
            answered = self.link.invoke(event, deadline) => answered,
            () = self.exit.ended() => Err(Lost::Ended),
            failure = extensions.failed(), if extensions.has_any() => {
                return End::Failed(failure);
            }
            () = self.clock.sleep(timeout) => return End::TimedOut,
        };
        let lost = match answered {
            Ok(answer) => return End::Answered(answer),
            Err(lost) => lost,
        };
        tokio::select! {
            biased;
            cause = self.exit.cause(&self.sandbox, lost) => End::Exited(cause),
            // It closed its connection, and works on.
            () = self.clock.sleep_until(deadline) => End::TimedOut,
        }
    }
}

/// The document of an invocation that took too long.
pub(crate) fn timed_out(request_id: RequestId, timeout: Duration) -> Bytes {
    let seconds = timeout.as_secs_f64();
    let message =
        format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds");
    error_document("Sandbox.Timedout", &message)
}

fn answered(answer: Answer) -> (Bytes, Option<FunctionError>) {
    match answer {
        Answer::Response(payload) => (payload, None),
        Answer::Error { document, .. } => (document, Some(FunctionError::Unhandled)),
    }
}
