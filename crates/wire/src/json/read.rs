//! JSON to the tree, led by the schema, so that what the schema does not name is never built. A
//! value of the wrong type is refused in the words of AWS's own front end.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::document::Document;
use crate::scalar;
use crate::schema::{Location, MemberSchema, Schema, StructureSchema};
use crate::{Value, WireError};

/// Reads the members of a body.
///
/// # Errors
/// `SerializationException`, without a message if the text is not JSON at all.
pub fn read_structure(schema: &StructureSchema, json: &[u8]) -> Result<Value, WireError> {
    let fault = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let seed = StructureSeed {
        members: schema.members,
        fault: &fault,
    };
    let read = seed.deserialize(&mut deserializer).and_then(|value| {
        deserializer.end()?;
        Ok(value)
    });
    read.map_err(|_| WireError::serialization(fault.take().unwrap_or_default()))
}

/// Reads any JSON, as a document member or payload holds it.
///
/// # Errors
/// `SerializationException` if the text is not JSON.
pub fn read_document(json: &[u8]) -> Result<Value, WireError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let read = Document.deserialize(&mut deserializer).and_then(|value| {
        deserializer.end()?;
        Ok(value)
    });
    read.map_err(|_| WireError::serialization(""))
}

/// The first wrong type met. It travels beside the deserializer's own error, which would add its
/// position to the text.
type Fault = RefCell<Option<String>>;

const UNEXPECTED_STRUCTURE: &str = "Start of structure or map found where not expected.";
const UNEXPECTED_LIST: &str = "Start of list found where not expected";

#[derive(Clone, Copy)]
struct Seed<'f> {
    schema: Schema,
    fault: &'f Fault,
}

impl Seed<'_> {
    fn refuse<E: serde::de::Error>(&self, message: impl Into<String>) -> E {
        refuse(self.fault, message)
    }

    /// Where a scalar stands for what is not one, or for another type of scalar.
    fn mismatch<E: serde::de::Error>(&self, token: &str) -> E {
        match self.schema {
            Schema::Structure(_) => self.refuse("Expected null"),
            Schema::List(_) => self.refuse("Expected list or null"),
            Schema::Map(_) => self.refuse("Expected map or null"),
            schema => self.refuse(scalar::mismatch(token, schema)),
        }
    }
}

fn refuse<E: serde::de::Error>(fault: &Fault, message: impl Into<String>) -> E {
    fault.borrow_mut().get_or_insert(message.into());
    E::custom("")
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.schema {
            Schema::Document => Document.deserialize(deserializer),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, truth: bool) -> Result<Value, E> {
        match self.schema {
            Schema::Boolean => Ok(Value::Bool(truth)),
            _ => Err(self.mismatch(if truth { "TRUE_VALUE" } else { "FALSE_VALUE" })),
        }
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Value, E> {
        match self.schema {
            Schema::Integer(_) => Ok(Value::Int(scalar::clamp_integer(number))),
            Schema::Long(_) => Ok(Value::Int(number)),
            _ => self.visit_f64(number as f64),
        }
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        match i64::try_from(number) {
            Ok(number) => self.visit_i64(number),
            Err(_) => self.visit_f64(number as f64),
        }
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        match self.schema {
            // Whole-number members cut the fraction off, as AWS does.
            Schema::Integer(_) => Ok(Value::Int(scalar::clamp_integer(number as i64))),
            Schema::Long(_) => Ok(Value::Int(number as i64)),
            Schema::Float(_) => Ok(Value::Float(number)),
            Schema::Timestamp(_) => Ok(scalar::epoch_seconds(number)),
            _ => Err(self.mismatch("NUMBER_VALUE")),
        }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        match self.schema {
            Schema::String(_) => Ok(Value::Str(text.to_owned())),
            Schema::Blob(_) => scalar::base64(text).map_err(|message| self.refuse(message)),
            Schema::Float(_) => {
                scalar::special_float(text).ok_or_else(|| self.mismatch("STRING_VALUE"))
            }
            Schema::Timestamp(Some(format)) => {
                scalar::timestamp(text, format).ok_or_else(|| self.mismatch("STRING_VALUE"))
            }
            _ => Err(self.mismatch("STRING_VALUE")),
        }
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Value, E> {
        match self.schema {
            Schema::String(_) => Ok(Value::Str(text)),
            _ => self.visit_str(&text),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Schema::List(list) = self.schema else {
            return Err(self.refuse(UNEXPECTED_LIST));
        };
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(Seed {
            schema: list.member,
            ..self
        })? {
            values.push(value);
        }
        Ok(Value::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        match self.schema {
            Schema::Structure(structure) => members(structure.members, self.fault, entries),
            Schema::Map(map) => {
                let mut values: Vec<(String, Value)> = Vec::new();
                while let Some(key) = entries.next_key::<String>()? {
                    let value = entries.next_value_seed(Seed {
                        schema: map.value,
                        ..self
                    })?;
                    values.push((key, value));
                }
                last_wins(&mut values);
                Ok(Value::Map(values))
            }
            _ => Err(self.refuse(UNEXPECTED_STRUCTURE)),
        }
    }
}

/// Of a key that repeats, the last value counts. Keeps the order otherwise.
fn last_wins(values: &mut Vec<(String, Value)>) {
    if values.len() < 2 {
        return;
    }
    let mut seen = std::collections::HashSet::with_capacity(values.len());
    values.reverse();
    values.retain(|(key, _)| seen.insert(key.clone()));
    values.reverse();
}

/// The body itself.
struct StructureSeed<'f> {
    members: &'static [MemberSchema],
    fault: &'f Fault,
}

impl<'de> DeserializeSeed<'de> for StructureSeed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StructureSeed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Value, A::Error> {
        Err(refuse(self.fault, UNEXPECTED_LIST))
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Value, A::Error> {
        members(self.members, self.fault, entries)
    }
}

fn members<'de, A: MapAccess<'de>>(
    schemas: &'static [MemberSchema],
    fault: &Fault,
    mut entries: A,
) -> Result<Value, A::Error> {
    let mut values: Vec<(String, Value)> = Vec::new();
    while let Some(member) = entries.next_key_seed(KeySeed { schemas })? {
        let Some(member) = member else {
            entries.next_value::<IgnoredAny>()?;
            continue;
        };
        let value = entries.next_value_seed(Seed {
            schema: member.schema,
            fault,
        })?;
        if let Some(at) = values.iter().position(|(name, _)| name == member.name) {
            values.remove(at);
        }
        // A null member is one left out.
        if value != Value::Null {
            values.push((member.name.to_owned(), value));
        }
    }
    Ok(Value::Map(values))
}

/// Which member of the body a key names.
struct KeySeed {
    schemas: &'static [MemberSchema],
}

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<&'static MemberSchema>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<&'static MemberSchema>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        let in_body = |member: &&MemberSchema| member.location == Location::Body;
        Ok(self
            .schemas
            .iter()
            .filter(in_body)
            .find(|member| member.wire_name == key))
    }
}
