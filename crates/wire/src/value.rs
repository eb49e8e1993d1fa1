//! The protocol-neutral tree between bytes and generated structs.

use base::Timestamp;
use bytes::Bytes;

/// A decoded member, by its modelled type. Structures and maps are both [`Value::Map`]: ordered,
/// with the model's member names (not the wire's) as keys of structures.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Blob(Bytes),
    Time(Timestamp),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Value {
    /// A structure of the members that are there.
    pub fn of_members<const N: usize>(members: [Option<(&str, Value)>; N]) -> Self {
        let members = members.into_iter().flatten();
        Self::Map(
            members
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// The member of a structure or map, if this is one and has it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Map(members) => members.iter().find(|(key, _)| key == name).map(|(_, v)| v),
            _ => None,
        }
    }

    /// Removes and returns the member of a structure or map.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        match self {
            Self::Map(members) => {
                let at = members.iter().position(|(key, _)| key == name)?;
                Some(members.swap_remove(at).1)
            }
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }
}
