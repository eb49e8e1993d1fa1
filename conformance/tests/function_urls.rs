//! Functions' own addresses, with signatures checked and policies evaluated.

#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::{Script, Server, python, root};

#[test]
fn boto3() {
    let server = Server::start_enforcing();
    let script = root().join("conformance/clients/function_urls.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("signatures ok\n"),
        "{}",
        transcript.stdout
    );
}
