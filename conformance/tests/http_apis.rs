//! HTTP APIs through boto3, the AWS CLI, curl and plain HTTP.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use conformance::{Request, Script, Server, javascript_folder, python, root};

#[test]
fn boto3() {
    let server = Server::start();
    let script = root().join("conformance/clients/http_apis.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("definitions ok\n"),
        "{}",
        transcript.stdout
    );
}

#[test]
fn tokens() {
    let server = Server::start();
    let script = root().join("conformance/clients/jwt.mjs");
    let transcript = Script::new("node", &server)
        .args(&[script.to_str().unwrap()])
        .in_folder(javascript_folder())
        .run()
        .expect_success();
    assert_eq!(transcript.stdout, "jwt ok\n");
}

#[test]
fn the_aws_cli_makes_an_api_and_a_plain_client_calls_it() {
    let server = Server::start();
    let aws = |arguments: &[&str]| {
        let transcript = Script::aws(&server, arguments).run().expect_success();
        transcript.stdout.trim().to_owned()
    };
    let mut api = server.api();
    let source = "def handler(event, context):\n    return {'hello': event['rawPath']}\n";
    let function = api.python_function("hello", source);
    let function = function["FunctionArn"].as_str().unwrap();
    let region = function.split(':').nth(3).unwrap();
    let id = aws(&[
        "apigatewayv2",
        "create-api",
        "--name",
        "cli",
        "--protocol-type",
        "HTTP",
        "--target",
        function,
        "--query",
        "ApiId",
        "--output",
        "text",
    ]);
    let host = format!("{id}.execute-api.{region}.localhost:4566");
    let answer = api
        .send(&Request::new("", "GET", "/world").header("host", &host))
        .expect(200);
    assert_eq!(answer.json(), serde_json::json!({"hello": "/world"}));
    let routes = aws(&[
        "apigatewayv2",
        "get-routes",
        "--api-id",
        &id,
        "--query",
        "Items[].RouteKey",
        "--output",
        "text",
    ]);
    assert_eq!(routes, "$default");
    aws(&["apigatewayv2", "delete-api", "--api-id", &id]);
    let gone = Request::new("", "GET", "/").header("host", &host);
    let _ = api.send(&gone).expect(404);
}

#[test]
fn curl_calls_an_api_in_every_version_of_http() {
    if conformance::missing(&["curl"]).is_some() {
        println!("skipped: there is no curl");
        return;
    }
    let server = Server::start();
    let mut api = server.api();
    let source = "def handler(event, context):\n    return {'statusCode': 201, 'cookies': ['a=1'], \
                  'body': ' '.join([event['requestContext']['http']['method'], event['rawPath'], \
                  event.get('body') or '-'])}\n";
    let function = api.python_function("curled", source);
    let function = function["FunctionArn"].as_str().unwrap();
    let create = [
        "apigatewayv2",
        "create-api",
        "--name",
        "curl",
        "--protocol-type",
        "HTTP",
    ];
    let create = [&create[..], &["--target", function]].concat();
    let made = Script::aws(&server, &create).run().expect_success().json();
    let id = made["ApiId"].as_str().unwrap();
    let url = format!("{}/_aws/execute-api/{id}", server.url());
    let curl = |arguments: &[&str], path: &str| {
        let transcript = Script::new("curl", &server)
            .args(&["--silent", "--include", "--path-as-is", "--max-time", "60"])
            .args(arguments)
            .args(&[&format!("{url}{path}")])
            .run()
            .expect_success();
        let (head, body) = transcript.stdout.rsplit_once("\r\n\r\n").unwrap();
        assert!(head.contains("set-cookie: a=1"), "{head}");
        format!("{} {body}", head.lines().next().unwrap().trim())
    };
    assert_eq!(curl(&[], "/a%20b"), "HTTP/1.1 201 Created GET /a b -");
    assert_eq!(
        curl(&["--http1.0"], "/../x"),
        "HTTP/1.0 201 Created GET /../x -"
    );
    let posts = ["-H", "content-type: text/plain", "-d", "hi", "-X", "PUT"];
    assert_eq!(curl(&posts, "/x"), "HTTP/1.1 201 Created PUT /x hi");
    let chunked = [&posts[..], &["-H", "transfer-encoding: chunked"]].concat();
    assert_eq!(curl(&chunked, "/x"), "HTTP/1.1 201 Created PUT /x hi");
    let version = Script::new("curl", &server).args(&["--version"]).run();
    if version.stdout.contains("HTTP2") {
        let two = [&posts[..], &["--http2-prior-knowledge"]].concat();
        assert_eq!(curl(&two, "/x"), "HTTP/2 201 PUT /x hi");
    }
}

#[test]
fn where_policies_count() {
    let server = Server::start_enforcing();
    let script = root().join("conformance/clients/apis_enforced.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("connections ok\n"),
        "{}",
        transcript.stdout
    );
}
