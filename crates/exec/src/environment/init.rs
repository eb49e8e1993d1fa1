//! The init phase: a program that runs becomes a function that waits.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use service::ports::LogStream;

use super::exit::ExitCause;
use super::link::{Lost, Readiness};
use super::variables::SNAP_START;
use super::{Booting, Core, Environment, Idle, blueprint};
use crate::error::InvokeError;
use crate::extensions::{ExtensionFailure, Reason};
use crate::info::EnvironmentState;
use crate::invocation::{Phases, StartTier};
use crate::logs::Platform;
use crate::logs::report::{Failure, Restore};

/// What is left of an environment whose init failed.
#[derive(Debug)]
pub(crate) struct FailedInit {
    pub(crate) cause: Cause,
    /// What its last try logged, if it was asked for.
    pub(crate) log_tail: Option<String>,
    /// Goes on, when the init is run again.
    pub(crate) log_stream: Arc<LogStream>,
    pub(crate) tier: StartTier,
    pub(crate) phases: Phases,
    pub(crate) elapsed: Duration,
    pub(crate) max_memory_mb: Option<u32>,
}

/// Why an init failed.
#[derive(Debug)]
pub(crate) enum Cause {
    Timeout,
    /// The runtime reported it.
    Error {
        error_type: String,
        document: Bytes,
    },
    Exited(ExitCause),
    /// An extension did not come through.
    Extension(ExtensionFailure),
}

impl Cause {
    /// As REPORT and INIT_REPORT show it.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Timeout => Failure::Timeout,
            Self::Error { error_type, .. } => Failure::Error(error_type.clone()),
            Self::Exited(cause) => Failure::Error(cause.error_type().to_owned()),
            Self::Extension(failure) => Failure::Error(failure.error_type.to_owned()),
        }
    }
}

impl FailedInit {
    /// In words, such as `Runtime.ImportModuleError: No module named 'x'`.
    pub(crate) fn describe(&self) -> String {
        let kind = match self.cause.failure() {
            Failure::Timeout => "Sandbox.Timedout".to_owned(),
            Failure::Error(kind) => kind,
        };
        let message = match &self.cause {
            Cause::Error { document, .. } => serde_json::from_slice::<serde_json::Value>(document)
                .ok()
                .and_then(|document| Some(document.get("errorMessage")?.as_str()?.to_owned())),
            Cause::Extension(failure) => Some(failure.message.clone()),
            Cause::Timeout | Cause::Exited(_) => None,
        };
        match message {
            Some(message) => format!("{kind}: {message}"),
            None => kind,
        }
    }

    /// What the caller is told, if it was a restore that failed.
    pub(crate) fn restore_error(&self) -> Option<InvokeError> {
        if self.tier != StartTier::Template {
            return None;
        }
        Some(match &self.cause {
            Cause::Timeout => InvokeError::RestoreTimeout,
            _ => InvokeError::Restore(self.describe()),
        })
    }
}

impl Environment<Booting> {
    /// Whether it is a fork of its function's template.
    pub(crate) fn is_restored(&self) -> bool {
        self.state.is_restored
    }

    /// Boots the runtime and makes it its function, within a time limit.
    pub(crate) async fn init(mut self, limit: Duration) -> Result<Environment<Idle>, FailedInit> {
        let clock = self.core.clock.clone();
        let Booting {
            since: started,
            is_booted,
            is_restored,
        } = self.state;
        let initialised = tokio::select! {
            biased;
            initialised = initialise(&mut self.core, started, is_booted, is_restored) => initialised,
            () = clock.sleep(limit) => Err(Cause::Timeout),
        };
        match initialised {
            Ok(()) => Ok(self.specialised(started.elapsed())),
            Err(cause) => Err(self.fail(cause, started.elapsed())),
        }
    }
}

impl<S> Environment<S> {
    pub(super) fn fail(mut self, cause: Cause, elapsed: Duration) -> FailedInit {
        let core = &mut self.core;
        let reason = match cause {
            Cause::Timeout => Reason::Timeout,
            _ => Reason::Failure,
        };
        let is_restored = core.tier == StartTier::Template;
        let events = core.end_of_init(is_restored, elapsed, Some(&cause.failure()));
        let log_tail = core.log.finish(&events);
        core.end(reason);
        FailedInit {
            cause,
            log_tail,
            log_stream: Arc::clone(core.log.stream()),
            tier: core.tier,
            phases: core.first.take().unwrap_or_default(),
            elapsed,
            max_memory_mb: core.max_memory_mb(elapsed),
        }
    }
}

impl Environment<Booting> {
    fn specialised(mut self, elapsed: Duration) -> Environment<Idle> {
        let core = &mut self.core;
        let restored = core.restore.map(|restore| restore.duration);
        let events = core.end_of_init(restored.is_some(), restored.unwrap_or(elapsed), None);
        for event in &events {
            core.log.note(event);
        }
        core.host.telemetry.close();
        if restored.is_none() && !core.suppressed {
            core.init = Some(elapsed);
        }
        if core.function.managed.is_some() {
            // Its invocations overlap.
            let sandbox = Arc::clone(&core.sandbox);
            core.share.set(&sandbox);
        }
        core.registration.is_now(EnvironmentState::Idle);
        let since = core.clock.now();
        self.into_state(Idle { since })
    }
}

impl Core {
    /// Starts the external extensions and, when they have registered, the runtime.
    async fn launch(&mut self) {
        let Some(launched) = &self.launched else {
            return;
        };
        let extensions = &self.host.extensions;
        for name in std::mem::take(&mut self.to_launch) {
            match blueprint::cannot_launch(&self.function, &name) {
                Some(why) => extensions.cannot_launch(&name, why),
                None if extensions.has_failed() => {}
                None => launched.start(&name),
            }
        }
        extensions.registered().await;
        launched.start_runtime();
    }

    /// The same, as far as it comes.
    async fn launch_or_fail(&mut self) -> Result<(), Cause> {
        if self.launched.is_none() {
            return Ok(());
        }
        let host = Arc::clone(&self.host);
        tokio::select! {
            biased;
            failure = host.extensions.failed() => Err(Cause::Extension(failure)),
            () = self.launch() => Ok(()),
        }
    }

    /// What there is to say when an init or a restore has ended.
    fn end_of_init(
        &self,
        is_restored: bool,
        duration: Duration,
        failure: Option<&Failure>,
    ) -> Vec<Platform> {
        let (kind, phase, failure) = (self.initialization, self.phase(), failure.cloned());
        if is_restored {
            return vec![
                Platform::RestoreRuntimeDone {
                    failure: failure.clone(),
                },
                Platform::RestoreReport { duration, failure },
            ];
        }
        let done = Platform::InitRuntimeDone {
            kind,
            phase,
            failure: failure.clone(),
        };
        let report = Platform::InitReport {
            kind,
            phase,
            duration,
            failure,
        };
        let states = self.host.extensions.states();
        let extensions = states.into_iter().map(Platform::Extension);
        std::iter::once(done)
            .chain(extensions)
            .chain([report])
            .collect()
    }
}

async fn initialise(
    core: &mut Core,
    started: Instant,
    is_booted: bool,
    is_restored: bool,
) -> Result<(), Cause> {
    core.launch_or_fail().await?;
    let host = Arc::clone(&core.host);
    let steps = async {
        if !is_booted {
            core.link.booted().await?;
        }
        let booted = started.elapsed();
        let readiness = if is_restored {
            core.link.restore(&core.variables).await?
        } else {
            let handler = &core.function.handler;
            // Started without its template, a version's hooks still run before its first invocation.
            let hooks = core.function.snap_start && core.initialization != SNAP_START;
            let variables = &core.variables;
            core.link.specialise(handler, variables, hooks).await?
        };
        if matches!(readiness, Readiness::Ready { .. }) {
            host.extensions.ready().await;
        }
        Ok((booted, readiness))
    };
    let reached = tokio::select! {
        biased;
        reached = steps => reached,
        failure = host.extensions.failed() => return Err(Cause::Extension(failure)),
        () = core.exit.ended() => Err(Lost::Ended),
    };
    match reached {
        Ok((booted, Readiness::Ready { code, init })) => {
            let total = started.elapsed();
            if is_restored {
                core.restore = Some(Restore {
                    duration: total,
                    hooks: init,
                });
            }
            if let Some(phases) = &mut core.first {
                phases.code = code;
                phases.init = init;
                // A runtime that does not tell is all its own.
                phases.runtime = total.saturating_sub(code + init).max(booted);
            }
            Ok(())
        }
        Ok((
            _,
            Readiness::Failed {
                error_type,
                document,
            },
        )) => Err(Cause::Error {
            error_type,
            document,
        }),
        Err(lost) => Err(Cause::Exited(core.exit.cause(&core.sandbox, lost).await)),
    }
}
