//! Lambda with everything it stands on, in one process: exec and its sandboxes, IAM, S3, SQS,
//! DynamoDB.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(clippy::print_stderr, reason = "a test that is skipped says why")]

mod support;

mod account;
mod aliases;
mod asynchronous;
mod capacity;
mod code;
mod code_signing;
mod configuration;
mod containers;
mod destinations;
mod durable;
mod function_urls;
mod functions;
mod invoke;
mod keys;
mod layers;
mod managed;
mod mappings;
mod permissions;
mod provisioned;
mod provisioned_rules;
mod recursion;
mod restarts;
mod roles;
mod runtime_management;
mod snap_start;
mod streams;
mod tags;
mod tenants;
mod url_requests;
mod versions;
