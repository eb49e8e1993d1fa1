//! The methods that Java's classes have and templates use, by what they are called on. One that
//! does not exist, or does not take its arguments, gives nothing, as in Velocity.

mod collections;
pub mod input;
mod numbers;
pub mod text;
mod util;

use crate::RenderError;
use crate::eval::Run;
use crate::value::Value;

pub fn call(
    run: &mut Run<'_>,
    value: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Value, RenderError> {
    if let Some(value) = common(run, value, name, arguments)? {
        return Ok(value);
    }
    match value {
        Value::Text(content) => text::call(run, content, name, arguments),
        Value::List(list) => collections::list(run, *list, name, arguments),
        Value::Map(map) => collections::map(run, *map, name, arguments),
        Value::Entry(entry) => Ok(match name {
            "getKey" => Value::Text(entry.0.clone()),
            "getValue" => entry.1.clone(),
            _ => Value::Null,
        }),
        Value::Int(_) | Value::Float(_) => numbers::call(run, value, name, arguments),
        Value::Input => input::call(run, name, arguments),
        Value::Util => util::call(run, name, arguments),
        Value::Null | Value::Bool(_) | Value::Block(_) | Value::Loop(_) => Ok(Value::Null),
    }
}

/// What every object has.
fn common(
    run: &mut Run<'_>,
    value: &Value,
    name: &str,
    arguments: &[Value],
) -> Result<Option<Value>, RenderError> {
    Ok(match (name, arguments) {
        ("toString", []) => {
            let text = run.heap.display(value)?;
            Some(run.heap.text(text)?)
        }
        ("equals", [other]) => Some(Value::Bool(same(run, value, other)?)),
        _ => None,
    })
}

/// Java's `equals`: unlike `==`, never between a number and a text.
pub fn same(run: &mut Run<'_>, left: &Value, right: &Value) -> Result<bool, RenderError> {
    let alike = std::mem::discriminant(left) == std::mem::discriminant(right);
    Ok(alike && run.equal(left, right)?)
}

/// A text argument.
fn text_of(value: Option<&Value>) -> Option<&str> {
    match value {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

/// An argument that is an index or a count.
fn index_of(value: Option<&Value>) -> Option<usize> {
    match value {
        Some(Value::Int(number)) => usize::try_from(*number).ok(),
        _ => None,
    }
}
