//! Carries events to functions: async queue, pollers, retries.

pub mod poller;

pub use poller::{SqsMapping, SqsPollers};
