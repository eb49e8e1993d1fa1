//! The rules of SQS, without IO: what is valid, what is visible, what is a duplicate.

pub mod attributes;
pub mod backlog;
pub mod batch;
pub mod body;
pub mod deduplication;
pub mod digest;
pub mod fairness;
mod fault;
pub mod groups;
pub mod message;
pub mod message_attributes;
pub mod move_task;
pub mod permission;
pub mod queue_name;
pub mod queue_url;
pub mod receipt;
pub mod redrive;
pub mod send;
pub mod sequence;
pub mod system_attributes;
pub mod visibility;

pub use fault::Fault;

#[cfg(test)]
mod model_test;
