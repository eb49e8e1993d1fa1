//! Why a request breaks a rule, with the message AWS gives. [`crate::error`] adds the codes.

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Parameter(String),
    #[error("missing {0}")]
    Missing(&'static str),
    #[error("{0}")]
    AttributeName(String),
    #[error("{0}")]
    AttributeValue(String),
    #[error("{0}")]
    MessageContents(String),
    #[error("{0}")]
    ReceiptHandle(String),
    #[error("{0}")]
    EmptyBatch(String),
    #[error("{0}")]
    TooManyEntries(String),
    #[error("{0}")]
    EntryId(String),
    #[error("{0}")]
    EntryIdsNotDistinct(String),
    #[error("{0}")]
    BatchTooLong(String),
    #[error("{0}")]
    OverLimit(String),
}

impl Fault {
    /// `Value <value> for parameter <parameter> is invalid. Reason: <reason>`
    pub fn parameter(
        value: impl std::fmt::Display,
        parameter: &str,
        reason: impl std::fmt::Display,
    ) -> Self {
        Self::Parameter(format!(
            "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
        ))
    }

    pub fn unknown_attribute(name: &str) -> Self {
        Self::AttributeName(format!("Unknown Attribute {name}."))
    }
}
