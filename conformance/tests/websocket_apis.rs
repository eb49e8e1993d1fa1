//! WebSocket APIs through boto3 and a WebSocket client.

#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::{Script, Server, python, root};

#[test]
fn boto3_and_websockets() {
    let server = Server::start();
    let script = root().join("conformance/clients/websocket_apis.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("limits ok\n"),
        "{}",
        transcript.stdout
    );
}
