//! `$input`: the payload and the request's parameters.

use indexmap::IndexMap;

use super::text_of;
use crate::eval::Run;
use crate::value::Value;
use crate::{Json, RenderError, jsonpath};

pub fn call(run: &mut Run<'_>, name: &str, arguments: &[Value]) -> Result<Value, RenderError> {
    match (name, arguments) {
        ("body" | "getBody", []) => body(run),
        ("json", [_]) => {
            let found = find(run, text_of(arguments.first()))?;
            // What is not there is an empty text.
            let json = found.unwrap_or_else(|| Json::text("")).to_string();
            run.heap.text(json)
        }
        ("path", [_]) => match find(run, text_of(arguments.first()))? {
            Some(found) => run.heap.import(&found),
            None => Ok(Value::Null),
        },
        ("params", []) => {
            let all = run.inputs.parameters;
            let kinds = [
                ("path", &all.path),
                ("querystring", &all.querystring),
                ("header", &all.header),
            ];
            let all = Json::object(kinds.map(|(kind, values)| (kind, of_texts(values))));
            run.heap.import(&all)
        }
        ("params", [_]) => {
            let name = text_of(arguments.first()).unwrap_or_default();
            let value = run.inputs.parameters.find(name).unwrap_or_default();
            run.heap.text(value)
        }
        _ => Ok(Value::Null),
    }
}

/// As it came; nothing reads as an empty object.
pub fn body(run: &mut Run<'_>) -> Result<Value, RenderError> {
    let body = run.inputs.body;
    run.heap.text(if body.is_empty() { "{}" } else { body })
}

fn of_texts(values: &IndexMap<String, String>) -> Json {
    Json::object(values.iter().map(|(name, value)| (name, Json::text(value))))
}

fn find(run: &mut Run<'_>, path: Option<&str>) -> Result<Option<Json>, RenderError> {
    let Some(path) = path else {
        return Ok(None);
    };
    let payload = run.payload()?;
    if path == "$" {
        return Ok(Some(Json::clone(&payload)));
    }
    let Ok(path) = jsonpath::Path::parse(path) else {
        return Ok(None);
    };
    let mut steps = run.heap.limits().steps / 10;
    let found = path.find(&payload, &mut steps);
    let found = found.map_err(|jsonpath::TooManySteps| RenderError::Steps)?;
    run.heap.step(found.as_ref().map_or(1, weight))?;
    Ok(found)
}

/// What a tree costs to make.
fn weight(json: &Json) -> usize {
    match json {
        Json::List(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Json::Map(members) => 1 + members.values().map(weight).sum::<usize>(),
        Json::Text(text) => 1 + text.len() / 64,
        _ => 1,
    }
}
