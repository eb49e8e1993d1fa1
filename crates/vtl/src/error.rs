//! Why a template is none, and why one did not come to its end.

use thiserror::Error;

/// The text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {reason}")]
pub struct ParseError {
    /// From 1.
    pub line: usize,
    pub reason: &'static str,
}

/// The template was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenderError {
    #[error("the template takes too many steps")]
    Steps,
    #[error("the template nests too deeply")]
    Depth,
    #[error("the template holds too much at once")]
    Memory,
    #[error("the template writes too much")]
    Output,
    #[error("evaluate a text as a template: {0}")]
    Evaluate(#[from] ParseError),
}
