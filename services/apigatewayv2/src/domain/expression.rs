//! Selection expressions: `$request.header.x`, `$context.requestId`, `${stageVariables.y}`.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html>

use http::HeaderMap;
use proxy::request::{decoded_path, joined_header, parameters};
use serde_json::{Map, Value};

/// As much of a body as a path into it is applied to.
const MOST_OF_A_BODY: usize = 100 * 1024;

/// What expressions are about.
pub struct Sources<'a> {
    pub headers: &'a HeaderMap,
    pub query: &'a str,
    /// Without the stage.
    pub path: &'a str,
    pub path_parameters: &'a Map<String, Value>,
    pub body: &'a [u8],
    pub stage_variables: &'a Map<String, Value>,
    pub context: &'a dyn Fn(&str) -> Option<String>,
    /// Of an integration, once it has answered.
    pub response: Option<(&'a HeaderMap, &'a [u8])>,
}

/// A text with its expressions put in; `None` if it is one expression and there is no value.
pub fn evaluate(text: &str, sources: &Sources<'_>) -> Option<String> {
    evaluate_with(text, &|expression| value(expression, sources))
}

/// The same, with values from elsewhere.
pub fn evaluate_with(text: &str, value: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if let Some(expression) = text.strip_prefix('$')
        && !expression.starts_with('{')
    {
        return value(expression);
    }
    if let Some(expression) = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix('}'))
        .filter(|inner| !inner.contains('}'))
    {
        return value(expression);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let Some(end) = after.find('}') else {
            out.push_str("${");
            rest = after;
            continue;
        };
        out.push_str(&value(&after[..end]).unwrap_or_default());
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    Some(out)
}

/// The value of an expression without its `$`.
pub fn value(expression: &str, sources: &Sources<'_>) -> Option<String> {
    let (root, rest) = expression.split_once('.').unwrap_or((expression, ""));
    match root {
        "context" => (sources.context)(rest),
        "stageVariables" => text_of(sources.stage_variables.get(rest)?),
        "request" => {
            let (place, name) = rest.split_once('.').unwrap_or((rest, ""));
            match (place, name) {
                ("header", name) => joined_header(sources.headers, &name.to_ascii_lowercase()),
                ("querystring", name) => {
                    let values = parameters(sources.query);
                    values.get(name).map(|values| values.join(","))
                }
                ("path", "") => Some(decoded_path(sources.path)),
                ("path", name) => text_of(sources.path_parameters.get(name)?),
                ("body", path) => in_body(sources.body, path),
                _ => rest
                    .strip_prefix("body")
                    .and_then(|path| in_body(sources.body, path)),
            }
        }
        "response" => {
            let (headers, body) = sources.response?;
            let (place, name) = rest.split_once('.').unwrap_or((rest, ""));
            match place {
                "header" => joined_header(headers, &name.to_ascii_lowercase()),
                "body" => in_body(body, name),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What a path leads to in a JSON body; without one, the body as text.
pub fn in_body(body: &[u8], path: &str) -> Option<String> {
    if path.is_empty() {
        return Some(String::from_utf8_lossy(body).into_owned());
    }
    let body = body.get(..MOST_OF_A_BODY).unwrap_or(body);
    let document: Value = serde_json::from_slice(body).ok()?;
    text_of(walk(&document, path)?)
}

/// `a.b[0]['c']`, with or without a `$.` before it.
pub fn walk<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    let mut at = document;
    let mut rest = path.trim_start_matches('$').trim_start_matches('.');
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (key, after) = inner.split_once(']')?;
            at = match key.parse::<usize>() {
                Ok(index) => at.get(index)?,
                Err(_) => at.get(key.trim_matches(['\'', '"']))?,
            };
            rest = after.strip_prefix('.').unwrap_or(after);
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            at = at.get(&rest[..end])?;
            rest = &rest[end..];
            rest = rest.strip_prefix('.').unwrap_or(rest);
        }
    }
    Some(at)
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(check: impl Fn(&dyn Fn(&str) -> Option<String>)) {
        let mut headers = HeaderMap::new();
        headers.append("x-a", "1".parse().unwrap());
        headers.append("x-a", "2".parse().unwrap());
        let path_parameters = json!({"id": "7"});
        let stage_variables = json!({"v": "s"});
        let context = |name: &str| (name == "requestId").then(|| "r".to_owned());
        let sources = Sources {
            headers: &headers,
            query: "q=a&q=b",
            path: "/pets/7",
            path_parameters: path_parameters.as_object().unwrap(),
            body: br#"{"a":{"b":[{"c":"deep"}]},"n":5}"#,
            stage_variables: stage_variables.as_object().unwrap(),
            context: &context,
            response: None,
        };
        check(&|text| evaluate(text, &sources));
    }

    #[test]
    fn expressions_of_every_kind() {
        with(|of| {
            for (text, expected) in [
                ("static", Some("static")),
                ("$request.header.X-A", Some("1,2")),
                ("$request.querystring.q", Some("a,b")),
                ("$request.path", Some("/pets/7")),
                ("${request.path.id}", Some("7")),
                ("$request.body.a.b[0].c", Some("deep")),
                ("$request.body.n", Some("5")),
                ("$context.requestId", Some("r")),
                ("$stageVariables.v", Some("s")),
                (
                    "${request.path.id}-${stageVariables.v}-${context.x}",
                    Some("7-s-"),
                ),
                ("$request.header.other", None),
                ("$request.body.a..b", None),
                ("$nonsense", None),
                ("${", Some("${")),
            ] {
                assert_eq!(of(text).as_deref(), expected, "{text}");
            }
        });
    }

    proptest::proptest! {
        #[test]
        fn any_expression_is_read_without_a_panic(text in "[$\\{\\}a-z.\\[\\]'0-9]{0,40}") {
            with(|of| {
                let _ = of(&text);
                let _ = of(&format!("$request.body.{text}"));
            });
        }
    }
}
