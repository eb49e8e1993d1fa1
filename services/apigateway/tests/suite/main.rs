//! The service on a store in memory, with functions that are the test's own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod patches;
mod reach;
mod requests;
mod restarts;
mod world;
