//! SnapStart through the AWS CLI: a version is prepared when it is published, its hooks run, and its
//! first environment is restored.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use conformance::{ROLE, Script, Server, Transcript, until, zip};
use serde_json::{Value, json};

const SOURCE: &str = "import os
from snapshot_restore_py import register_before_snapshot, register_after_restore
order = []
@register_before_snapshot
def before(): order.append('before')
@register_after_restore
def after(): order.append('after')
def handler(event, context):
    return order, os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']
";
const BROKEN_BEFORE: &str = "import nothing_of_that_name\n";
const BROKEN_AFTER: &str = "from snapshot_restore_py import register_after_restore
@register_after_restore
def after(): raise ValueError('no way back')
def handler(event, context): pass
";

fn lambda(server: &Server, operation: &str, name: &str, arguments: &[&str]) -> Transcript {
    Script::aws(server, &["lambda", operation, "--function-name", name])
        .args(arguments)
        .run()
}

/// Publishes version 1 of this code, and returns its configuration once it is not Pending.
fn publish(server: &Server, folder: &Path, name: &str, source: &str) -> Value {
    let package = folder.join(format!("{name}.zip"));
    std::fs::write(&package, zip(&[("function.py", source)])).unwrap();
    let package = format!("fileb://{}", package.display());
    let arguments = [
        "--runtime",
        "python3.12",
        "--handler",
        "function.handler",
        "--role",
        ROLE,
        "--zip-file",
        &package,
        "--snap-start",
        "ApplyOn=PublishedVersions",
        "--publish",
    ];
    lambda(server, "create-function", name, &arguments).expect_success();
    until("the version is prepared", || {
        let version = ["--qualifier", "1"];
        let found = lambda(server, "get-function-configuration", name, &version);
        let found = found.expect_success().json();
        (found["State"] != "Pending").then_some(found)
    })
}

fn invoke(server: &Server, folder: &Path, name: &str) -> Transcript {
    let output = folder.join("answer.json");
    let output = output.to_str().unwrap();
    let arguments = ["--qualifier", "1", "--log-type", "Tail", output];
    lambda(server, "invoke", name, &arguments)
}

#[test]
fn versions_are_prepared_restored_and_told_of_what_fails() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();

    let active = publish(&server, folder, "good", SOURCE);
    assert_eq!(active["State"], "Active", "{active}");
    assert_eq!(active["SnapStart"]["OptimizationStatus"], "On");
    invoke(&server, folder, "good").expect_success();
    let answer = std::fs::read(folder.join("answer.json")).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    // Where there are no templates, it starts like any other, says so, and its hooks have run as well.
    let restored = json!([["before", "after"], "snap-start"]);
    let ordinary = json!([["before", "after"], "on-demand"]);
    assert!(answer == restored || answer == ordinary, "{answer}");
    if answer == ordinary {
        return;
    }

    let failed = publish(&server, folder, "broken-before", BROKEN_BEFORE);
    assert_eq!(failed["State"], "Failed", "{failed}");
    let reason = failed["StateReason"].as_str().unwrap();
    assert!(reason.contains("nothing_of_that_name"), "{failed}");

    publish(&server, folder, "broken-after", BROKEN_AFTER);
    let refused = invoke(&server, folder, "broken-after");
    assert!(
        refused.stderr.contains("(SnapStartException)"),
        "{}",
        refused.stderr
    );
}
