//! `java.lang.Integer`, `Long` and `Double`. Their static methods are reached through any number,
//! as templates do: `#set($i = 0) $i.parseInt("12")`.

use super::text_of;
use crate::RenderError;
use crate::eval::Run;
use crate::value::Value;

pub fn call(
    run: &mut Run<'_>,
    value: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Value, RenderError> {
    Ok(match (name, arguments) {
        ("parseInt" | "parseLong" | "parseDouble" | "valueOf", [_]) => text_of(arguments.first())
            .map_or_else(
                || match arguments {
                    [number @ (Value::Int(_) | Value::Float(_))] if name == "valueOf" => {
                        number.clone()
                    }
                    _ => Value::Null,
                },
                |text| parsed(name, value, text),
            ),
        ("toString", [number]) => {
            let text = run.heap.display(number)?;
            run.heap.text(text)?
        }
        ("intValue" | "longValue" | "shortValue" | "hashCode", []) => whole(value),
        ("doubleValue" | "floatValue", []) => match value {
            Value::Int(number) => Value::Float(*number as f64),
            other => other.clone(),
        },
        ("compareTo" | "compare", [other]) => {
            let (Some(left), Some(right)) = (size(value), size(other)) else {
                return Ok(Value::Null);
            };
            Value::Int(left.total_cmp(&right) as i64)
        }
        _ => Value::Null,
    })
}

fn parsed(name: &str, value: &Value, text: &str) -> Value {
    let is_double =
        name == "parseDouble" || (name == "valueOf" && matches!(value, Value::Float(_)));
    if is_double {
        return text.trim().parse().map_or(Value::Null, Value::Float);
    }
    text.parse().map_or(Value::Null, Value::Int)
}

fn whole(value: &Value) -> Value {
    match value {
        Value::Float(number) => Value::Int(*number as i64),
        other => other.clone(),
    }
}

fn size(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}
