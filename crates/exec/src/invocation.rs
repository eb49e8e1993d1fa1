//! One event on its way into a function, and what came of it.

use std::time::Duration;

use base::RequestId;
use bytes::Bytes;
use tokio::sync::mpsc;

/// Largest event or response of a synchronous invocation, in bytes (6 MB).
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_PAYLOAD_BYTES: usize = 6 * 1024 * 1024;

/// Largest response: what Lambda allows on top of that.
pub const MAX_RESPONSE_BYTES: usize = MAX_PAYLOAD_BYTES + 100;

/// Most bytes of log that an invocation returns.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
pub const LOG_TAIL_BYTES: usize = 4 * 1024;

/// Largest streamed response, in bytes (200 MB).
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_STREAMED_BYTES: usize = 200 * 1024 * 1024;

/// Pieces of a response that may wait for their caller. A function that is faster than its caller
/// waits as well.
const PIECES_WAITING: usize = 4;

/// Takes a response while the function writes it.
#[derive(Clone, Debug)]
pub struct ResponseSink {
    pieces: mpsc::Sender<Bytes>,
    /// In bytes; a longer response is an error.
    pub(crate) limit: usize,
}

impl ResponseSink {
    /// A sink and where the pieces come out. Those of a function that does not stream do not: its
    /// response is in the outcome.
    pub fn new(limit: usize) -> (Self, mpsc::Receiver<Bytes>) {
        let (pieces, receiver) = mpsc::channel(PIECES_WAITING);
        (Self { pieces, limit }, receiver)
    }

    /// Waits for room. A receiver that is gone takes everything.
    pub(crate) async fn send(&self, piece: Bytes) {
        // An error says that nobody listens any more, which is no concern of the function's.
        let _ = self.pieces.send(piece).await;
    }
}

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
    /// Whom it is for, where the function has tenants: they share no environment.
    pub tenant: Option<String>,
    /// Whether to return the last 4 KB of the log.
    pub tail: bool,
    /// Whether it comes from the queue of asynchronous invocations, which have no rate but that of
    /// the concurrency.
    pub asynchronous: bool,
    /// Takes a streamed response piece by piece; without it, one is gathered like any other.
    pub sink: Option<ResponseSink>,
}

/// What a function that ran has answered, successfully or not.
#[derive(Clone, Debug)]
pub struct InvokeOutcome {
    /// The response, as far as it has not gone to the event's sink, or the error document when the
    /// function failed.
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
    /// The same, forked for this function from a process that has everything generic loaded.
    Zygote,
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
            Self::Zygote => "zygote",
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
