//! Real clients against the built binary: starting a server, finding the clients, running scripts.
//!
//! `cargo xtask test` builds the binary and fetches the clients first; run alone, a test that
//! misses one says so and fails.

#![expect(clippy::print_stderr, reason = "a failed test shows the server's log")]

mod api;
mod archive;
mod clients;
mod http;
mod script;
mod server;

pub use api::{Api, ROLE, log_tail, until};
pub use archive::{add, zip, zip_with};
pub use clients::{
    aws_cli, browser, durable_sdk, dynamodb_folder, javascript_folder, missing,
    node_runtime_client, python,
};
pub use http::{Answer, Client, Request};
pub use script::{Script, Transcript};
pub use server::{Server, free_port, kagero_binary, ordinary_uid};

use std::path::PathBuf;

/// The workspace's root folder.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("conformance is a folder of the workspace")
        .to_owned()
}
