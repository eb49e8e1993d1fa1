//! Values as AWS's messages show them: as Java prints collections.

use crate::Value;
use crate::scalar;

/// `Value 'x'`; without the value where it must not be shown.
pub fn value(value: &Value, sensitive: bool) -> String {
    match value {
        Value::Null => "Value null".to_owned(),
        _ if sensitive => "Value".to_owned(),
        _ => format!("Value '{}'", text(value)),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => scalar::format_float(*number),
        Value::Str(text) => text.clone(),
        Value::Blob(bytes) => {
            format!(
                "java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]",
                bytes.len()
            )
        }
        Value::Time(at) => at.to_string(),
        Value::List(items) => {
            format!(
                "[{}]",
                items.iter().map(text).collect::<Vec<_>>().join(", ")
            )
        }
        Value::Map(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| format!("{key}={}", text(value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}
