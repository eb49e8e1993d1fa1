//! Lambda with everything it stands on, in one process: exec and its sandboxes, IAM, S3, SQS.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

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
