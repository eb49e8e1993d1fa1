//! Input that no well-meaning client sends: AWS's error, nothing half-written, the server unmoved.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

mod archives;
mod connections;
mod events;
mod functions;
mod operations;
mod payloads;

use conformance::{Answer, Api, Server};
use serde_json::{Value, json};

const ECHO: &str = "def handler(event, context):\n    return event\n";

fn started() -> (Server, Api) {
    let server = Server::start();
    let api = server.api();
    (server, api)
}

/// Panics unless the answer is this error. A text that ends with … is the beginning.
fn refused(answer: Answer, status: u16, code: &str, message: &str) {
    let answer = answer.expect(status);
    assert_eq!(
        answer.error_code(),
        code,
        "{:?} {}",
        answer.headers,
        answer.text()
    );
    let found = answer.error_message();
    match message.strip_suffix('…') {
        Some(beginning) => assert!(found.starts_with(beginning), "{found}"),
        None => assert_eq!(found, message),
    }
    let id = answer
        .header("x-amzn-requestid")
        .or(answer.header("x-amz-request-id"));
    assert!(
        id.is_some(),
        "an error has a request id: {:?}",
        answer.headers
    );
}

/// After bad input: it answers, and knows no function.
fn unmoved(server: &Server, api: &mut Api) {
    assert!(server.is_healthy());
    let functions = api
        .lambda("GET", "/2015-03-31/functions", &Value::Null)
        .expect(200)
        .json();
    assert_eq!(functions["Functions"], json!([]));
}

/// Everything that content was written to: code, objects, uploads on their way.
fn contents(server: &Server) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![
        server.data_dir().join("blobs"),
        server.data_dir().join("images"),
    ];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}
