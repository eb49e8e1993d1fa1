//! XML, as restXml bodies and the answers of the query protocol hold it.

mod read;
mod write;

pub use read::read_structure;
pub use write::Xml;
