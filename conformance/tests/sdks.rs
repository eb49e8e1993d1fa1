//! The four exercises through code: boto3 and the AWS SDK for JavaScript.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use std::process::Command;

use conformance::{Script, Server, javascript_folder, python, root};

#[test]
fn boto3() {
    let server = Server::start();
    let script = root().join("conformance/clients/exercises.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("asynchronous ok\n"),
        "{}",
        transcript.stdout
    );
}

#[test]
fn javascript() {
    let server = Server::start();
    let clients = root().join("conformance/clients");
    let zip = zip_base64(&clients.join("function.mjs"), "index.mjs");
    let transcript = Script::new("node", &server)
        .args(&[clients.join("exercises.mjs").to_str().unwrap()])
        .env("ZIP_BASE64", zip)
        .in_folder(javascript_folder())
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("queue event ok\n"),
        "{}",
        transcript.stdout
    );
}

/// A zip of one file, made by Python so that no zip program is needed.
fn zip_base64(file: &std::path::Path, name: &str) -> String {
    let program = "import base64, io, sys, zipfile\n\
                   out = io.BytesIO()\n\
                   with zipfile.ZipFile(out, 'w') as z: z.write(sys.argv[1], sys.argv[2])\n\
                   print(base64.b64encode(out.getvalue()).decode())";
    let output = Command::new(python())
        .args(["-c", program, file.to_str().unwrap(), name])
        .output()
        .expect("python runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
