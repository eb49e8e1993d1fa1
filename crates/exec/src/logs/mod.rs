//! What a function writes, from its pipes to the log sink.

mod lines;
pub(crate) mod records;
pub(crate) mod report;
mod tap;

pub(crate) use tap::{LogTap, Pipes, cut_tail};
