//! The types of an input that a caller in this process made.

use crate::schema::Schema;
use crate::{Value, WireError};

/// # Errors
/// `SerializationException`, as for the same mistake in a JSON body.
pub fn check(schema: Schema, value: &Value) -> Result<(), WireError> {
    match (schema, value) {
        (Schema::Structure(structure), Value::Map(members)) => {
            for (name, value) in members {
                let Some(member) = structure.member(name) else {
                    let of = structure.name;
                    return Err(WireError::serialization(format!(
                        "{of} has no member {name}"
                    )));
                };
                check(member.schema, value)?;
            }
            Ok(())
        }
        (Schema::List(list), Value::List(items)) => {
            items.iter().try_for_each(|item| check(list.member, item))
        }
        (Schema::Map(map), Value::Map(entries)) => entries
            .iter()
            .try_for_each(|(_, value)| check(map.value, value)),
        (_, Value::Null)
        | (Schema::Document, _)
        | (Schema::String(_), Value::Str(_))
        | (Schema::Integer(_) | Schema::Long(_) | Schema::Float(_), Value::Int(_))
        | (Schema::Float(_), Value::Float(_))
        | (Schema::Boolean, Value::Bool(_))
        | (Schema::Blob(_), Value::Blob(_))
        | (Schema::Timestamp(_), Value::Time(_)) => Ok(()),
        _ => Err(WireError::serialization(format!(
            "{} found where not expected",
            kind(value)
        ))),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Int(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Str(_) => "a string",
        Value::Blob(_) => "a blob",
        Value::Time(_) => "an instant",
        Value::List(_) => "a list",
        Value::Map(_) => "a structure or map",
    }
}
