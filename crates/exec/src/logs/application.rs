//! The level of what a function logs in the JSON format.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html>

use std::borrow::Cow;

use base::Timestamp;
use serde::Deserialize;

use crate::logging::{LogFormat, LogLevel, Logging};

/// What Lambda reads of an event.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow, default)]
    level: Option<Cow<'a, str>>,
    #[serde(borrow, default, alias = "time", alias = "@timestamp")]
    timestamp: Option<Cow<'a, str>>,
}

/// Whether an event is important enough to be kept.
pub(crate) fn is_kept(logging: Logging, event: &str) -> bool {
    // Whatever has no level is INFO.
    logging.format == LogFormat::Text
        || logging.application == LogLevel::Trace
        || level(event) >= logging.application
}

fn level(event: &str) -> LogLevel {
    if !event.trim_start().starts_with('{') {
        return LogLevel::Info;
    }
    let Ok(fields) = serde_json::from_str::<Fields<'_>>(event) else {
        return LogLevel::Info;
    };
    let level = fields.level.as_deref().and_then(LogLevel::parse);
    let has_time = fields.timestamp.is_some_and(|at| is_time(&at));
    level.filter(|_| has_time).unwrap_or_default()
}

/// As RFC 3339 has it; AWS's own client for Python leaves out the zone in its errors.
fn is_time(text: &str) -> bool {
    Timestamp::parse_iso8601(text).is_some()
        || Timestamp::parse_iso8601(&format!("{text}Z")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_json_objects_with_a_time() {
        let at = r#""timestamp":"2024-11-02T16:51:31.587199Z""#;
        for (event, expected) in [
            (
                format!(r#"{{"level":"debug","msg":"m",{at}}}"#),
                LogLevel::Debug,
            ),
            (format!(r#"{{{at},"level":"CRITICAL"}}"#), LogLevel::Fatal),
            (format!(r#"{{{at},"level":"Warning"}}"#), LogLevel::Warn),
            (format!(r#"{{{at},"level":"loud"}}"#), LogLevel::Info),
            (format!(r#"{{{at},"level":7}}"#), LogLevel::Info),
            (r#"{"level":"error"}"#.to_owned(), LogLevel::Info),
            (
                r#"{"level":"error","timestamp":"today"}"#.to_owned(),
                LogLevel::Info,
            ),
            (
                r#"{"level":"error","timestamp":"2024-11-02T16:51:31"}"#.to_owned(),
                LogLevel::Error,
            ),
            ("error: a line".to_owned(), LogLevel::Info),
            ("{not json".to_owned(), LogLevel::Info),
        ] {
            assert_eq!(level(&event), expected, "{event}");
        }
    }

    #[test]
    fn text_is_never_filtered() {
        let strict = Logging {
            application: LogLevel::Fatal,
            ..Logging::default()
        };
        assert!(is_kept(strict, "a line\n"));
        let json = Logging {
            format: LogFormat::Json,
            ..strict
        };
        assert!(!is_kept(json, "a line\n"));
    }
}
