//! CloudWatch Logs.

pub mod generated;
