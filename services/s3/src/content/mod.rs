//! The bytes of objects: written as they arrive, read as they are sent, deleted when the last
//! reader is done.

mod digests;
mod pins;
mod read;
mod seal;
mod write;

pub use pins::Pins;
pub use read::{ByteStream, Source, Wanted, find, open};
pub use seal::Keys;
pub use write::{Expected, Stored, Written, discard, write};
