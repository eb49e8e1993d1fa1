//! The operations, one file each; those of one resource that only store and list share a file.

pub mod describe_log_streams;
pub mod filter_log_events;
pub mod get_log_events;
pub mod groups;
pub mod put_log_events;
pub mod retention;
pub mod streams;
pub mod subscription_filters;
pub mod tags;
pub mod test_metric_filter;

use std::sync::Arc;

use crate::Logs;

/// What every operation is called on.
pub type State = Arc<Logs>;
