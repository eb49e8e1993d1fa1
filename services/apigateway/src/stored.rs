//! How the model's own structures are stored: as the JSON that AWS shows of them. Instants and bytes
//! are marked, since JSON has neither.

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value as Json, json};
use wire::Value;

/// A tree as a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored(pub Value);

const TIME: &str = "$time";
const BLOB: &str = "$blob";

impl Serialize for Stored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        to_json(&self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Stored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(from_json(Json::deserialize(deserializer)?)))
    }
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => json!(truth),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Str(text) => json!(text),
        Value::Blob(bytes) => json!({ BLOB: STANDARD.encode(bytes) }),
        Value::Time(at) => json!({ TIME: at.millis() }),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Map(members) => {
            let members = members.iter();
            let members = members.map(|(name, value)| (name.clone(), to_json(value)));
            Json::Object(members.collect())
        }
    }
}

fn from_json(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => number.as_i64().map_or_else(
            || Value::Float(number.as_f64().unwrap_or_default()),
            Value::Int,
        ),
        Json::String(text) => Value::Str(text),
        Json::Array(items) => Value::List(items.into_iter().map(from_json).collect()),
        Json::Object(members) => marked(&members).unwrap_or_else(|| {
            let members = members.into_iter();
            Value::Map(
                members
                    .map(|(name, json)| (name, from_json(json)))
                    .collect(),
            )
        }),
    }
}

/// Nothing of the model has a map from text to numbers or bytes, so these mean what they say.
fn marked(members: &Map<String, Json>) -> Option<Value> {
    if members.len() != 1 {
        return None;
    }
    if let Some(millis) = members.get(TIME).and_then(Json::as_i64) {
        return Some(Value::Time(Timestamp::from_millis(millis)));
    }
    let bytes = STANDARD.decode(members.get(BLOB)?.as_str()?).ok()?;
    Some(Value::Blob(bytes.into()))
}

#[cfg(test)]
mod tests {
    use super::{Stored, Timestamp, Value};

    #[test]
    fn a_tree_comes_back_as_it_was() {
        let members = [
            ("a", Value::Int(1)),
            ("b", Value::Float(1.5)),
            ("c", Value::Time(Timestamp::from_millis(12_345))),
            ("d", Value::Blob(b"\xff".as_slice().into())),
            (
                "e",
                Value::List(vec![Value::Bool(true), Value::Str("x".into())]),
            ),
            (
                "f",
                Value::Map(vec![("$time".into(), Value::Str("y".into()))]),
            ),
        ];
        let tree = Value::Map(members.map(|(name, value)| (name.to_owned(), value)).into());
        let text = serde_json::to_string(&Stored(tree.clone())).unwrap();
        let Stored(back) = serde_json::from_str(&text).unwrap();
        assert_eq!(back, tree);
    }
}
