//! AWS wire protocols: bytes to typed requests and back. Knows no service.
//!
//! A request travels bytes → [`Value`] (by protocol and schema) → validated → a generated input
//! struct; a response travels the same road back. Generated code holds only schemas (tables) and
//! one small [`Shape`] implementation a struct, so that a service costs little to compile.

mod schema;
mod value;

pub use schema::{OperationSchema, ServiceSchema};
pub use value::{Shape, Value};

/// One modelled operation: its shapes and where they travel. Implemented by the generated marker
/// types, such as `sqs::generated::SendMessage`.
pub trait Operation {
    type Input: Shape;
    type Output: Shape;
    const SCHEMA: &'static OperationSchema;
}
