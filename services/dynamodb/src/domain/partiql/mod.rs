//! PartiQL statements, as far as DynamoDB has them.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html>

mod condition;
mod keys;
mod lexer;
mod parser;
mod statement;

#[cfg(test)]
mod tests;

pub use keys::{full_key, key_condition};

use super::Invalid;
use super::expression::{Condition, Update};
use super::number::Number;
use super::path::Path;
use super::value::{Attribute, Item};

#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    Select {
        table: String,
        index: Option<String>,
        /// `None` for `*`.
        columns: Option<Vec<Path>>,
        condition: Option<Condition>,
        order: Option<Order>,
    },
    Insert {
        table: String,
        item: Item,
    },
    /// What a transaction asks of an item that it leaves as it is.
    Exists {
        table: String,
        condition: Condition,
    },
    Update {
        table: String,
        update: Update,
        condition: Condition,
        returning: Option<Returning>,
    },
    Delete {
        table: String,
        condition: Condition,
        returning: Option<Returning>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub by: String,
    pub descending: bool,
}

/// What of a changed item the answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returning {
    AllOld,
    AllNew,
    ModifiedOld,
    ModifiedNew,
}

impl Statement {
    /// Reads a statement, with a value for each `?` in it.
    pub fn parse(text: &str, parameters: Vec<Attribute>) -> Result<Self, Invalid> {
        let tokens = lexer::tokens(text)?;
        statement::parse(parser::Parser::new(tokens, parameters))
    }

    /// What a statement does and to which table, for policies: values do not matter.
    pub fn access(text: &str) -> Option<(&'static str, String, Option<String>)> {
        let tokens = lexer::tokens(text).ok()?;
        // All different, so that they can be members of a set.
        let number = |at: usize| Number::parse(&at.to_string()).unwrap_or(Number::ZERO);
        let parameters = (0..tokens.len())
            .map(|at| Attribute::N(number(at)))
            .collect();
        let parsed = statement::parse(parser::Parser::unchecked(tokens, parameters)).ok()?;
        Some(match parsed {
            Self::Select { table, index, .. } => ("PartiQLSelect", table, index),
            Self::Exists { table, .. } => ("PartiQLSelect", table, None),
            Self::Insert { table, .. } => ("PartiQLInsert", table, None),
            Self::Update { table, .. } => ("PartiQLUpdate", table, None),
            Self::Delete { table, .. } => ("PartiQLDelete", table, None),
        })
    }

    pub fn table(&self) -> &str {
        match self {
            Self::Select { table, .. }
            | Self::Exists { table, .. }
            | Self::Insert { table, .. }
            | Self::Update { table, .. }
            | Self::Delete { table, .. } => table,
        }
    }
}
