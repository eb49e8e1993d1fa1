//! Runs a failed init again within the invocation that waits for it, as Lambda does, and answers
//! for functions that cannot begin at all.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>

use std::sync::Arc;
use std::time::{Duration, Instant};

use base::RequestId;
use bytes::Bytes;
use service::ports::{LogLine, LogStream};

use super::pool::Pool;
use crate::environment::{
    Cause, FailedInit, Launcher, Next, Ran, StartError, Starting, Unrunnable, error_document,
    timed_out,
};
use crate::error::InvokeError;
use crate::function::FunctionSpec;
use crate::invocation::{FunctionError, InvokeEvent, InvokeOutcome, Phases, StartTier};
use crate::logs::report::{self, Failure, Report};
use crate::logs::{Platform, cut_tail};

/// Starts the environment anew under the function's own timeout, and runs the event in it.
pub(crate) async fn run_again(
    pool: &Pool,
    failed: FailedInit,
    event: &InvokeEvent,
) -> Result<Ran, StartError> {
    let started = Instant::now();
    let launcher = &pool.launcher;
    let function = Arc::clone(&pool.function);
    let log_stream = Some(failed.log_stream);
    let turn = pool.turn(false).await.ok_or(InvokeError::ShuttingDown)?;
    let starting = Starting {
        function,
        log_stream,
        tail: event.tail,
        provisioned: false,
        template: false,
    };
    let environment = launcher.start(starting).await?;
    drop(turn);
    match environment.init(pool.function.timeout).await {
        Ok(environment) => Ok(environment.invoke(event, started.elapsed()).await),
        Err(failed) => {
            let outcome = Refused::init(&pool.function, failed, event).outcome(launcher, event);
            Ok(Ran {
                outcome,
                next: Next::Gone,
            })
        }
    }
}

/// The outcome of a function whose package has no program to run.
pub(crate) fn entrypoint_failure(
    launcher: &Launcher,
    function: &Arc<FunctionSpec>,
    program: &Unrunnable,
    event: &InvokeEvent,
) -> InvokeOutcome {
    let Unrunnable { error_type, reason } = program;
    let message = format!("RequestId: {} Error: {reason}", event.request_id);
    let refused = Refused {
        function,
        log_stream: launcher.new_stream(function),
        log: String::new(),
        document: error_document(error_type, &message),
        fault: Some(Platform::Fault {
            message,
            error_type: Some(error_type),
        }),
        failure: Failure::Error((*error_type).to_owned()),
        duration: Duration::ZERO,
        tier: StartTier::Exec,
        phases: Phases::default(),
        max_memory_mb: None,
    };
    refused.outcome(launcher, event)
}

/// A function that never saw its event.
struct Refused<'a> {
    function: &'a Arc<FunctionSpec>,
    log_stream: Arc<LogStream>,
    /// The tail so far.
    log: String,
    document: Bytes,
    fault: Option<Platform>,
    failure: Failure,
    duration: Duration,
    tier: StartTier,
    phases: Phases,
    max_memory_mb: Option<u32>,
}

impl<'a> Refused<'a> {
    fn init(function: &'a Arc<FunctionSpec>, failed: FailedInit, event: &InvokeEvent) -> Self {
        let failure = failed.cause.failure();
        let mut duration = failed.elapsed;
        let (document, fault) = document(function, failed.cause, event.request_id);
        if failure == Failure::Timeout {
            duration = function.timeout;
        }
        Self {
            function,
            log_stream: failed.log_stream,
            log: failed.log_tail.unwrap_or_default(),
            document,
            fault,
            failure,
            duration,
            tier: failed.tier,
            phases: failed.phases,
            max_memory_mb: failed.max_memory_mb,
        }
    }

    fn outcome(self, launcher: &Launcher, event: &InvokeEvent) -> InvokeOutcome {
        let now = launcher.ports.clock.now();
        let version = &self.function.key.version;
        let fault = match self.failure {
            Failure::Timeout => Some(Platform::Fault {
                message: report::timed_out(now, event.request_id, self.function.timeout),
                error_type: None,
            }),
            Failure::Error(_) => self.fault,
        };
        let billed_ms = report::billed_ms(None, self.duration);
        let report = Report {
            request_id: event.request_id,
            duration: self.duration,
            billed_ms,
            memory_mb: self.function.memory_mb,
            max_memory_mb: self.max_memory_mb,
            init: None,
            restore: None,
            failure: Some(self.failure),
            trace: event.trace.clone(),
        };
        let start = Platform::Start {
            request_id: event.request_id,
            version: version.clone(),
            trace: event.trace.clone(),
        };
        let events = [
            Some(start),
            fault,
            Some(Platform::End(event.request_id)),
            Some(Platform::Report(report)),
        ];
        let logging = self.function.logging;
        let lines = events.iter().flatten();
        let lines: Vec<String> = lines
            .filter_map(|event| event.logged(logging, now))
            .collect();
        let log_tail = event.tail.then(|| cut_tail(self.log + &lines.concat()));
        let lines = lines
            .into_iter()
            .map(|message| LogLine { at: now, message })
            .collect();
        launcher.ports.logs.append(&self.log_stream, lines);
        InvokeOutcome {
            payload: self.document,
            function_error: Some(FunctionError::Unhandled),
            log_tail,
            executed_version: version.clone(),
            start: self.tier,
            phases: self.phases,
            duration: self.duration,
            billed_ms,
            init_duration: None,
            max_memory_mb: self.max_memory_mb,
        }
    }
}

/// What the caller receives, and what the log says beside it.
fn document(
    function: &FunctionSpec,
    cause: Cause,
    request_id: RequestId,
) -> (Bytes, Option<Platform>) {
    match cause {
        Cause::Timeout => (timed_out(request_id, function.timeout), None),
        Cause::Error { document, .. } => (document, None),
        Cause::Extension(failure) => {
            let message = failure.words(request_id);
            let document = error_document(failure.error_type, &message);
            let fault = Platform::Fault {
                message,
                error_type: Some(failure.error_type),
            };
            (document, Some(fault))
        }
        Cause::Exited(cause) => {
            let fault = Platform::Fault {
                message: cause.message(request_id),
                error_type: Some(cause.error_type()),
            };
            (cause.document(request_id), Some(fault))
        }
    }
}

impl From<StartError> for InvokeError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Other(error) => error,
            StartError::Entrypoint(program) => Self::Internal {
                action: "start the function's program",
                cause: program.reason,
            },
        }
    }
}
