//! Attribute values: what items are made of.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::number::Number;

/// An item's attributes by name.
pub type Item = BTreeMap<String, Attribute>;

/// One value of any of the ten types.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    S(String),
    N(Number),
    B(Bytes),
    Bool(bool),
    Null,
    L(Vec<Attribute>),
    M(Item),
    Ss(BTreeSet<String>),
    Ns(BTreeSet<Number>),
    Bs(BTreeSet<Bytes>),
}

impl Attribute {
    /// The type as the API names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::S(_) => "S",
            Self::N(_) => "N",
            Self::B(_) => "B",
            Self::Bool(_) => "BOOL",
            Self::Null => "NULL",
            Self::L(_) => "L",
            Self::M(_) => "M",
            Self::Ss(_) => "SS",
            Self::Ns(_) => "NS",
            Self::Bs(_) => "BS",
        }
    }

    /// Bytes an item is charged for the value, without its name.
    ///
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
    pub fn size(&self) -> usize {
        match self {
            Self::S(text) => text.len(),
            Self::N(number) => number.size(),
            Self::B(bytes) => bytes.len(),
            Self::Bool(_) | Self::Null => 1,
            Self::L(items) => 3 + items.iter().map(|item| item.size() + 1).sum::<usize>(),
            Self::M(members) => 3 + item_size(members) + members.len(),
            Self::Ss(set) => set.iter().map(String::len).sum(),
            Self::Ns(set) => set.iter().map(|number| number.size()).sum(),
            Self::Bs(set) => set.iter().map(Bytes::len).sum(),
        }
    }

    /// What `size()` in an expression gives, for the types that have it.
    pub fn length(&self) -> Option<usize> {
        Some(match self {
            Self::S(text) => text.chars().map(char::len_utf16).sum(),
            Self::B(bytes) => bytes.len(),
            Self::L(items) => items.len(),
            Self::M(members) => members.len(),
            Self::Ss(set) => set.len(),
            Self::Ns(set) => set.len(),
            Self::Bs(set) => set.len(),
            Self::N(_) | Self::Bool(_) | Self::Null => return None,
        })
    }

    /// How the messages about operands show it: `{S:a}`.
    pub fn shown(&self) -> String {
        let text = match self {
            Self::S(text) => text.clone(),
            Self::N(number) => number.to_string(),
            Self::B(bytes) => format!(
                "java.nio.HeapByteBuffer[pos=0 lim={0} cap={0}]",
                bytes.len()
            ),
            Self::Bool(truth) => truth.to_string(),
            Self::Null => "true".to_owned(),
            Self::L(items) => {
                let items: Vec<_> = items.iter().map(Self::shown).collect();
                format!("[{}]", items.join(", "))
            }
            Self::M(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!("{name}={}", value.shown()))
                    .collect();
                format!("{{{}}}", members.join(", "))
            }
            Self::Ss(set) => format!("[{}]", set.iter().cloned().collect::<Vec<_>>().join(", ")),
            Self::Ns(set) => {
                let numbers: Vec<_> = set.iter().map(ToString::to_string).collect();
                format!("[{}]", numbers.join(", "))
            }
            Self::Bs(set) => format!("[{} binaries]", set.len()),
        };
        format!("{{{}:{text}}}", self.kind())
    }

    /// Orders two strings, numbers or binaries; `None` for anything else.
    pub fn compare(&self, other: &Self) -> Option<std::cmp::Ordering> {
        match (self, other) {
            (Self::S(a), Self::S(b)) => Some(a.as_bytes().cmp(b.as_bytes())),
            (Self::N(a), Self::N(b)) => Some(a.cmp(b)),
            (Self::B(a), Self::B(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }
}

/// Bytes an item is charged for.
pub fn item_size(item: &Item) -> usize {
    item.iter()
        .map(|(name, value)| name.len() + value.size())
        .sum()
}
