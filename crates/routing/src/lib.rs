//! Carries events to functions: async queue, pollers, retries.

pub mod async_queue;
pub mod poller;

pub use async_queue::AsyncQueue;
pub use poller::{SqsMapping, SqsPollers};
