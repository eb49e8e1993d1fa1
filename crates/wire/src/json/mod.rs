//! Values as JSON, as awsJson and restJson bodies hold them.

mod document;
mod read;
mod write;

pub use read::{read_document, read_structure};
pub use write::{write_string, write_structure, write_value};
