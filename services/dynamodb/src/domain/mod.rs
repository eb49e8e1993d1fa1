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

/// Why a request is a `ValidationException`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    pub message: String,
    kind: Kind,
}

/// What operations word or treat in their own way.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// A set, of strings or of what else, without members.
    EmptySet(&'static str),
    /// A key that no item can have.
    EmptyKey,
    Other,
}

impl Invalid {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            kind: Kind::Other,
        }
    }

    /// What most rules of values begin with.
    pub fn parameter(reason: impl std::fmt::Display) -> Self {
        Self::new(format!(
            "One or more parameter values were invalid: {reason}"
        ))
    }

    pub fn empty_set(of: &'static str) -> Self {
        Self {
            kind: Kind::EmptySet(of),
            ..Self::parameter(format!("An {of} set  may not be empty"))
        }
    }

    pub fn empty_key(value: &str, attribute: &str) -> Self {
        let message = format!(
            "One or more parameter values are not valid. The AttributeValue for a key attribute \
             cannot contain an empty {value} value. Key: {attribute}"
        );
        Self {
            message,
            kind: Kind::EmptyKey,
        }
    }

    pub fn is_of_empty_key(&self) -> bool {
        self.kind == Kind::EmptyKey
    }

    /// The same, with words around it.
    #[must_use]
    pub fn within(self, before: &str, after: &str) -> Self {
        Self {
            message: format!("{before}{}{after}", self.message),
            ..self
        }
    }

    /// As PutItem, UpdateItem and DeleteItem say what is wrong whatever the table is.
    #[must_use]
    pub fn into_validation_error(self) -> Self {
        let whole = match self.kind {
            // Where an empty set stands is not said.
            Kind::EmptySet(of) => Self::empty_set(of),
            _ => self,
        };
        whole.within("1 validation error detected: ", "")
    }
}
