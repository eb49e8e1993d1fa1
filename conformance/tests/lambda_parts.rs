//! Parts of Lambda that have no test of their own, through boto3.

#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::{Script, Server, node_runtime_client, python, root};

#[test]
fn boto3() {
    let server = Server::start();
    let script = root().join("conformance/clients/lambda_parts.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("windows ok\n"),
        "{}",
        transcript.stdout
    );
}

/// The calls and comparisons of Terraform's AWS provider.
#[test]
fn what_terraform_reads_is_what_it_set() {
    let server = Server::start();
    let script = root().join("conformance/clients/terraform.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert_eq!(transcript.stdout, "no drift\n");
}

/// The same of Node.js; the client's native part is left out, which it can do without.
#[test]
#[allow(clippy::print_stderr, reason = "a test that is skipped says why")]
fn our_node_client_is_like_awss() {
    let Some(client) = node_runtime_client() else {
        eprintln!("skipped: aws-lambda-ric is not there: run `cargo xtask tools`");
        return;
    };
    let version = std::process::Command::new("/usr/bin/node")
        .arg("--version")
        .output();
    let Some(version) = version.ok().filter(|output| output.status.success()) else {
        eprintln!("skipped: there is no /usr/bin/node");
        return;
    };
    let version = String::from_utf8(version.stdout).unwrap();
    let major = version.trim_start_matches('v').split('.').next().unwrap();
    let server = Server::start();
    let script = root().join("conformance/clients/runtime_clients_node.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap(), client.to_str().unwrap()])
        .env("NODE_RUNTIME", format!("nodejs{major}.x"))
        .run()
        .expect_success();
    assert!(
        transcript.stdout.contains(" cases alike\n"),
        "{}",
        transcript.stdout
    );
}

/// The same functions on AWS's own runtime client and on ours.
#[test]
fn our_python_client_is_like_awss() {
    let server = Server::start();
    let script = root().join("conformance/clients/runtime_clients.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.contains(" cases alike\n") || transcript.stdout.starts_with("skipped"),
        "{}",
        transcript.stdout
    );
}
