//! How a runtime ended, in Lambda's words.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use base::RequestId;
use bytes::Bytes;
use sandbox::Sandbox;
use tokio::io::unix::AsyncFd;

use super::link::Lost;
use crate::extensions::Launched;
use crate::readiness::watch;

/// How long the kernel may take to end a sandbox whose runtime has ended.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells when a runtime has ended, without a thread to wait for it: with its sandbox, or before that
/// where a launcher started it.
#[derive(Debug)]
pub(crate) struct ExitWatch {
    sandbox: AsyncFd<OwnedFd>,
    launched: Option<Arc<Launched>>,
}

/// Why the runtime is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExitCause {
    status: Option<ExitStatus>,
    /// The kernel killed it at its memory limit.
    pub(crate) out_of_memory: bool,
}

impl ExitWatch {
    pub(crate) fn new(sandbox: &Sandbox) -> io::Result<Self> {
        let pidfd = sandbox.pidfd().try_clone_to_owned()?;
        Ok(Self {
            sandbox: watch(pidfd)?,
            launched: None,
        })
    }

    /// Watches the runtime that a launcher starts as well.
    pub(super) fn and(self, launched: Option<Arc<Launched>>) -> Self {
        Self { launched, ..self }
    }

    /// Resolves when the runtime has ended.
    pub(crate) async fn ended(&self) {
        match &self.launched {
            None => self.sandbox_ended().await,
            Some(launched) => tokio::select! {
                biased;
                _ = launched.runtime_ended() => {}
                () = self.sandbox_ended() => {}
            },
        }
    }

    /// Resolves when the sandbox has ended.
    pub(super) async fn sandbox_ended(&self) {
        if let Err(error) = self.sandbox.readable().await {
            tracing::warn!(%error, "watch for the end of an environment");
        }
    }

    /// Why the runtime of a sandbox that is ending has ended; makes sure that it does.
    pub(crate) async fn cause(&self, sandbox: &Arc<Sandbox>, lost: Lost) -> ExitCause {
        if lost == Lost::Garbled {
            // Nobody waits for one that will not end by itself.
            let _ = sandbox.kill();
        }
        if tokio::time::timeout(PATIENCE, self.ended()).await.is_err() {
            // It closed its connection and lives on: useless, and about to be dropped.
            let _ = sandbox.kill();
        }
        let launched = self.launched.as_ref();
        let status = launched.and_then(|launched| launched.runtime_status());
        let exit = || sandbox.try_wait().ok().flatten();
        ExitCause {
            status: status.or_else(|| exit().map(|exit| exit.status)),
            out_of_memory: sandbox.oom_kills().unwrap_or(0) > 0,
        }
    }
}

impl ExitCause {
    /// The type as REPORT shows it.
    pub(crate) fn error_type(self) -> &'static str {
        if self.out_of_memory {
            "Runtime.OutOfMemory"
        } else {
            "Runtime.ExitError"
        }
    }

    /// Such as `RequestId: <id> Error: Runtime exited with error: exit status 1`.
    pub(crate) fn message(self, request_id: RequestId) -> String {
        format!("RequestId: {request_id} Error: {}", self.reason())
    }

    /// The document that the caller receives.
    pub(crate) fn document(self, request_id: RequestId) -> Bytes {
        error_document(self.error_type(), &self.message(request_id))
    }

    fn reason(self) -> String {
        let killed = "Runtime exited with error: signal: killed".to_owned();
        match self.status {
            _ if self.out_of_memory => killed,
            None => killed,
            Some(status) if status.success() => {
                "Runtime exited without providing a reason".to_owned()
            }
            Some(status) => format!("Runtime exited with error: {}", describe_status(status)),
        }
    }
}

/// Such as `exit status 1` or `signal: killed`.
pub(crate) fn describe_status(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal: {}", signal_name(signal)),
        (None, None) => "signal: killed".to_owned(),
    }
}

/// The names that Lambda, written in Go, has for signals.
fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        10 => "user defined signal 1",
        11 => "segmentation fault",
        12 => "user defined signal 2",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        31 => "bad system call",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

/// The error document that Lambda itself answers with.
pub(crate) fn error_document(error_type: &str, message: &str) -> Bytes {
    // In Lambda's order, which a map of serde_json keeps or not as its features are.
    let [error_type, message] = [error_type, message].map(serde_json::Value::from);
    format!(r#"{{"errorType":{error_type},"errorMessage":{message}}}"#).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_are_worded_as_lambda_words_them() {
        let id = RequestId::parse("0a1b2c3d-0000-4000-8000-000000000000").unwrap();
        let message = |raw: i32, out_of_memory| {
            let status = Some(ExitStatus::from_raw(raw));
            ExitCause {
                status,
                out_of_memory,
            }
            .message(id)
        };
        let expected = |reason: &str| format!("RequestId: {id} Error: {reason}");
        assert_eq!(
            message(1 << 8, false),
            expected("Runtime exited with error: exit status 1")
        );
        assert_eq!(
            message(0, false),
            expected("Runtime exited without providing a reason")
        );
        assert_eq!(
            message(11, false),
            expected("Runtime exited with error: signal: segmentation fault")
        );
        assert_eq!(
            message(9, true),
            expected("Runtime exited with error: signal: killed")
        );
        assert_eq!(
            error_document("Sandbox.Timedout", "m"),
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"m"}"#
        );
    }
}
