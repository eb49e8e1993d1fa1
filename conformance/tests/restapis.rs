//! REST APIs: created, deployed and called, through the AWS CLI, boto3 and plain HTTP.

#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::{Client, ROLE, Request, Script, Server, python, root, zip};
use serde_json::{Value, json};

#[test]
fn boto3() {
    let server = Server::start();
    let script = root().join("conformance/clients/restapis.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("all ok\n"),
        "{}",
        transcript.stdout
    );
}

/// Runs `aws` and reads what it prints.
fn aws(server: &Server, arguments: &[&str]) -> Value {
    let printed = Script::aws(server, arguments).run().expect_success().stdout;
    serde_json::from_str(&printed).unwrap_or(Value::Null)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// `aws apigateway OPERATION --rest-api-id ID …`
fn api(server: &Server, operation: &str, id: &str, arguments: &[&str]) -> Value {
    let begin = ["apigateway", operation, "--rest-api-id", id];
    aws(server, &[&begin, arguments].concat())
}

#[test]
fn aws_cli_deploys_an_api_that_outlives_a_crash() {
    let mut server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let package = folder.path().join("f.zip");
    let source = "import json\ndef handler(event, context):\n    \
                  return {'statusCode': 200, 'body': json.dumps(event['pathParameters'])}\n";
    std::fs::write(&package, zip(&[("f.py", source)])).unwrap();
    let code = format!("fileb://{}", package.display());
    let create = [
        "lambda",
        "create-function",
        "--function-name",
        "f",
        "--role",
        ROLE,
    ];
    let more = [
        "--runtime",
        "python3.12",
        "--handler",
        "f.handler",
        "--zip-file",
        &code,
    ];
    let function = aws(&server, &[&create[..], &more[..]].concat());
    let wait = [
        "lambda",
        "wait",
        "function-active-v2",
        "--function-name",
        "f",
    ];
    aws(&server, &wait);

    let made = aws(
        &server,
        &["apigateway", "create-rest-api", "--name", "pets"],
    );
    let (id, parent) = (text(&made["id"]), text(&made["rootResourceId"]));
    let resource = api(
        &server,
        "create-resource",
        id,
        &["--parent-id", parent, "--path-part", "{id}"],
    );
    let resource = [
        "--resource-id",
        text(&resource["id"]),
        "--http-method",
        "GET",
    ];
    let method = [&resource[..], &["--authorization-type", "NONE"]].concat();
    assert_eq!(api(&server, "put-method", id, &method)["httpMethod"], "GET");
    let uri = format!(
        "arn:aws:apigateway:ap-northeast-1:lambda:path/2015-03-31/functions/{}/invocations",
        text(&function["FunctionArn"])
    );
    let proxy = [
        "--type",
        "AWS_PROXY",
        "--integration-http-method",
        "POST",
        "--uri",
        &uri,
    ];
    let integration = api(
        &server,
        "put-integration",
        id,
        &[&resource[..], &proxy].concat(),
    );
    assert_eq!(integration["passthroughBehavior"], "WHEN_NO_MATCH");
    api(&server, "create-deployment", id, &["--stage-name", "prod"]);
    let patch = "op=replace,path=/description,value=of pets";
    let changed = api(
        &server,
        "update-rest-api",
        id,
        &["--patch-operations", patch],
    );
    assert_eq!(changed["description"], "of pets");
    let export = folder.path().join("export.json");
    let wanted = [
        "--stage-name",
        "prod",
        "--export-type",
        "oas30",
        export.to_str().unwrap(),
    ];
    api(&server, "get-export", id, &wanted);
    let exported: Value = serde_json::from_slice(&std::fs::read(&export).unwrap()).unwrap();
    assert!(exported["paths"]["/{id}"]["get"].is_object(), "{exported}");

    let host = format!("{id}.execute-api.ap-northeast-1.localhost");
    for _ in 0..2 {
        let mut client = Client::new(server.port());
        let request = Request::new("", "GET", "/prod/seven").header("host", &host);
        let answer = client.send(&request).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body: Value = serde_json::from_str(&answer.text()).unwrap();
        assert_eq!(body, json!({"id": "seven"}));
        let request = Request::new("", "GET", "/prod").header("host", &host);
        let answer = client.send(&request).unwrap();
        assert_eq!(answer.status, 403);
        assert_eq!(
            answer.text(),
            r#"{"message":"Missing Authentication Token"}"#
        );
        server.kill_and_restart(&[]);
    }
    let yaml = folder.path().join("api.yaml");
    let document = "swagger: 2.0\ninfo:\n  title: from yaml\npaths:\n  /a:\n    get:\n      responses:\n        \
                    200: {description: ok}\n      x-amazon-apigateway-integration:\n        type: mock\n        \
                    requestTemplates: {application/json: '{\"statusCode\": 200}'}\n        responses:\n          \
                    default: {statusCode: 200, responseTemplates: {application/json: 'yes'}}\n";
    std::fs::write(&yaml, document).unwrap();
    let body = format!("fileb://{}", yaml.display());
    let imported = aws(&server, &["apigateway", "import-rest-api", "--body", &body]);
    let id = text(&imported["id"]);
    api(&server, "create-deployment", id, &["--stage-name", "s"]);
    let path = format!("/_aws/execute-api/{id}/s/a");
    let answer = Client::new(server.port())
        .send(&Request::new("", "GET", &path))
        .unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "yes"));
}
