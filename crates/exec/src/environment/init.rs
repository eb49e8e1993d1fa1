//! The init phase: a program that runs becomes a function that waits.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use service::ports::LogStream;

use super::exit::ExitCause;
use super::link::{Lost, Readiness};
use super::{Booting, Core, Environment, Idle, Parked};
use crate::info::EnvironmentState;
use crate::invocation::{Phases, StartTier};
use crate::logs::report::{self, Failure};

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
}

impl Cause {
    /// As REPORT and INIT_REPORT show it.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::Timeout => Failure::Timeout,
            Self::Error { error_type, .. } => Failure::Error(error_type.clone()),
            Self::Exited(cause) => Failure::Error(cause.error_type().to_owned()),
        }
    }
}

impl Environment<Booting> {
    /// Boots the runtime and makes it its function, within a time limit.
    pub(crate) async fn init(mut self, limit: Duration) -> Result<Environment<Idle>, FailedInit> {
        let clock = self.core.clock.clone();
        let started = self.state.since;
        let initialised = tokio::select! {
            biased;
            initialised = initialise(&mut self.core, started) => initialised,
            () = clock.sleep(limit) => Err(Cause::Timeout),
        };
        match initialised {
            Ok(()) => Ok(self.into_state(Parked).specialised(started.elapsed())),
            Err(cause) => Err(self.fail(cause, started.elapsed())),
        }
    }

    fn fail(mut self, cause: Cause, elapsed: Duration) -> FailedInit {
        let core = &mut self.core;
        if let Err(error) = core.sandbox.kill() {
            tracing::warn!(%error, "kill an environment whose init failed");
        }
        let phase = if core.suppressed { "invoke" } else { "init" };
        let line = report::init_report(elapsed, phase, &cause.failure());
        let log_tail = core.log.finish([line]);
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

impl Environment<Parked> {
    fn specialised(mut self, elapsed: Duration) -> Environment<Idle> {
        let core = &mut self.core;
        if !core.suppressed {
            core.init = Some(elapsed);
        }
        // Off this path: it takes some writes to control files.
        let (sandbox, cpu_millis) = (Arc::clone(&core.sandbox), core.cpu_millis);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = sandbox.set_cpu_millis(cpu_millis) {
                tracing::debug!(%error, "limit the CPU of an environment after its init");
            }
        });
        core.registration.is_now(EnvironmentState::Idle);
        let since = core.clock.now();
        self.into_state(Idle { since })
    }
}

async fn initialise(core: &mut Core, started: Instant) -> Result<(), Cause> {
    let steps = async {
        core.link.booted().await?;
        let booted = started.elapsed();
        let handler = &core.function.handler;
        Ok((
            booted,
            core.link.specialise(handler, &core.variables).await?,
        ))
    };
    let reached = tokio::select! {
        biased;
        reached = steps => reached,
        () = core.exit.ended() => Err(Lost::Ended),
    };
    match reached {
        Ok((booted, Readiness::Ready { code, init })) => {
            let total = started.elapsed();
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
