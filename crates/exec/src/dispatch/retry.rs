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
    Cause, FailedInit, Launcher, Next, Ran, StartError, Starting, error_document, timed_out,
};
use crate::error::InvokeError;
use crate::function::FunctionSpec;
use crate::invocation::{FunctionError, InvokeEvent, InvokeOutcome, Phases, StartTier};
use crate::logs::cut_tail;
use crate::logs::report::{self, Failure, Report};

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
    let turn = pool.turn().await.ok_or(InvokeError::ShuttingDown)?;
    let starting = Starting {
        function,
        log_stream,
        tail: event.tail,
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
    reason: &str,
    event: &InvokeEvent,
) -> InvokeOutcome {
    let error_type = "Runtime.InvalidEntrypoint";
    let message = format!("RequestId: {} Error: {reason}", event.request_id);
    let refused = Refused {
        function,
        log_stream: launcher.new_stream(function),
        log: String::new(),
        document: error_document(error_type, &message),
        note: Some(format!("{message}\n{error_type}\n")),
        failure: Failure::Error(error_type.to_owned()),
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
    note: Option<String>,
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
        let (document, note) = document(function, failed.cause, event.request_id);
        if failure == Failure::Timeout {
            duration = function.timeout;
        }
        Self {
            function,
            log_stream: failed.log_stream,
            log: failed.log_tail.unwrap_or_default(),
            document,
            note,
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
        let note = match self.failure {
            Failure::Timeout => Some(report::timed_out(
                now,
                event.request_id,
                self.function.timeout,
            )),
            Failure::Error(_) => self.note,
        };
        let billed_ms = report::billed_ms(None, self.duration);
        let report = Report {
            request_id: event.request_id,
            duration: self.duration,
            billed_ms,
            memory_mb: self.function.memory_mb,
            max_memory_mb: self.max_memory_mb,
            init: None,
            failure: Some(self.failure),
        };
        let start = report::start(event.request_id, version);
        let lines = [
            Some(start),
            note,
            Some(report::end(event.request_id)),
            Some(report.line()),
        ];
        let lines: Vec<String> = lines.into_iter().flatten().collect();
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
) -> (Bytes, Option<String>) {
    match cause {
        Cause::Timeout => (timed_out(request_id, function.timeout), None),
        Cause::Error { document, .. } => (document, None),
        Cause::Exited(cause) => {
            let note = format!("{}\n{}\n", cause.message(request_id), cause.error_type());
            (cause.document(request_id), Some(note))
        }
    }
}

impl From<StartError> for InvokeError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Other(error) => error,
            StartError::Entrypoint(cause) => Self::Internal {
                action: "start the function's program",
                cause,
            },
        }
    }
}
