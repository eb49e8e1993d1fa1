//! Members outside the body: labels, query parameters, headers, status
//! (<https://smithy.io/2.0/spec/http-bindings.html>).

mod read;
mod write;

pub use read::read_outside_body;
pub use write::write_outside_body;
