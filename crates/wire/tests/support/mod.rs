//! The committed models of the services, and trees to and from JSON, for the tests of the wire.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, reason = "only tests call this")]

#[path = "../../../../services/apigatewayv2/src/generated.rs"]
pub mod apigatewayv2;
#[path = "../../../../services/iam/src/generated.rs"]
pub mod iam;
#[path = "../../../../services/lambda/src/generated.rs"]
pub mod lambda;
#[path = "../../../../services/logs/src/generated.rs"]
pub mod logs;
#[path = "../../../../services/sqs/src/generated.rs"]
pub mod sqs;
#[path = "../../../../services/iam/src/generated_sts.rs"]
pub mod sts;

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use serde_json::{Map, Number, json};
use wire::schema::Schema;
use wire::{Protocol, RoutedOperation, ServiceSchema, Value, WireError};

pub fn service(name: &str) -> &'static ServiceSchema {
    match name {
        "iam" => &iam::SCHEMA,
        "lambda" => &lambda::SCHEMA,
        "logs" => &logs::SCHEMA,
        "sqs" => &sqs::SCHEMA,
        "sts" => &sts::SCHEMA,
        _ => panic!("no model of {name}"),
    }
}

pub fn head(method: &str, uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// The whole way in: the operation's name, its input and its protocol.
pub fn decode(
    service: &'static ServiceSchema,
    head: &Parts,
    body: &[u8],
) -> Result<(&'static str, Value, Protocol), WireError> {
    let body = Bytes::copy_from_slice(body);
    let routed = wire::route(service, head, &body)?;
    match routed.operation {
        RoutedOperation::Known { schema, labels } => {
            let input = wire::decode(service, schema, routed.protocol, &labels, head, &body)?;
            Ok((schema.name, input, routed.protocol))
        }
        RoutedOperation::Absent(name) => Ok((name, Value::Null, routed.protocol)),
    }
}

/// As JSON, with `{"blob": base64}` and `{"time": millis}` for what JSON has not.
pub fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(truth) => json!(truth),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Str(text) => json!(text),
        Value::Blob(bytes) => json!({"blob": STANDARD.encode(bytes)}),
        Value::Time(at) => json!({"time": at.millis()}),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (name.clone(), to_json(value)));
            serde_json::Value::Object(members.collect::<Map<_, _>>())
        }
    }
}

/// The other way, led by the schema.
pub fn from_json(schema: Schema, json: &serde_json::Value) -> Value {
    match (schema, json) {
        (Schema::Structure(structure), serde_json::Value::Object(members)) => {
            let members = members.iter().map(|(name, json)| {
                let member = structure
                    .member(name)
                    .unwrap_or_else(|| panic!("no member {name}"));
                (name.clone(), from_json(member.schema, json))
            });
            Value::Map(members.collect())
        }
        (Schema::Map(map), serde_json::Value::Object(entries)) => {
            let entries = entries
                .iter()
                .map(|(key, json)| (key.clone(), from_json(map.value, json)));
            Value::Map(entries.collect())
        }
        (Schema::List(list), serde_json::Value::Array(items)) => Value::List(
            items
                .iter()
                .map(|json| from_json(list.member, json))
                .collect(),
        ),
        (Schema::Blob(_), json) => {
            let bytes = STANDARD.decode(json["blob"].as_str().unwrap()).unwrap();
            Value::Blob(Bytes::from(bytes))
        }
        (Schema::Timestamp(_), json) => {
            Value::Time(Timestamp::from_millis(json["time"].as_i64().unwrap()))
        }
        (Schema::Float(_), json) => Value::Float(json.as_f64().unwrap()),
        (_, serde_json::Value::String(text)) => Value::Str(text.clone()),
        (_, serde_json::Value::Bool(truth)) => Value::Bool(*truth),
        (_, serde_json::Value::Number(number)) => Value::Int(Number::as_i64(number).unwrap()),
        (schema, json) => panic!("{json} is no {schema:?}"),
    }
}
