//! Lambda with everything it stands on, in one process: exec and its sandboxes, IAM, S3, SQS.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says why")]

mod support;

mod account;
mod asynchronous;
mod code;
mod configuration;
mod functions;
mod invoke;
mod mappings;
mod permissions;
mod roles;
mod tags;
