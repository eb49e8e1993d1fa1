//! What Lambda itself says, as JSON: the records of its events, with their fields in its order.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>

use std::fmt::{self, Write as _};
use std::time::Duration;

use base::{RequestId, Timestamp};
use serde_json::{Value, json};

use super::platform::{Finished, Init, Platform, RuntimeDone};
use super::report::{Failure, Report, millis};
use crate::telemetry::Api;

impl Platform {
    /// The event's type, and its record as JSON text, if the JSON format has it.
    pub(super) fn record(&self) -> Option<(&'static str, String)> {
        let (kind, record) = match self {
            Self::InitStart(init) => ("platform.initStart", init.record()),
            Self::RestoreStart(init) => ("platform.restoreStart", init.restore_record()),
            Self::InitRuntimeDone {
                kind,
                phase,
                failure,
            } => {
                let record = initialization(kind, phase).status(failure.as_ref());
                ("platform.initRuntimeDone", record)
            }
            Self::InitReport {
                kind,
                phase,
                duration,
                failure,
            } => {
                let metrics = json!({ "durationMs": rounded(*duration) });
                let record = initialization(kind, phase).with("metrics", metrics);
                ("platform.initReport", record.status(failure.as_ref()))
            }
            Self::RestoreRuntimeDone { failure } => {
                let record = Record::default().status(failure.as_ref());
                ("platform.restoreRuntimeDone", record)
            }
            Self::RestoreReport { duration, failure } => {
                let metrics = json!({ "durationMs": rounded(*duration) });
                let record = Record::default().with("metrics", metrics);
                ("platform.restoreReport", record.status(failure.as_ref()))
            }
            Self::Start {
                request_id,
                version,
                trace,
            } => {
                let record = Record::of(*request_id).with("version", version.as_str());
                ("platform.start", record.tracing(trace.as_deref()))
            }
            Self::RuntimeDone(done) => ("platform.runtimeDone", done.record()),
            Self::Report(report) => ("platform.report", report_record(report)),
            Self::Finished(finished) => ("platform.report", finished.record()),
            Self::Extension(extension) => {
                let record = Record::default()
                    .with("name", extension.name.as_str())
                    .with("state", extension.state)
                    .with("events", json!(extension.events));
                let record = match &extension.error_type {
                    Some(error_type) => record.with("errorType", error_type.as_str()),
                    None => record,
                };
                ("platform.extension", record)
            }
            Self::Subscription {
                api,
                name,
                categories,
            } => {
                let types: Vec<_> = categories.iter().map(ToString::to_string).collect();
                let record = Record::default()
                    .with("name", name.as_str())
                    .with("state", "Subscribed")
                    .with("types", types);
                match api {
                    Api::Telemetry => ("platform.telemetrySubscription", record),
                    Api::Logs => ("platform.logsSubscription", record),
                }
            }
            Self::Fault { message, .. } => {
                return Some(("platform.fault", json!(message).to_string()));
            }
            Self::End(request_id) => ("platform.end", Record::of(*request_id)),
            Self::Note(_) => return None,
        };
        Some((kind, record.to_string()))
    }
}

impl Init {
    fn record(&self) -> Record {
        let Record(mut fields) = initialization(self.kind, self.phase);
        fields.extend(self.restore_record().0);
        Record(fields)
    }

    fn restore_record(&self) -> Record {
        let mut record = Record::default();
        if !self.runtime.is_empty() {
            record = record
                .with("runtimeVersion", self.runtime.as_str())
                .with("runtimeVersionArn", self.runtime_arn.as_str());
        }
        record
            .with("functionName", self.function.as_str())
            .with("functionVersion", self.version.as_str())
            .with("instanceId", self.instance.as_str())
            .with("instanceMaxMemory", u64::from(self.memory_mb) << 20)
    }
}

fn initialization(kind: &str, phase: &str) -> Record {
    Record::default()
        .with("initializationType", kind)
        .with("phase", phase)
}

impl RuntimeDone {
    fn record(&self) -> Record {
        let mut record = Record::of(self.request_id).status(self.failure.as_ref());
        let answered = self.began + self.duration;
        if self.failure.is_none() {
            let spans = [
                span("responseLatency", self.began, self.duration),
                // It goes out in one piece.
                span("responseDuration", answered, Duration::ZERO),
                span("runtimeOverhead", answered, self.overhead),
            ];
            record = record.with("spans", json!(spans));
        }
        let metrics = json!({
            "durationMs": rounded(self.duration),
            "producedBytes": self.produced_bytes,
        });
        record
            .with("metrics", metrics)
            .tracing(self.trace.as_deref())
    }
}

impl Finished {
    /// <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html#platform-report>
    fn record(&self) -> Record {
        let metrics = json!({ "durationMs": rounded(self.duration) });
        let record = Record::of(self.request_id).with("metrics", metrics);
        let record = record.tracing(self.trace.as_deref());
        if self.failure.is_some() {
            return record.status(self.failure.as_ref());
        }
        let rest = self.duration.saturating_sub(self.latency);
        let spans = [
            span("responseLatency", self.began, self.latency),
            span("responseDuration", self.began + self.latency, rest),
        ];
        record.with("spans", json!(spans)).status(None)
    }
}

fn span(name: &str, start: Timestamp, duration: Duration) -> Value {
    let start = start.iso8601_millis();
    json!({ "name": name, "start": start, "durationMs": rounded(duration) })
}

fn report_record(report: &Report) -> Record {
    let mut metrics = json!({
        "durationMs": rounded(report.duration),
        "billedDurationMs": report.billed_ms,
        "memorySizeMB": report.memory_mb,
    });
    if let Some(max) = report.max_memory_mb {
        metrics["maxMemoryUsedMB"] = max.into();
    }
    if let Some(init) = report.init {
        metrics["initDurationMs"] = rounded(init).into();
    }
    if let Some(restore) = &report.restore {
        metrics["restoreDurationMs"] = rounded(restore.duration).into();
        metrics["billedRestoreDurationMs"] = restore.billed_ms().into();
    }
    Record::of(report.request_id)
        .with("metrics", metrics)
        .status(report.failure.as_ref())
        .tracing(report.trace.as_deref())
}

/// A JSON object whose fields stay in Lambda's order.
#[derive(Default)]
struct Record(Vec<(&'static str, Value)>);

impl Record {
    fn of(request_id: RequestId) -> Self {
        Self::default().with("requestId", request_id.to_string())
    }

    fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    fn status(self, failure: Option<&Failure>) -> Self {
        match failure {
            None => self.with("status", "success"),
            Some(Failure::Timeout) => self.with("status", "timeout"),
            Some(Failure::Error(error_type)) => self
                .with("status", "error")
                .with("errorType", error_type.as_str()),
        }
    }

    fn tracing(self, trace: Option<&str>) -> Self {
        let Some(trace) = trace else {
            return self;
        };
        let mut tracing = json!({ "type": "X-Amzn-Trace-Id", "value": trace });
        let mut parts = trace.split(';');
        if let Some(parent) = parts.find_map(|part| part.strip_prefix("Parent=")) {
            tracing["spanId"] = parent.into();
        }
        self.with("tracing", tracing)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('{')?;
        for (at, (name, value)) in self.0.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}\"{name}\":{value}")?;
        }
        f.write_char('}')
    }
}

/// Milliseconds, to the microsecond.
fn rounded(duration: Duration) -> f64 {
    (millis(duration) * 1_000.0).round() / 1_000.0
}
