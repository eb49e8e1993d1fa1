//! Filter patterns: which messages FilterLogEvents returns.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html>

mod columns;
mod compare;
mod json;
mod terms;

use std::collections::BTreeMap;

use columns::Columns;
use json::JsonPattern;
use terms::Terms;

/// A parsed filter pattern.
#[derive(Debug)]
pub enum FilterPattern {
    /// Words a message must, may or must not contain.
    Terms(Terms),
    /// `{ $.status = 404 }`: conditions on a JSON message.
    Json(JsonPattern),
    /// `[ip, user, status = 4*]`: conditions on space-delimited fields.
    Columns(Columns),
}

/// Why a pattern cannot be parsed, as a fragment for people.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("Invalid filter pattern: {0}")]
pub struct InvalidPattern(pub String);

impl FilterPattern {
    /// Patterns have at most 1,024 characters, which the model's validation has checked.
    pub fn parse(pattern: &str) -> Result<Self, InvalidPattern> {
        let pattern = pattern.trim();
        if let Some(inner) = delimited(pattern, '{', '}') {
            JsonPattern::parse(inner).map(Self::Json)
        } else if let Some(inner) = delimited(pattern, '[', ']') {
            Columns::parse(inner).map(Self::Columns)
        } else {
            Terms::parse(pattern).map(Self::Terms)
        }
    }

    /// The fields of a message that matches, by the names that the pattern gives them, else by their
    /// numbers; only patterns of space-delimited fields have any.
    pub fn fields(&self, message: &str) -> BTreeMap<String, String> {
        match self {
            Self::Columns(columns) => columns.named(message),
            Self::Terms(_) | Self::Json(_) => BTreeMap::new(),
        }
    }

    pub fn matches(&self, message: &str) -> bool {
        match self {
            Self::Terms(terms) => terms.matches(message),
            Self::Json(pattern) => pattern.matches(message),
            Self::Columns(columns) => columns.matches(message),
        }
    }
}

fn delimited(text: &str, open: char, close: char) -> Option<&str> {
    text.strip_prefix(open)?.strip_suffix(close)
}

fn invalid(why: impl Into<String>) -> InvalidPattern {
    InvalidPattern(why.into())
}
