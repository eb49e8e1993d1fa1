//! The rules of CloudWatch Logs, without IO.

pub mod batch;
pub mod filter;
pub mod names;
pub mod page;
pub mod tags;
