//! Carries events: to functions (async queue, pollers, retries) and from any source to any target.

pub mod async_queue;
pub mod deliveries;
pub mod poller;
pub mod schedule;

pub use async_queue::AsyncQueue;
pub use poller::{SqsMapping, SqsPollers};
