//! What a target gets of an event: the event, a part of it, a constant, or a filled-in template.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html>

use std::collections::BTreeMap;

use base::Timestamp;
use serde_json::Value;

use super::path;
use crate::records::Input;

/// What templates may name besides the paths.
pub struct Surroundings<'a> {
    pub rule_arn: String,
    pub rule_name: &'a str,
    pub accepted_at: Timestamp,
    /// The event as it is sent.
    pub text: &'a str,
    pub event: &'a Value,
}

impl Input {
    pub fn of(&self, around: &Surroundings<'_>) -> String {
        match self {
            Self::Event => around.text.to_owned(),
            Self::Constant(text) => text.clone(),
            Self::Path(path) => path::find(around.event, path)
                .unwrap_or(&Value::Null)
                .to_string(),
            Self::Template { paths, template } => fill(template, paths, around),
        }
    }
}

/// Puts values where the template has `<name>`. Outside quotes they are JSON, inside they are text.
fn fill(template: &str, paths: &BTreeMap<String, String>, around: &Surroundings<'_>) -> String {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut is_quoted = false;
    let mut rest = template;
    while let Some(next) = rest.chars().next() {
        let name = rest
            .strip_prefix('<')
            .and_then(|after| after.split_once('>'))
            .map(|(name, _)| name)
            .filter(|name| !name.contains(['<', '"', '\n']));
        if let Some(name) = name {
            let value = value(name, paths, around);
            filled.push_str(&if is_quoted {
                inside_quotes(value.as_ref())
            } else {
                value.map_or_else(|| "\"\"".to_owned(), |value| value.to_string())
            });
            rest = &rest[name.len() + 2..];
            continue;
        }
        let mut length = next.len_utf8();
        match next {
            '"' => is_quoted = !is_quoted,
            '\\' => length += rest[1..].chars().next().map_or(0, char::len_utf8),
            _ => {}
        }
        filled.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    filled
}

fn value(name: &str, paths: &BTreeMap<String, String>, around: &Surroundings<'_>) -> Option<Value> {
    match name {
        "aws.events.rule-arn" => Some(around.rule_arn.clone().into()),
        "aws.events.rule-name" => Some(around.rule_name.into()),
        "aws.events.event.ingestion-time" => Some(around.accepted_at.iso8601_seconds().into()),
        "aws.events.event.json" => Some(around.event.clone()),
        // The event without its detail.
        "aws.events.event" => {
            let mut event = around.event.clone();
            if let Some(members) = event.as_object_mut() {
                members.remove("detail");
            }
            Some(event)
        }
        _ => path::find(around.event, paths.get(name)?).cloned(),
    }
}

/// A text without its quotes, anything else as JSON, both escaped for where they go.
fn inside_quotes(value: Option<&Value>) -> String {
    let text = match value {
        None => return String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn filled(template: &str) -> String {
        let event = json!({
            "detail": {"instance": "i-1", "state": "run\"ning", "count": 3, "tags": {"a": [1]}}
        });
        let paths = ["instance", "state", "count", "tags", "missing"]
            .map(|name| (name.to_owned(), format!("$.detail.{name}")));
        let around = Surroundings {
            rule_arn: "arn:rule".to_owned(),
            rule_name: "r",
            accepted_at: Timestamp::from_millis(0),
            text: "{}",
            event: &event,
        };
        Input::Template {
            paths: paths.into(),
            template: template.to_owned(),
        }
        .of(&around)
    }

    proptest::proptest! {
        #[test]
        fn any_template_is_filled_without_a_panic(
            text in "(<|>|instance|state|\"|\\\\|é|\n|\\{|aws.events.event| ){0,20}"
        ) {
            let _ = filled(&text);
        }
    }

    #[test]
    fn templates() {
        for (template, expected) in [
            (
                r#"{"i": <instance>, "n": <count>}"#,
                r#"{"i": "i-1", "n": 3}"#,
            ),
            (
                r#""<instance> is <state> <missing>""#,
                r#""i-1 is run\"ning ""#,
            ),
            (
                r#"{"t": <tags>, "m": <missing>}"#,
                r#"{"t": {"a":[1]}, "m": ""}"#,
            ),
            (r#"{"t": "<tags>"}"#, r#"{"t": "{\"a\":[1]}"}"#),
            (r#"{"a": "\"<instance>\""}"#, r#"{"a": "\"i-1\""}"#),
            (r#"{"r": <aws.events.rule-arn>}"#, r#"{"r": "arn:rule"}"#),
            ("1 < 2 and é", "1 < 2 and é"),
        ] {
            assert_eq!(filled(template), expected, "{template}");
        }
    }
}
