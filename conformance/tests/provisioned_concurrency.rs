//! Provisioned concurrency through the AWS CLI: of an alias, ready, used, and there after a restart.

#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::{ROLE, Script, Server, Transcript, until, zip};
use serde_json::{Value, json};

const SOURCE: &str = "import os\n\ndef handler(event, context):\n    \
                      return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n";

fn lambda(server: &Server, operation: &str, arguments: &[&str]) -> Transcript {
    Script::aws(server, &["lambda", operation, "--function-name", "hello"])
        .args(arguments)
        .run()
}

fn ok(server: &Server, operation: &str, arguments: &[&str]) -> Value {
    lambda(server, operation, arguments)
        .expect_success()
        .json_or_null()
}

/// Asks until both environments are ready and free, as deployment scripts do.
fn becomes_ready(server: &Server) -> Value {
    until("the configuration is READY", || {
        let config = ok(
            server,
            "get-provisioned-concurrency-config",
            &["--qualifier", "live"],
        );
        let available = &config["AvailableProvisionedConcurrentExecutions"];
        (config["Status"] == "READY" && *available == 2).then_some(config)
    })
}

fn returns(server: &Server, folder: &std::path::Path, qualifier: &str) -> Value {
    let output = folder.join("answer.json");
    let arguments = ["--qualifier", qualifier, output.to_str().unwrap()];
    ok(server, "invoke", &arguments);
    serde_json::from_slice(&std::fs::read(&output).unwrap()).unwrap()
}

#[test]
fn an_alias_has_environments_ready_before_and_after_a_restart() {
    let mut server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("function.zip");
    std::fs::write(&package, zip(&[("function.py", SOURCE)])).unwrap();
    let package = format!("fileb://{}", package.display());
    let create = [
        "--runtime",
        "python3.12",
        "--handler",
        "function.handler",
        "--role",
        ROLE,
        "--zip-file",
        &package,
    ];
    ok(&server, "create-function", &create);
    ok(&server, "publish-version", &[]);
    let alias = ["--name", "live", "--function-version", "1"];
    let alias = ok(&server, "create-alias", &alias);
    let put = ok(
        &server,
        "put-provisioned-concurrency-config",
        &[
            "--qualifier",
            "live",
            "--provisioned-concurrent-executions",
            "2",
        ],
    );
    assert_eq!(put["Status"], "IN_PROGRESS");
    let ready = becomes_ready(&server);
    assert_eq!(
        ready,
        json!({
            "RequestedProvisionedConcurrentExecutions": 2,
            "AvailableProvisionedConcurrentExecutions": 2,
            "AllocatedProvisionedConcurrentExecutions": 2,
            "Status": "READY",
            "LastModified": put["LastModified"],
        })
    );
    let ahead = json!("provisioned-concurrency");
    assert_eq!(returns(&server, folder.path(), "live"), ahead);
    assert_eq!(returns(&server, folder.path(), "1"), ahead);
    assert_eq!(
        returns(&server, folder.path(), "$LATEST"),
        json!("on-demand")
    );

    let listed = ok(&server, "list-provisioned-concurrency-configs", &[]);
    let listed = listed["ProvisionedConcurrencyConfigs"].as_array().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["FunctionArn"], alias["AliasArn"]);

    server.kill_and_restart(&[]);
    assert_eq!(becomes_ready(&server)["LastModified"], put["LastModified"]);
    assert_eq!(returns(&server, folder.path(), "live"), ahead);

    let live = ["--qualifier", "live"];
    ok(&server, "delete-provisioned-concurrency-config", &live);
    let gone = lambda(&server, "get-provisioned-concurrency-config", &live);
    assert!(
        !gone.success
            && gone
                .stderr
                .contains("ProvisionedConcurrencyConfigNotFoundException"),
        "{gone:?}"
    );
    until("invocations are on demand", || {
        (returns(&server, folder.path(), "live") == "on-demand").then_some(())
    });
}
