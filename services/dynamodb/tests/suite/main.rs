//! DynamoDB, driven as the gateway drives it.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "inputs are written where they are given"
)]

mod access;
mod batches;
mod capacity;
mod composite_keys;
mod copies;
mod expiry;
mod indexes;
mod items;
mod legacy;
mod queries;
mod restarts;
mod settings;
mod statements;
mod streams;
mod support;
mod tables;
mod transactions;
