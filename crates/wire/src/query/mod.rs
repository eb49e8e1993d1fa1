//! The query protocol: forms in, XML out
//! (<https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>).

mod read;
mod write;

pub use read::read_structure;
pub use write::{error, foreign_error, response};
