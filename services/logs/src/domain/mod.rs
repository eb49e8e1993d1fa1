//! The rules of CloudWatch Logs, without IO.

pub mod batch;
pub mod event_id;
pub mod filter;
pub mod names;
pub mod page;
pub mod subscription;
pub mod tags;
