//! DynamoDB through boto3, through the document client for JavaScript, and through the AWS CLI.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use std::path::PathBuf;

use conformance::{Script, Server, Transcript, dynamodb_folder, python, root};

#[test]
fn boto3() {
    run("dynamodb.py");
}

#[test]
fn copies_and_policies() {
    run("dynamodb_copies.py");
}

fn run(script: &str) {
    let server = Server::start();
    let script = client(script);
    let script = Script::new(python(), &server).args(&[script.to_str().unwrap()]);
    ends_well(&script.run());
}

#[test]
fn document_client() {
    let server = Server::start();
    let script = client("dynamodb.mjs");
    let script = Script::new("node", &server)
        .args(&[script.to_str().unwrap()])
        .in_folder(dynamodb_folder());
    ends_well(&script.run());
}

fn client(name: &str) -> PathBuf {
    root().join("conformance/clients").join(name)
}

fn ends_well(transcript: &Transcript) {
    assert!(
        transcript.success && transcript.stdout.ends_with("end ok\n"),
        "{}\n{}",
        transcript.stdout,
        transcript.stderr
    );
}

#[test]
fn aws_cli() {
    let server = Server::start();
    let aws = |arguments: &[&str]| {
        let all: Vec<&str> = [&["dynamodb"], arguments].concat();
        Script::aws(&server, &all).run().expect_success()
    };
    aws(&[
        "create-table",
        "--table-name",
        "music",
        "--billing-mode",
        "PAY_PER_REQUEST",
        "--attribute-definitions",
        "AttributeName=artist,AttributeType=S",
        "--key-schema",
        "AttributeName=artist,KeyType=HASH",
    ]);
    aws(&["wait", "table-exists", "--table-name", "music"]);
    let item = r#"{"artist": {"S": "Kagero"}, "plays": {"N": "41"}}"#;
    aws(&["put-item", "--table-name", "music", "--item", item]);
    let updated = aws(&[
        "update-item",
        "--table-name",
        "music",
        "--key",
        r#"{"artist": {"S": "Kagero"}}"#,
        "--update-expression",
        "ADD plays :one",
        "--return-values",
        "UPDATED_NEW",
        "--expression-attribute-values",
        r#"{":one": {"N": "1"}}"#,
    ]);
    assert_eq!(updated.json()["Attributes"]["plays"]["N"], "42");
}
