//! IAM policies: the grammar, and who may do what under them.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies.html>

mod condition;
mod context;
mod document;
mod evaluate;
mod parse;
mod pattern;
mod principal;
mod validate;

pub use context::{Caller, Context};
pub use document::{Document, Effect, MalformedPolicy, PolicyKind};
pub use evaluate::{Decision, Policies, Request, evaluate};
