//! What a function writes, from its pipes to the log sink, and what Lambda itself has to say.

pub(crate) mod application;
mod lines;
pub(crate) mod platform;
mod platform_json;
pub(crate) mod records;
pub(crate) mod report;
mod tap;

pub(crate) use platform::Platform;
pub(crate) use tap::{LogTap, Pipes, cut_tail};
