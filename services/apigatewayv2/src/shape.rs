//! Records to the API's members and back.
//!
//! Records have the model's member names, so that one conversion serves every operation. What the
//! model's output does not have, such as a deployment's snapshot, does not leave.

use base::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};
use service::ServiceError;
use wire::Value;

/// The members of an input.
pub fn members(input: Value) -> Map<String, Json> {
    match json_of(input) {
        Json::Object(mut members) => {
            members.retain(|_, value| !value.is_null());
            members
        }
        _ => Map::new(),
    }
}

/// Takes a text out of the members: an id of the path.
pub fn take_text(members: &mut Map<String, Json>, name: &str) -> String {
    match members.remove(name) {
        Some(Json::String(text)) => text,
        _ => String::new(),
    }
}

/// A record of what a client said.
///
/// # Errors
/// Never for input that the model's validation has let through.
pub fn record<T: DeserializeOwned>(members: Map<String, Json>) -> Result<T, ServiceError> {
    serde_json::from_value(Json::Object(members)).map_err(|error| {
        tracing::error!(%error, "an input does not fit its record");
        ServiceError::internal()
    })
}

/// The record with what a client said changed. Of maps in `merged` the given entries change, and
/// those whose new value is empty go.
///
/// # Errors
/// As [`record`].
pub fn changed<T: Serialize + DeserializeOwned>(
    before: &T,
    changes: Map<String, Json>,
    merged: &[&str],
) -> Result<T, ServiceError> {
    let Ok(Json::Object(mut members)) = serde_json::to_value(before) else {
        return Err(ServiceError::internal());
    };
    for (name, value) in changes {
        if value.is_null() {
            continue;
        }
        match (members.get_mut(&name), value) {
            (Some(Json::Object(before)), Json::Object(given))
                if merged.contains(&name.as_str()) =>
            {
                merge(before, given);
            }
            (_, value) => {
                members.insert(name, value);
            }
        }
    }
    record(members)
}

fn merge(before: &mut Map<String, Json>, given: Map<String, Json>) {
    for (key, value) in given {
        match (before.get_mut(&key), value) {
            (_, Json::String(text)) if text.is_empty() => {
                before.remove(&key);
            }
            (Some(Json::Object(before)), Json::Object(given)) => merge(before, given),
            (_, value) => {
                before.insert(key, value);
            }
        }
    }
}

/// What an operation answers about a record.
pub fn shown(record: &impl Serialize) -> Value {
    let json = serde_json::to_value(record).unwrap_or_default();
    value_of("", json)
}

/// The same, with a member more.
pub fn shown_with(record: &impl Serialize, name: &str, value: Value) -> Value {
    let mut shown = shown(record);
    if let Value::Map(members) = &mut shown {
        members.retain(|(member, _)| member != name);
        members.push((name.to_owned(), value));
    }
    shown
}

pub fn json_of(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => truth.into(),
        Value::Int(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Str(text) => text.into(),
        Value::Blob(bytes) => String::from_utf8_lossy(&bytes).into_owned().into(),
        Value::Time(at) => at.millis().into(),
        Value::List(items) => items.into_iter().map(json_of).collect(),
        Value::Map(members) => members
            .into_iter()
            .map(|(name, value)| (name, json_of(value)))
            .collect::<Map<_, _>>()
            .into(),
    }
}

/// Members whose names end in `Date` are instants.
pub fn value_of(name: &str, json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => match number.as_i64() {
            Some(millis) if name.ends_with("Date") => Value::Time(Timestamp::from_millis(millis)),
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::Str(text),
        Json::Array(items) => Value::List(items.into_iter().map(|it| value_of("", it)).collect()),
        Json::Object(members) => Value::Map(
            members
                .into_iter()
                .map(|(name, value)| {
                    let value = value_of(&name, value);
                    (name, value)
                })
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Thing {
        name: String,
        texts: BTreeMap<String, String>,
        note: Option<String>,
    }

    #[test]
    fn an_update_changes_what_it_names() {
        let before: Thing = record(
            json!({"Name": "a", "Texts": {"x": "1", "y": "2"}})
                .as_object()
                .unwrap()
                .clone(),
        )
        .unwrap();
        let changes = json!({"Texts": {"x": "", "z": "3"}, "Note": "n"});
        let after = changed(&before, changes.as_object().unwrap().clone(), &["Texts"]).unwrap();
        assert_eq!(after.name, "a");
        assert_eq!(after.note.as_deref(), Some("n"));
        let texts: Vec<_> = after.texts.iter().map(|(k, v)| format!("{k}{v}")).collect();
        assert_eq!(texts, ["y2", "z3"]);
    }
}
