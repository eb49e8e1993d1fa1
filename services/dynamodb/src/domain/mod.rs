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

    /// As PutItem, UpdateItem and DeleteItem say what is wrong whatever the table is.
    #[must_use]
    pub fn into_validation_error(self) -> Self {
        const BEGIN: &str = "1 validation error detected: ";
        if self.0.starts_with(BEGIN) {
            return self;
        }
        // Where an empty set stands is not said.
        let set = self.0.strip_prefix(expression::INVALID_VALUE);
        let set = set.and_then(|rest| Some(rest.split_once("set  may not be empty")?.0));
        match set {
            Some(kind) => Self(format!("{BEGIN}{kind}set  may not be empty")),
            None => Self(format!("{BEGIN}{}", self.0)),
        }
    }

    /// What most rules of values begin with.
    pub fn parameter(reason: impl std::fmt::Display) -> Self {
        Self(format!(
            "One or more parameter values were invalid: {reason}"
        ))
    }
}
