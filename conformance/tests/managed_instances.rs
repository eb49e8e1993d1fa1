//! Functions on capacity providers: through boto3, and through the AWS CLI over a restart.

#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::{ROLE, Script, Server, python, root, until, zip};
use serde_json::{Value, json};

#[test]
fn boto3() {
    let server = Server::start();
    let script = root().join("conformance/clients/managed_instances.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert_eq!(transcript.stdout, "managed instances ok\n");
}

fn aws(server: &Server, operation: &str, arguments: &[&str]) -> Value {
    Script::aws(server, &["lambda", operation])
        .args(arguments)
        .run()
        .expect_success()
        .json_or_null()
}

const SOURCE: &str = "import os\n\ndef handler(event, context):\n    \
                      return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n";

#[test]
fn a_version_is_there_again_after_a_restart() {
    let mut server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("function.zip");
    std::fs::write(&package, zip(&[("function.py", SOURCE)])).unwrap();
    let made = aws(
        &server,
        "create-capacity-provider",
        &[
            "--capacity-provider-name",
            "mine",
            "--vpc-config",
            "SubnetIds=subnet-1,SecurityGroupIds=sg-1",
            "--permissions-config",
            &format!("CapacityProviderOperatorRoleArn={ROLE}"),
        ],
    );
    let provider = made["CapacityProvider"]["CapacityProviderArn"]
        .as_str()
        .unwrap();
    let config = json!({"LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": provider,
        "PerExecutionEnvironmentMaxConcurrency": 2,
    }});
    let (config, package) = (config.to_string(), format!("fileb://{}", package.display()));
    let create = [
        "--function-name",
        "hello",
        "--runtime",
        "python3.13",
        "--handler",
        "function.handler",
        "--role",
        ROLE,
        "--zip-file",
        &package,
        "--capacity-provider-config",
        &config,
        "--publish",
        "--publish-to",
        "LATEST_PUBLISHED",
    ];
    aws(&server, "create-function", &create);
    let version = [
        "--function-name",
        "hello",
        "--qualifier",
        "$LATEST.PUBLISHED",
    ];
    let is_active = |server: &Server| {
        let shown = aws(server, "get-function-configuration", &version);
        (shown["State"] == "Active").then_some(())
    };
    until("the version is Active", || is_active(&server));
    let scaling = [
        &version[..],
        &[
            "--function-scaling-config",
            "MinExecutionEnvironments=1,MaxExecutionEnvironments=2",
        ],
    ]
    .concat();
    aws(&server, "put-function-scaling-config", &scaling);
    let answers = |server: &Server| {
        let output = folder.path().join("answer.json");
        let invoke = ["--function-name", "hello", output.to_str().unwrap()];
        let answer = aws(server, "invoke", &invoke);
        assert_eq!(answer["ExecutedVersion"], "$LATEST.PUBLISHED");
        serde_json::from_slice::<Value>(&std::fs::read(&output).unwrap()).unwrap()
    };
    assert_eq!(answers(&server), "lambda-managed-instances");

    server.kill_and_restart(&[]);
    assert_eq!(answers(&server), "lambda-managed-instances");
    let shown = aws(&server, "get-function-scaling-config", &version);
    let expected = json!({"MinExecutionEnvironments": 1, "MaxExecutionEnvironments": 2});
    assert_eq!(shown["RequestedFunctionScalingConfig"], expected);
    assert_eq!(shown["AppliedFunctionScalingConfig"], expected);
}
