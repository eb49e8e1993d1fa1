//! Mapping templates of API Gateway: the Velocity Template Language with `$input`, `$util`,
//! `$context` and `$stageVariables`, and JSONPath. Knows no service and does no IO.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html>
//! <https://velocity.apache.org/engine/1.7/user-guide.html>
//!
//! A template is outside input: parsing is bounded in depth, rendering in steps, in depth, in what
//! it may hold and in what it may write ([`Limits`]).

mod ast;
mod error;
mod eval;
mod heap;
mod json;
pub mod jsonpath;
mod limits;
mod methods;
mod number;
mod parse;
mod render;
mod value;

pub use error::{ParseError, RenderError};
pub use json::Json;
pub use limits::Limits;
pub use render::{Inputs, Parameters, Rendered, Template};
