//! Published versions and aliases as deployment scripts use them, through the AWS CLI.

#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::{ROLE, Script, Server, Transcript, zip};
use serde_json::{Value, json};

/// `aws lambda` on one function.
fn lambda(server: &Server, operation: &[&str], arguments: &[&str]) -> Transcript {
    Script::aws(server, &["lambda"])
        .args(operation)
        .args(&["--function-name", "hello"])
        .args(arguments)
        .run()
}

fn ok(server: &Server, operation: &str, arguments: &[&str]) -> Value {
    lambda(server, &[operation], arguments)
        .expect_success()
        .json_or_null()
}

/// What `aws lambda invoke` says, and what the function returned.
fn invoke(server: &Server, folder: &std::path::Path, qualifier: &str) -> (Value, Value) {
    let output = folder.join("answer.json");
    let said = ok(
        server,
        "invoke",
        &["--qualifier", qualifier, output.to_str().unwrap()],
    );
    let returned = serde_json::from_slice(&std::fs::read(&output).unwrap()).unwrap();
    (said, returned)
}

#[test]
fn a_release_moves_an_alias_from_version_to_version() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let package = |number: u32| {
        let source = format!(
            "def handler(event, context):\n    return [{number}, context.invoked_function_arn, \
             context.log_stream_name]\n"
        );
        let file = folder.path().join(format!("{number}.zip"));
        std::fs::write(&file, zip(&[("function.py", &source)])).unwrap();
        format!("fileb://{}", file.display())
    };
    let created = ok(
        &server,
        "create-function",
        &[
            "--runtime",
            "python3.12",
            "--handler",
            "function.handler",
            "--role",
            ROLE,
            "--publish",
            "--zip-file",
            &package(1),
            "--snap-start",
            "ApplyOn=PublishedVersions",
        ],
    );
    assert_eq!(created["Version"], "1");
    lambda(
        &server,
        &["wait", "published-version-active"],
        &["--qualifier", "1"],
    )
    .expect_success();
    let first = ok(&server, "get-function-configuration", &["--qualifier", "1"]);
    assert_eq!(
        first["SnapStart"],
        json!({"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"})
    );
    let alias = ok(
        &server,
        "create-alias",
        &["--name", "live", "--function-version", "1"],
    );
    let arn = alias["AliasArn"].as_str().unwrap();
    assert!(arn.ends_with(":function:hello:live"), "{arn}");

    ok(
        &server,
        "update-function-code",
        &["--zip-file", &package(2)],
    );
    lambda(&server, &["wait", "function-updated-v2"], &[]).expect_success();
    let published = ok(&server, "publish-version", &["--description", "the second"]);
    assert_eq!(
        (&published["Version"], &published["Description"]),
        (&json!("2"), &json!("the second"))
    );
    lambda(
        &server,
        &["wait", "published-version-active"],
        &["--qualifier", "2"],
    )
    .expect_success();

    let (said, returned) = invoke(&server, folder.path(), "live");
    assert_eq!(
        (&said["ExecutedVersion"], &returned[0]),
        (&json!("1"), &json!(1))
    );
    assert_eq!(returned[1], alias["AliasArn"]);
    let stream = returned[2].as_str().unwrap();
    assert!(stream.contains("[1]"), "{stream}");
    let canary = [
        "--name",
        "live",
        "--routing-config",
        "AdditionalVersionWeights={2=1.0}",
    ];
    let routed = ok(&server, "update-alias", &canary);
    assert_eq!(
        routed["RoutingConfig"]["AdditionalVersionWeights"],
        json!({"2": 1.0})
    );
    let (said, returned) = invoke(&server, folder.path(), "live");
    assert_eq!(
        (&said["ExecutedVersion"], &returned[0]),
        (&json!("2"), &json!(2))
    );
    let done = [
        "--name",
        "live",
        "--function-version",
        "2",
        "--routing-config",
        "AdditionalVersionWeights={}",
    ];
    let moved = ok(&server, "update-alias", &done);
    assert_eq!(moved["FunctionVersion"], "2");

    let kept = lambda(&server, &["delete-function"], &["--qualifier", "2"]);
    assert!(
        !kept.success && kept.stderr.contains("ResourceConflictException"),
        "{kept:?}"
    );
    ok(&server, "delete-function", &["--qualifier", "1"]);
    let versions = ok(&server, "list-versions-by-function", &[]);
    let versions: Vec<&Value> = versions["Versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| &version["Version"])
        .collect();
    assert_eq!(versions, [&json!("$LATEST"), &json!("2")]);
    let (said, _) = invoke(&server, folder.path(), "live");
    assert_eq!(said["ExecutedVersion"], "2");
}
