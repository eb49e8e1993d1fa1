//! Streamed responses through boto3 and the AWS SDK for JavaScript.

#![allow(clippy::unwrap_used, reason = "tests")]

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use conformance::{Script, Server, javascript_folder, python, root, zip};

#[test]
fn boto3() {
    let server = Server::start();
    let script = root().join("conformance/clients/streaming.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("plain ok\n"),
        "{}",
        transcript.stdout
    );
}

#[test]
fn javascript() {
    let server = Server::start();
    let clients = root().join("conformance/clients");
    let function = std::fs::read_to_string(clients.join("streaming_function.mjs")).unwrap();
    let package = zip(&[("index.mjs", &function)]);
    let transcript = Script::new("node", &server)
        .args(&[clients.join("streaming.mjs").to_str().unwrap()])
        .env("ZIP_BASE64", BASE64_STANDARD.encode(package))
        .in_folder(javascript_folder())
        .run()
        .expect_success();
    assert_eq!(transcript.stdout, "streaming ok\n");
}
