//! An environment of a version on a capacity provider: it has several invocations at once, and runs on
//! between them.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html>

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use base::Timestamp;
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::Notify;

use super::exit::ExitCause;
use super::farewell::Keeper;
use super::link::{Answer, Lost};
use super::{Environment, Idle, timed_out};
use crate::extensions::ExtensionFailure;
use crate::info::EnvironmentState;
use crate::invocation::{FunctionError, InvokeEvent, InvokeOutcome, Phases, StartTier};
use crate::logs::Platform;
use crate::logs::platform::Finished;
use crate::logs::report::Failure;
use crate::runtime_api::{Answered, Reservation, RuntimeApi};

pub(crate) struct Shared {
    core: Keeper,
    /// When it last had an invocation, in milliseconds.
    used: AtomicI64,
    /// It is nobody's any more.
    left: Notify,
}

/// A place in an environment, for one invocation.
pub(crate) struct Placed {
    shared: Arc<Shared>,
    reservation: Reservation,
}

enum End {
    Answered(Answered),
    Exited(ExitCause),
    Failed(ExtensionFailure),
    TimedOut,
}

impl Environment<Idle> {
    pub(crate) fn share(self) -> Arc<Shared> {
        let used = AtomicI64::new(self.state.since.millis());
        Arc::new(Shared {
            core: self.core,
            used,
            left: Notify::new(),
        })
    }
}

impl Shared {
    /// Has each worker that becomes free told there.
    pub(crate) fn tell(&self, free: Arc<Notify>) {
        if let Some(api) = self.core.link.runtime_api() {
            api.tell(free);
        }
    }

    /// How many invocations it could take now.
    pub(crate) fn room(&self) -> usize {
        let api = self.core.link.runtime_api();
        api.map_or(0, RuntimeApi::room)
    }

    /// A place, if one is free.
    pub(crate) fn reserve(self: &Arc<Self>) -> Option<Placed> {
        Some(Placed {
            reservation: self.core.link.runtime_api()?.reserve()?,
            shared: Arc::clone(self),
        })
    }

    /// Since when it has had nothing to do; `None` if it has.
    pub(crate) fn idle_since(&self) -> Option<Timestamp> {
        let api = self.core.link.runtime_api()?;
        let used = self.used.load(Ordering::Relaxed);
        (api.in_use() == 0).then(|| Timestamp::from_millis(used))
    }

    /// Whether it can take invocations for some time.
    pub(crate) fn is_sound(&self, now: Timestamp) -> bool {
        self.core.is_sound(now)
    }

    /// It gets no more invocations. When those that it has are over, it ends.
    pub(crate) fn leave(&self) {
        self.left.notify_one();
    }

    /// Resolves when it has ended, or has to, or has left.
    pub(crate) async fn ended(&self) {
        let extensions = &self.core.host.extensions;
        tokio::select! {
            biased;
            () = self.left.notified() => {}
            () = self.core.exit.ended() => {}
            _ = extensions.failed(), if extensions.has_any() => {}
        }
    }
}

impl Placed {
    /// Runs the function on an event; `None` if the worker has gone before it had it. When the time
    /// is over its caller is told so and the function runs on, as on Lambda.
    pub(crate) async fn run(self, event: &InvokeEvent) -> Option<InvokeOutcome> {
        let Self {
            shared,
            reservation,
        } = self;
        let core = &*shared.core;
        let id = event.request_id.to_string();
        if event.tail {
            core.log.keep_tail_of(&id);
        }
        core.log.begin(&Platform::Start {
            request_id: event.request_id,
            version: core.function.key.version.clone(),
            trace: event.trace.clone(),
        });
        core.registration.is_now(EnvironmentState::Busy);
        core.registration.count_request();
        let timeout = core.function.timeout;
        let (began, started) = (core.clock.now(), Instant::now());
        let answered = reservation.hand_over(event, began + timeout)?;
        let extensions = &core.host.extensions;
        let end = tokio::select! {
            biased;
            Ok(answered) = answered => End::Answered(answered),
            () = core.exit.ended() => {
                End::Exited(core.exit.cause(&core.sandbox, Lost::Ended).await)
            }
            failure = extensions.failed(), if extensions.has_any() => End::Failed(failure),
            () = core.clock.sleep(timeout) => End::TimedOut,
        };
        let mut duration = started.elapsed();
        let mut latency = duration;
        let (payload, failure) = match end {
            End::Answered(answered) => {
                latency = answered.latency;
                payload(answered.answer)
            }
            End::Exited(cause) => {
                let error_type = cause.error_type().to_owned();
                (
                    cause.document(event.request_id),
                    Some(Failure::Error(error_type)),
                )
            }
            End::Failed(failure) => {
                let message = failure.words(event.request_id);
                (
                    super::error_document(failure.error_type, &message),
                    Some(Failure::Error(failure.error_type.to_owned())),
                )
            }
            End::TimedOut => {
                if let Some(api) = core.link.runtime_api() {
                    api.give_up(event.request_id);
                }
                duration = timeout;
                (timed_out(event.request_id, timeout), Some(Failure::Timeout))
            }
        };
        let function_error = failure.is_some().then_some(FunctionError::Unhandled);
        let finished = Platform::Finished(Finished {
            request_id: event.request_id,
            failure,
            began,
            duration,
            latency,
            trace: event.trace.clone(),
        });
        let log_tail = core.log.finish_one(&id, &finished);
        shared
            .used
            .store(core.clock.now().millis(), Ordering::Relaxed);
        if shared.idle_since().is_some() {
            core.registration.is_now(EnvironmentState::Idle);
        }
        Some(InvokeOutcome {
            payload,
            function_error,
            log_tail,
            executed_version: core.function.key.version.clone(),
            start: StartTier::Warm,
            phases: Phases {
                handler: duration,
                ..Phases::default()
            },
            duration,
            // Instances are paid, and not what runs on them.
            billed_ms: 0,
            init_duration: None,
            max_memory_mb: None,
        })
    }
}

/// What the caller gets, and what the log says of it.
fn payload(answer: Answer) -> (Bytes, Option<Failure>) {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Document {
        error_type: String,
    }
    match answer {
        Answer::Response(payload) => (payload, None),
        Answer::Error { document, .. } => {
            let told = serde_json::from_slice::<Document>(&document);
            let error_type = told.map_or_else(|_| "Runtime.Unknown".to_owned(), |it| it.error_type);
            (document, Some(Failure::Error(error_type)))
        }
    }
}
