//! Functions run for real: in sandboxes, on this host's interpreters, as root or as anybody.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails where it unwraps, and says what it skips"
)]

mod support;

mod dispatch;
mod failures;
mod gateway;
mod logs;
mod node;
mod official_client;
mod provided;
mod python;
