//! The launcher of a function with extensions: `runtimes/extensions/launch.sh`, which starts
//! extensions and runtime and says how they end. It is not trusted: functions run as its user.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;

use super::ExtensionHost;
use crate::changes::Changes;

/// Where the launcher finds its commands, says how processes end, and has extensions print to.
pub(crate) const COMMAND_FD: i32 = 5;
pub(crate) const NEWS_FD: i32 = 6;
pub(crate) const OUTPUT_FD: i32 = 7;

/// The most that it has to say in its life: a line for each extension and for the runtime.
const MOST_NEWS: u64 = 64 << 10;
/// What a shell adds to the number of the signal that ended a process.
const SIGNALLED: i32 = 128;
/// What it says of a program that it could not execute, and of one that it did not find.
const NOT_EXECUTABLE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// The server's ends of the launcher's pipes.
#[derive(Debug)]
pub(crate) struct LauncherPipes {
    pub(crate) commands: OwnedFd,
    pub(crate) news: OwnedFd,
}

/// A launcher that runs.
#[derive(Debug)]
pub(crate) struct Launched {
    commands: Mutex<std::fs::File>,
    runtime: Arc<Changes<Option<ExitStatus>>>,
    reader: tokio::task::JoinHandle<()>,
}

impl Launched {
    /// Tells the extensions when one of them has ended. Needs a tokio runtime.
    pub(crate) fn new(
        LauncherPipes { commands, news }: LauncherPipes,
        host: Arc<ExtensionHost>,
    ) -> io::Result<Self> {
        let runtime = Arc::new(Changes::default());
        let news = pipe::Receiver::from_owned_fd(news)?;
        Ok(Self {
            commands: Mutex::new(commands.into()),
            reader: tokio::spawn(read(news, Arc::clone(&runtime), host)),
            runtime,
        })
    }

    /// Starts an extension.
    pub(crate) fn start(&self, extension: &str) {
        self.tell(&format!("extension {extension}\n"));
    }

    /// Starts the runtime.
    pub(crate) fn start_runtime(&self) {
        self.tell("runtime\n");
    }

    pub(crate) fn terminate_runtime(&self) {
        self.tell("term\n");
    }

    pub(crate) fn kill_runtime(&self) {
        self.tell("kill\n");
    }

    /// Resolves when the runtime has ended.
    pub(crate) async fn runtime_ended(&self) -> ExitStatus {
        self.runtime.until(|status| *status).await
    }

    /// How the runtime has ended.
    pub(crate) fn runtime_status(&self) -> Option<ExitStatus> {
        self.runtime.with(|status| *status)
    }

    fn tell(&self, command: &str) {
        // Short enough to fit the pipe whatever happens; one that is gone has been noticed elsewhere.
        if let Err(error) = self.commands.lock().write_all(command.as_bytes()) {
            tracing::debug!(%error, "tell the launcher of a function with extensions");
        }
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(
    news: pipe::Receiver,
    runtime: Arc<Changes<Option<ExitStatus>>>,
    host: Arc<ExtensionHost>,
) {
    let mut lines = BufReader::new(news.take(MOST_NEWS)).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match parse(&line) {
            Some((None, code)) => runtime.change(|status| *status = Some(exit_status(code))),
            Some((Some(extension), code)) => {
                host.extensions.ended(extension, &describe(code));
            }
            None => tracing::debug!(line, "a launcher said what means nothing"),
        }
    }
}

/// Whose end a line tells of, the runtime's if nobody's, and the status.
fn parse(line: &str) -> Option<(Option<&str>, i32)> {
    let (kind, rest) = line.split_once(' ')?;
    let (name, code) = rest.rsplit_once(' ')?;
    let code = code.parse().ok().filter(|code| (0..=255).contains(code))?;
    match kind {
        "runtime" => Some((None, code)),
        "extension" => Some((Some(name), code)),
        _ => None,
    }
}

/// The status of a process from what the shell says of it.
fn exit_status(code: i32) -> ExitStatus {
    match code - SIGNALLED {
        signal @ 1..=64 => ExitStatus::from_raw(signal),
        _ => ExitStatus::from_raw(code << 8),
    }
}

/// How an extension ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was never executed, and why.
    NotLaunched(&'static str),
    /// In Lambda's words.
    Exited(String),
}

fn describe(code: i32) -> Ended {
    match code {
        NOT_EXECUTABLE => Ended::NotLaunched("permission denied"),
        NOT_FOUND => Ended::NotLaunched("no such file or directory"),
        0 => Ended::Exited("exit code 0".to_owned()),
        code => Ended::Exited(crate::environment::describe_status(exit_status(code))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_who_ended_and_how() {
        assert_eq!(parse("runtime - 1"), Some((None, 1)));
        assert_eq!(parse("extension my ext 137"), Some((Some("my ext"), 137)));
        for line in [
            "",
            "runtime",
            "runtime -",
            "extension x y",
            "extension x 999",
            "other x 1",
        ] {
            assert_eq!(parse(line), None, "{line:?}");
        }
        assert_eq!(exit_status(137).signal(), Some(9));
        assert_eq!(exit_status(3).code(), Some(3));
        assert_eq!(describe(0), Ended::Exited("exit code 0".to_owned()));
        assert_eq!(describe(1), Ended::Exited("exit status 1".to_owned()));
        assert_eq!(describe(137), Ended::Exited("signal: killed".to_owned()));
        assert_eq!(describe(126), Ended::NotLaunched("permission denied"));
    }
}
