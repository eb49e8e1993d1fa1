//! The lines that Lambda itself writes into a function's log.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html>

use std::fmt::Write;
use std::time::Duration;

use base::{RequestId, Timestamp};

use crate::extensions::ExtensionState;
use crate::telemetry::{Api, Category};

/// How an invocation or an init phase ended, where it did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    Timeout,
    /// With the error's type.
    Error(String),
}

/// The figures of a REPORT line.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) request_id: RequestId,
    pub(crate) duration: Duration,
    pub(crate) billed_ms: u64,
    pub(crate) memory_mb: u32,
    pub(crate) max_memory_mb: Option<u32>,
    pub(crate) init: Option<Duration>,
    pub(crate) restore: Option<Restore>,
    pub(crate) failure: Option<Failure>,
    /// The trace that the invocation belongs to.
    pub(crate) trace: Option<String>,
}

/// How an environment came to be of a snapshot.
/// <https://docs.aws.amazon.com/lambda/latest/dg/snapstart-monitoring.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Restore {
    pub(crate) duration: Duration,
    /// The part in which the function's own code ran.
    pub(crate) hooks: Duration,
}

impl Restore {
    pub(crate) fn billed_ms(&self) -> u64 {
        billed_ms(None, self.hooks)
    }
}

pub(crate) fn restore_start(runtime: &str, runtime_arn: &str) -> String {
    format!("RESTORE_START Runtime Version: {runtime}\tRuntime Version ARN: {runtime_arn}\n")
}

pub(crate) fn restore_report(duration: Duration, failure: Option<&Failure>) -> String {
    let mut line = format!(
        "RESTORE_REPORT Restore Duration: {:.2} ms",
        millis(duration)
    );
    line.extend(failure.map(status));
    line.push('\n');
    line
}

pub(crate) fn init_start(runtime: &str, runtime_arn: &str) -> String {
    format!("INIT_START Runtime Version: {runtime}\tRuntime Version ARN: {runtime_arn}\n")
}

/// `phase` is `init`, or `invoke` when the init runs again within the first invocation.
pub(crate) fn init_report(duration: Duration, phase: &str, failure: &Failure) -> String {
    let mut line = format!(
        "INIT_REPORT Init Duration: {:.2} ms\tPhase: {phase}",
        millis(duration)
    );
    line.push_str(&status(failure));
    line.push('\n');
    line
}

pub(crate) fn start(request_id: RequestId, version: &str) -> String {
    format!("START RequestId: {request_id} Version: {version}\n")
}

pub(crate) fn end(request_id: RequestId) -> String {
    format!("END RequestId: {request_id}\n")
}

/// Such as `2026-11-23T20:35:44.123Z <id> Task timed out after 3.00 seconds`.
pub(crate) fn timed_out(at: Timestamp, request_id: RequestId, timeout: Duration) -> String {
    format!(
        "{} {request_id} Task timed out after {:.2} seconds",
        at.iso8601_millis(),
        timeout.as_secs_f64()
    )
}

impl Report {
    pub(crate) fn line(&self) -> String {
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {:.2} ms\tBilled Duration: {} ms\tMemory Size: {} MB\t",
            self.request_id,
            millis(self.duration),
            self.billed_ms,
            self.memory_mb
        );
        // Writing to a string cannot fail.
        if let Some(max) = self.max_memory_mb {
            let _ = write!(line, "Max Memory Used: {max} MB\t");
        }
        if let Some(init) = self.init {
            let _ = write!(line, "Init Duration: {:.2} ms\t", millis(init));
        }
        if let Some(restore) = &self.restore {
            let (duration, billed) = (millis(restore.duration), restore.billed_ms());
            let _ = write!(
                line,
                "Restore Duration: {duration:.2} ms\tBilled Restore Duration: {billed} ms\t"
            );
        }
        if let Some(failure) = &self.failure {
            line.truncate(line.trim_end_matches('\t').len());
            line.push_str(&status(failure));
        }
        line.push('\n');
        line
    }
}

/// `EXTENSION`, its name, its state and what it asked for.
pub(crate) fn extension(extension: &ExtensionState) -> String {
    let ExtensionState {
        name,
        state,
        events,
        error_type,
    } = extension;
    let mut line = format!(
        "EXTENSION\tName: {name}\tState: {state}\tEvents: [{}]",
        events.join(", ")
    );
    if let Some(error_type) = error_type {
        let _ = write!(line, "\tError Type: {error_type}");
    }
    line.push('\n');
    line
}

/// `TELEMETRY` or `LOGS`, and what an extension has subscribed to.
pub(crate) fn subscription(api: Api, name: &str, categories: &[Category]) -> String {
    let api = match api {
        Api::Telemetry => "TELEMETRY",
        Api::Logs => "LOGS",
    };
    let types: Vec<_> = categories.iter().map(|category| category.title()).collect();
    let types = types.join(", ");
    format!("{api}\tName: {name}\tState: Subscribed\tTypes: [{types}]\n")
}

/// Billed time: whole milliseconds of init and handler together, rounded up, at least one.
/// <https://aws.amazon.com/lambda/pricing/>
pub(crate) fn billed_ms(init: Option<Duration>, duration: Duration) -> u64 {
    let micros = (init.unwrap_or_default() + duration).as_micros();
    u64::try_from(micros.div_ceil(1_000))
        .unwrap_or(u64::MAX)
        .max(1)
}

fn status(failure: &Failure) -> String {
    match failure {
        Failure::Timeout => "\tStatus: timeout".to_owned(),
        Failure::Error(error_type) => format!("\tStatus: error\tError Type: {error_type}"),
    }
}

pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            request_id: RequestId::parse("0a1b2c3d-0000-4000-8000-000000000000").unwrap(),
            duration: Duration::from_micros(1_230),
            billed_ms: 93,
            memory_mb: 128,
            max_memory_mb: Some(36),
            init: Some(Duration::from_micros(90_999)),
            restore: None,
            failure: None,
            trace: None,
        }
    }

    #[test]
    fn lines_are_lambdas() {
        let id = report().request_id;
        assert_eq!(
            report().line(),
            "REPORT RequestId: 0a1b2c3d-0000-4000-8000-000000000000\tDuration: 1.23 ms\t\
             Billed Duration: 93 ms\tMemory Size: 128 MB\tMax Memory Used: 36 MB\t\
             Init Duration: 91.00 ms\t\n"
        );
        let failed = Report {
            init: None,
            failure: Some(Failure::Timeout),
            ..report()
        };
        assert!(
            failed
                .line()
                .ends_with("Max Memory Used: 36 MB\tStatus: timeout\n")
        );
        assert_eq!(
            start(id, "$LATEST"),
            format!("START RequestId: {id} Version: $LATEST\n")
        );
        assert_eq!(
            timed_out(Timestamp::from_millis(0), id, Duration::from_secs(3)),
            format!("1970-01-01T00:00:00.000Z {id} Task timed out after 3.00 seconds")
        );
        assert_eq!(
            init_report(Duration::from_secs(10), "init", &Failure::Timeout),
            "INIT_REPORT Init Duration: 10000.00 ms\tPhase: init\tStatus: timeout\n"
        );
    }

    #[test]
    fn what_was_restored_says_so_instead() {
        let restore = Restore {
            duration: Duration::from_micros(4_560),
            hooks: Duration::from_micros(1_200),
        };
        let restored = Report {
            init: None,
            restore: Some(restore),
            ..report()
        };
        let end = "Restore Duration: 4.56 ms\tBilled Restore Duration: 2 ms\t\n";
        assert!(restored.line().ends_with(end), "{}", restored.line());
        assert_eq!(
            restore_report(restore.duration, None),
            "RESTORE_REPORT Restore Duration: 4.56 ms\n"
        );
        assert_eq!(
            restore_report(Duration::from_secs(10), Some(&Failure::Timeout)),
            "RESTORE_REPORT Restore Duration: 10000.00 ms\tStatus: timeout\n"
        );
    }

    #[test]
    fn billing_rounds_init_and_handler_up_together() {
        let micros = Duration::from_micros;
        assert_eq!(billed_ms(None, micros(0)), 1);
        assert_eq!(billed_ms(None, micros(1_000)), 1);
        assert_eq!(billed_ms(None, micros(1_001)), 2);
        assert_eq!(billed_ms(Some(micros(90_600)), micros(1_300)), 92);
    }
}
