//! The composition root: configuration, telemetry, wiring.
