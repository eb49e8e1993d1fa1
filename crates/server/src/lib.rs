//! The composition root: configuration, telemetry, wiring.

pub mod config;
pub mod telemetry;
