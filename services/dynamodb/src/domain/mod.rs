//! Pure rules, without IO.

pub mod capacity;
pub mod codec;
pub mod convert;
pub mod expression;
pub mod import;
pub mod json;
pub mod key;
pub mod legacy;
pub mod number;
pub mod partiql;
pub mod path;
pub mod segment;
pub mod stream;
pub mod table;
pub mod table_rules;
pub mod tags;
pub mod value;

/// Why a request is a `ValidationException`: its message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(pub String);

impl Invalid {
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// What most rules of values begin with.
    pub fn parameter(reason: impl std::fmt::Display) -> Self {
        Self(format!(
            "One or more parameter values were invalid: {reason}"
        ))
    }
}
