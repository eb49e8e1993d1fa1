//! One event on its way into a function, and what came of it.

use std::time::Duration;

use base::RequestId;
use bytes::Bytes;

/// Largest event or response of a synchronous invocation, in bytes (6 MB).
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// Most bytes of log that an invocation returns.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
pub const LOG_TAIL_BYTES: usize = 4 * 1024;

/// One event for a function. The payload is JSON; its size and syntax are the caller's to check.
#[derive(Clone, Debug)]
pub struct InvokeEvent {
    pub request_id: RequestId,
    pub payload: Bytes,
    /// The ARN as the caller named the function, with its qualifier if any.
    pub invoked_arn: String,
    /// `X-Amzn-Trace-Id`.
    pub trace: Option<String>,
    /// The client context as JSON text, already decoded from base64.
    pub client_context: Option<String>,
    /// The Cognito identity as JSON text.
    pub cognito_identity: Option<String>,
    /// Whether to return the last 4 KB of the log.
    pub tail: bool,
}

/// What a function that ran has answered, successfully or not.
#[derive(Clone, Debug)]
pub struct InvokeOutcome {
    /// The response, or the error document when the function failed.
    pub payload: Bytes,
    pub function_error: Option<FunctionError>,
    /// The last 4 KB of this invocation's log, START to REPORT, if asked for.
    pub log_tail: Option<String>,
    pub executed_version: String,
    pub start: StartTier,
    pub phases: Phases,
    /// The handler's time, as in REPORT.
    pub duration: Duration,
    /// Whole milliseconds of init and handler, rounded up.
    pub billed_ms: u64,
    /// Only when this invocation started an environment.
    pub init_duration: Option<Duration>,
    /// Highest use of memory by the environment, in MB; `None` where the kernel does not tell.
    pub max_memory_mb: Option<u32>,
}

impl InvokeOutcome {
    /// Whether this invocation had to start an environment.
    pub fn cold(&self) -> bool {
        self.start != StartTier::Warm
    }
}

/// `X-Amz-Function-Error`: the function failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionError {
    /// The runtime reported it. AWS answers `Unhandled` for every error its current runtimes
    /// report, so this is for callers that distinguish.
    Handled,
    /// The handler raised, the runtime ended, or the time was over.
    Unhandled,
}

impl FunctionError {
    /// The header's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Handled => "Handled",
            Self::Unhandled => "Unhandled",
        }
    }
}

/// How the environment of an invocation came to be, fastest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StartTier {
    /// It was there already.
    Warm,
    /// Forked from a process of this version that had completed its init.
    Template,
    /// A generic, booted process became the function.
    Parked,
    /// A fresh process.
    Exec,
}

impl StartTier {
    /// As `kagero ps` shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warm => "warm",
            Self::Template => "template",
            Self::Parked => "parked",
            Self::Exec => "exec",
        }
    }
}

/// Where the time of an invocation went. All but `handler` are zero on a warm one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Namespaces, mounts, limits: from the decision to start until the program runs.
    pub environment: Duration,
    /// The interpreter and the runtime client, until ready to load the function.
    pub runtime: Duration,
    /// Finding, reading and compiling the function's code.
    pub code: Duration,
    /// The function's own initialisation: the module's top level.
    pub init: Duration,
    /// The handler, with the event's way in and the response's way out.
    pub handler: Duration,
}
