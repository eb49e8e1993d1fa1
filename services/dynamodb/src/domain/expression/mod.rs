//! The expressions of requests: condition, filter, key condition, projection and update.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html>
//!
//! A parser reports the whole text's syntax first. What else is wrong with it is noted as it is
//! read, and reported by rank ([`findings`]), as AWS does.

mod apply;
mod check;
mod condition;
mod cursor;
mod evaluate;
mod findings;
mod key_condition;
mod lexer;
mod placeholders;
mod projection;
mod reserved;
mod update;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use condition::{Comparator, Condition, Operand};
pub use key_condition::{KeyCondition, RangeCondition, Ranges};
pub use placeholders::Placeholders;
pub use update::{Action, SetValue, Update, UpdateOperand};

use super::Invalid;
use super::path::Path;

/// Which expression of a request is read, by the name of its parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Condition,
    Filter,
    KeyCondition,
    Projection,
    Update,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Condition => "ConditionExpression",
            Self::Filter => "FilterExpression",
            Self::KeyCondition => "KeyConditionExpression",
            Self::Projection => "ProjectionExpression",
            Self::Update => "UpdateExpression",
        }
    }

    fn invalid(self, reason: impl std::fmt::Display) -> Invalid {
        Invalid::new(format!("Invalid {}: {reason}", self.name()))
    }
}

/// Reads a condition or filter.
pub fn condition(
    kind: Kind,
    text: &str,
    placeholders: &mut Placeholders,
) -> Result<Condition, Invalid> {
    read(kind, text, placeholders, condition::parse)
}

/// Reads a key condition.
pub fn key_condition(text: &str, placeholders: &mut Placeholders) -> Result<KeyCondition, Invalid> {
    let kind = Kind::KeyCondition;
    key_condition::of(&read(kind, text, placeholders, condition::parse)?)
}

/// Reads the paths of a projection.
pub fn projection(text: &str, placeholders: &mut Placeholders) -> Result<Vec<Path>, Invalid> {
    read(Kind::Projection, text, placeholders, projection::parse)
}

/// Reads an update.
pub fn update(text: &str, placeholders: &mut Placeholders) -> Result<Update, Invalid> {
    read(Kind::Update, text, placeholders, update::parse)
}

/// The longest expression, in bytes.
const LONGEST: usize = 4096;

fn read<T>(
    kind: Kind,
    text: &str,
    placeholders: &mut Placeholders,
    parse: fn(&mut cursor::Cursor<'_>) -> Result<T, String>,
) -> Result<T, Invalid> {
    if text.is_empty() {
        return Err(kind.invalid("The expression can not be empty;"));
    }
    if text.len() > LONGEST {
        return Err(kind.invalid(format_args!(
            "Expression size has exceeded the maximum allowed size; expression size: {}",
            text.len()
        )));
    }
    let tokens = lexer::tokens(text).map_err(|reason| kind.invalid(reason))?;
    let mut cursor = cursor::Cursor::new(text, tokens, placeholders);
    let parsed = parse(&mut cursor).map_err(|reason| kind.invalid(reason))?;
    match cursor.findings.first() {
        Some(finding) => Err(kind.invalid(finding)),
        None => Ok(parsed),
    }
}
