//! The service on a store in memory and a clock that the tests move.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod archives;
mod buses;
mod reach;
mod rules;
mod schedules;
mod world;
