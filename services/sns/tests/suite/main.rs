//! The service on a store in memory and a clock that the tests move.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod delivery;
mod publishing;
mod reach;
mod topics;
mod world;
