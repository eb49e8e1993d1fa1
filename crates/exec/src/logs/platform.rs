//! What Lambda itself says about a function: events, each as a line of the text format, as JSON, and
//! as telemetry.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>

use std::time::Duration;

use base::{RequestId, Timestamp};
use serde_json::json;

use super::report::{self, Failure, Report};
use crate::extensions::ExtensionState;
use crate::logging::{LogFormat, LogLevel, Logging};
use crate::telemetry::{Api, Category};

/// One event of Lambda's own.
#[derive(Clone, Debug)]
pub(crate) enum Platform {
    InitStart(Init),
    InitRuntimeDone {
        kind: &'static str,
        phase: &'static str,
        failure: Option<Failure>,
    },
    InitReport {
        kind: &'static str,
        phase: &'static str,
        duration: Duration,
        failure: Option<Failure>,
    },
    RestoreStart(Init),
    RestoreRuntimeDone {
        failure: Option<Failure>,
    },
    RestoreReport {
        duration: Duration,
        failure: Option<Failure>,
    },
    Start {
        request_id: RequestId,
        version: String,
        trace: Option<String>,
    },
    RuntimeDone(RuntimeDone),
    /// The end of one of several invocations.
    Finished(Finished),
    /// Only the text format has it.
    End(RequestId),
    Report(Report),
    /// How an extension came through the init.
    Extension(ExtensionState),
    /// An extension wants to have telemetry.
    Subscription {
        api: Api,
        name: String,
        categories: Vec<Category>,
    },
    /// What kept an invocation from its end, in words.
    Fault {
        message: String,
        error_type: Option<&'static str>,
    },
    /// What is unusual about this server, for the function's owner.
    Note(String),
}

/// What an environment is made of.
#[derive(Clone, Debug)]
pub(crate) struct Init {
    /// `on-demand`, `provisioned-concurrency` or `snap-start`.
    pub(crate) kind: &'static str,
    /// `init`, or `invoke` when the init runs again within the first invocation.
    pub(crate) phase: &'static str,
    pub(crate) runtime: String,
    pub(crate) runtime_arn: String,
    pub(crate) function: String,
    pub(crate) version: String,
    /// The name of the log stream, which no other environment has.
    pub(crate) instance: String,
    pub(crate) memory_mb: u32,
}

/// How the runtime came through an invocation.
#[derive(Clone, Debug)]
pub(crate) struct RuntimeDone {
    pub(crate) request_id: RequestId,
    pub(crate) failure: Option<Failure>,
    /// When the event was handed over, and how long the answer took from then.
    pub(crate) began: Timestamp,
    pub(crate) duration: Duration,
    /// From the answer to when the runtime asked for the next event.
    pub(crate) overhead: Duration,
    pub(crate) produced_bytes: usize,
    pub(crate) trace: Option<String>,
}

/// How one of several invocations at once ended. What the environment is and uses is no single
/// one's.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) request_id: RequestId,
    pub(crate) failure: Option<Failure>,
    pub(crate) began: Timestamp,
    pub(crate) duration: Duration,
    /// How long the answer took to begin.
    pub(crate) latency: Duration,
    pub(crate) trace: Option<String>,
}

impl Platform {
    /// The event as the function's log has it, if the log has it.
    pub(crate) fn logged(&self, logging: Logging, at: Timestamp) -> Option<String> {
        match logging.format {
            LogFormat::Text => self.text(),
            LogFormat::Json if self.level() < logging.system => None,
            LogFormat::Json if matches!(self, Self::End(_)) => None,
            LogFormat::Json => self.json(at).map(|mut event| {
                event.push('\n');
                event
            }),
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::InitStart(init) if init.phase == "init" && !init.runtime.is_empty() => {
                Some(report::init_start(&init.runtime, &init.runtime_arn))
            }
            Self::RestoreStart(init) => {
                Some(report::restore_start(&init.runtime, &init.runtime_arn))
            }
            Self::InitReport {
                phase,
                duration,
                failure: Some(failure),
                ..
            } => Some(report::init_report(*duration, phase, failure)),
            Self::RestoreReport { duration, failure } => {
                Some(report::restore_report(*duration, failure.as_ref()))
            }
            Self::Start {
                request_id,
                version,
                ..
            } => Some(report::start(*request_id, version)),
            Self::End(request_id) => Some(report::end(*request_id)),
            Self::Report(report) => Some(report.line()),
            Self::Fault {
                message,
                error_type,
            } => Some(match error_type {
                Some(error_type) => format!("{message}\n{error_type}\n"),
                None => format!("{message}\n\n"),
            }),
            Self::Note(text) => Some(format!("[kagero] {text}\n")),
            Self::Extension(extension) => Some(report::extension(extension)),
            Self::Subscription {
                api,
                name,
                categories,
            } => Some(report::subscription(*api, name, categories)),
            Self::InitStart(_)
            | Self::InitReport { .. }
            | Self::InitRuntimeDone { .. }
            | Self::RestoreRuntimeDone { .. }
            | Self::RuntimeDone(_)
            | Self::Finished(_) => None,
        }
    }

    /// How important Lambda takes it to be.
    fn level(&self) -> LogLevel {
        match self {
            Self::InitRuntimeDone { failure: None, .. }
            | Self::RestoreRuntimeDone { failure: None }
            | Self::RuntimeDone(RuntimeDone { failure: None, .. })
            | Self::InitReport {
                kind: "on-demand",
                failure: None,
                ..
            } => LogLevel::Debug,
            Self::InitRuntimeDone { .. }
            | Self::RestoreRuntimeDone { .. }
            | Self::RuntimeDone(_)
            | Self::InitReport {
                failure: Some(_), ..
            }
            | Self::RestoreReport {
                failure: Some(_), ..
            }
            | Self::Report(Report {
                failure: Some(_), ..
            })
            | Self::Finished(Finished {
                failure: Some(_), ..
            })
            | Self::Extension(ExtensionState {
                error_type: Some(_),
                ..
            })
            | Self::Fault { .. }
            | Self::Note(_) => LogLevel::Warn,
            Self::InitStart(_)
            | Self::InitReport { .. }
            | Self::RestoreStart(_)
            | Self::RestoreReport { .. }
            | Self::Start { .. }
            | Self::End(_)
            | Self::Extension(_)
            | Self::Subscription { .. }
            | Self::Finished(_)
            | Self::Report(_) => LogLevel::Info,
        }
    }

    /// The event as JSON on one line, without its end.
    pub(crate) fn json(&self, at: Timestamp) -> Option<String> {
        if let Self::Note(text) = self {
            let time = at.iso8601_millis();
            let message = format!("[kagero] {text}");
            let line = json!({ "timestamp": time, "level": "WARN", "message": message });
            return Some(line.to_string());
        }
        self.telemetry(at)
    }

    /// The event as telemetry has it, if it does.
    pub(crate) fn telemetry(&self, at: Timestamp) -> Option<String> {
        let time = at.iso8601_millis();
        let (kind, record) = self.record()?;
        // In Lambda's order, which a map would not keep.
        Some(format!(
            "{{\"time\":\"{time}\",\"type\":\"{kind}\",\"record\":{record}}}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1);

    fn json_of(event: &Platform) -> Value {
        serde_json::from_str(&event.json(AT).unwrap()).unwrap()
    }

    fn all(system: LogLevel) -> Logging {
        Logging {
            format: LogFormat::Json,
            application: LogLevel::Trace,
            system,
        }
    }

    fn request_id() -> RequestId {
        RequestId::parse("0a1b2c3d-0000-4000-8000-000000000000").unwrap()
    }

    fn report(failure: Option<Failure>) -> Report {
        Report {
            request_id: request_id(),
            duration: Duration::from_micros(1_230),
            billed_ms: 93,
            memory_mb: 128,
            max_memory_mb: Some(36),
            init: Some(Duration::from_micros(90_999)),
            restore: None,
            failure,
            trace: None,
        }
    }

    #[test]
    fn a_report_is_lambdas() {
        let event = json_of(&Platform::Report(report(Some(Failure::Timeout))));
        assert_eq!(
            event,
            json!({
                "time": "1970-01-01T00:00:00.001Z",
                "type": "platform.report",
                "record": {
                    "requestId": "0a1b2c3d-0000-4000-8000-000000000000",
                    "metrics": {
                        "durationMs": 1.23, "billedDurationMs": 93, "memorySizeMB": 128,
                        "maxMemoryUsedMB": 36, "initDurationMs": 90.999,
                    },
                    "status": "timeout",
                }
            })
        );
    }

    #[test]
    fn one_of_several_reports_its_own_time_alone() {
        let finished = |failure| {
            let event = Platform::Finished(Finished {
                request_id: request_id(),
                failure,
                began: AT,
                duration: Duration::from_millis(5),
                latency: Duration::from_millis(2),
                trace: None,
            });
            json_of(&event)["record"].clone()
        };
        assert_eq!(
            finished(None),
            json!({
                "requestId": "0a1b2c3d-0000-4000-8000-000000000000",
                "metrics": { "durationMs": 5.0 },
                "spans": [
                    {
                        "name": "responseLatency", "start": "1970-01-01T00:00:00.001Z",
                        "durationMs": 2.0,
                    },
                    {
                        "name": "responseDuration", "start": "1970-01-01T00:00:00.003Z",
                        "durationMs": 3.0,
                    },
                ],
                "status": "success",
            })
        );
        let timed_out = finished(Some(Failure::Timeout));
        assert_eq!(timed_out["status"], "timeout");
        assert!(timed_out.get("spans").is_none());
    }

    #[test]
    fn a_start_names_its_trace() {
        let start = Platform::Start {
            request_id: request_id(),
            version: "$LATEST".to_owned(),
            trace: Some("Root=1-2-3;Parent=53995c3f42cd8ad8;Sampled=1".to_owned()),
        };
        let record = &json_of(&start)["record"];
        assert_eq!(record["version"], "$LATEST");
        assert_eq!(
            record["tracing"],
            json!({
                "spanId": "53995c3f42cd8ad8",
                "type": "X-Amzn-Trace-Id",
                "value": "Root=1-2-3;Parent=53995c3f42cd8ad8;Sampled=1",
            })
        );
    }

    #[test]
    fn levels_are_lambdas() {
        let done = |failure| Platform::InitRuntimeDone {
            kind: "on-demand",
            phase: "init",
            failure,
        };
        let init = |kind, failure| Platform::InitReport {
            kind,
            phase: "init",
            duration: Duration::ZERO,
            failure,
        };
        let error = || Some(Failure::Error("Runtime.ExitError".to_owned()));
        for (event, expected) in [
            (done(None), LogLevel::Debug),
            (done(error()), LogLevel::Warn),
            (init("on-demand", None), LogLevel::Debug),
            (init("provisioned-concurrency", None), LogLevel::Info),
            (init("on-demand", error()), LogLevel::Warn),
            (Platform::Report(report(None)), LogLevel::Info),
            (Platform::Report(report(error())), LogLevel::Warn),
        ] {
            assert_eq!(event.level(), expected, "{event:?}");
            assert!(event.logged(all(expected), AT).is_some());
            if expected < LogLevel::Warn {
                assert_eq!(event.logged(all(LogLevel::Warn), AT), None);
            }
        }
        // Only JSON has it.
        assert_eq!(done(None).logged(Logging::default(), AT), None);
        assert_eq!(
            Platform::End(request_id()).logged(all(LogLevel::Debug), AT),
            None
        );
    }
}
