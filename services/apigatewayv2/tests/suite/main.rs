//! The service on a store in memory and a clock that the tests move.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod configuration;
mod reach;
mod requests;
mod socket_mappings;
mod sockets;
mod world;
