//! A line about a request, as a stage's format has it: `$context.requestId` and the like.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html>

use std::sync::Arc;

use base::{Arn, Timestamp};
use service::ports::{LogLine, LogSink, LogStream};

/// Puts values in for `$context.name`; those that are unknown become `-`. Where the format is JSON,
/// a value cannot leave its string: callers choose paths and agents.
pub fn line(format: &str, value: impl Fn(&str) -> Option<String>) -> String {
    const MARK: &str = "$context.";
    let mut out = String::with_capacity(format.len() * 2);
    let mut rest = format;
    let is_json = format.trim_start().starts_with('{');
    while let Some(at) = rest.find(MARK) {
        out.push_str(&rest[..at]);
        let after = &rest[at + MARK.len()..];
        let end = after
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')))
            .unwrap_or(after.len());
        // A sentence may end behind a variable.
        let name = after[..end].trim_end_matches(['.', '-']);
        match value(name) {
            Some(value) if is_json && !name.ends_with(QUOTED) => escape(&value, &mut out),
            Some(value) => out.extend(value.chars().filter(|letter| !letter.is_control())),
            None => out.push('-'),
        }
        rest = &after[name.len()..];
    }
    out.push_str(rest);
    out
}

/// These are JSON already.
const QUOTED: &str = "messageString";

fn escape(value: &str, out: &mut String) {
    let quoted = serde_json::Value::from(value).to_string();
    let inner = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    out.push_str(inner.unwrap_or_default());
}

/// The stream of a log group that a stage's lines go to.
pub fn stream(group: &Arn, stage: &str) -> Option<Arc<LogStream>> {
    let name = group.resource.strip_prefix("log-group:")?;
    Some(Arc::new(LogStream {
        account: group.account_id()?,
        region: group.region()?,
        group: name.trim_end_matches(":*").to_owned(),
        name: stage.trim_start_matches('$').to_owned(),
    }))
}

/// Writes a line, without waiting.
pub fn write(sink: &dyn LogSink, stream: &Arc<LogStream>, at: Timestamp, message: String) {
    sink.append(stream, vec![LogLine { at, message }]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: &str) -> String {
        line(format, |name| {
            (name == "status" || name == "error.message").then(|| format!("<{name}>"))
        })
    }

    #[test]
    fn variables_are_put_in() {
        assert_eq!(
            written(r#"{"s":"$context.status","e":$context.error.message} $context.x"#),
            r#"{"s":"<status>","e":<error.message>} -"#
        );
        assert_eq!(written("$context.status."), "<status>.");
        let evil = |format| line(format, |_| Some("\"a\\\n".to_owned()));
        assert_eq!(evil("{\"v\":\"$context.path\"}"), r#"{"v":"\"a\\\n"}"#);
        assert_eq!(evil("$context.path"), "\"a\\");
        assert_eq!(written("$context"), "$context");
    }

    proptest::proptest! {
        #[test]
        fn any_format_is_read_without_a_panic(format in ".{0,80}") {
            let _ = written(&format);
        }
    }
}
