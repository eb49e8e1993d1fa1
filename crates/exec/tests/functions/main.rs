//! Functions run for real: in sandboxes, on this host's interpreters, as root or as anybody.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails where it unwraps, and says what it skips"
)]

mod gates;
mod outside;
#[allow(dead_code, reason = "other tests use the rest")]
mod support;

mod bad_input;
mod chaos;
mod containers;
mod dispatch;
mod egress;
mod extensions;
mod failures;
mod gateway;
mod go;
mod herd;
mod hostile;
mod invoke_store;
mod java;
mod json_logs;
mod layers;
mod logs;
mod managed;
mod node;
mod node_models;
mod node_options;
mod nursery;
mod official_client;
mod packs;
mod pressure;
mod provided;
mod provisioned;
mod python;
mod ruby;
mod snapstart;
mod streaming;
mod tenants;
