//! Pages that tools wait for, and what a browser may ask.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use conformance::{Request, Server};

#[test]
fn our_health_page_and_localstacks() {
    let server = Server::start();
    let mut api = server.api();
    for path in ["/_kagero/health", "/_localstack/health"] {
        let health = api.send(&Request::new("", "GET", path)).expect(200).json();
        for service in ["lambda", "s3", "sqs", "iam", "sts", "logs"] {
            let state = health["services"][service].as_str().unwrap_or_default();
            assert!(
                ["running", "available"].contains(&state),
                "{service} in {path}: {health}"
            );
        }
    }
    let ready = api
        .send(&Request::new("", "GET", "/_localstack/init/ready"))
        .expect(200)
        .json();
    assert_eq!(ready["completed"], true);
    let head = api.send(&Request::new("", "HEAD", "/_localstack/health"));
    assert_eq!(head.status, 200);
    let missing = api.send(&Request::new("", "GET", "/_kagero/nothing"));
    assert_eq!(missing.status, 404);
}

#[test]
fn pages_of_this_machine_may_call_and_others_may_not() {
    let server = Server::start();
    let mut api = server.api();
    let mut preflight = |origin: &str| {
        let request = Request::new("", "OPTIONS", "/2015-03-31/functions")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,x-amz-date");
        let answer = api.send(&request);
        answer
            .header("access-control-allow-origin")
            .map(str::to_owned)
    };
    for origin in [
        "http://localhost:3000",
        "http://127.0.0.1:8080",
        "https://localhost",
    ] {
        let allowed = preflight(origin);
        assert!(
            allowed.as_deref() == Some(origin) || allowed.as_deref() == Some("*"),
            "{origin}"
        );
    }
    assert_eq!(preflight("https://evil.example"), None);
}

#[test]
fn every_answer_has_a_request_id() {
    let server = Server::start();
    let mut api = server.api();
    for request in [
        Request::new("lambda", "GET", "/2015-03-31/functions"),
        Request::new("s3", "GET", "/"),
        Request::new("s3", "GET", "/missing-bucket"),
        Request::new("iam", "GET", "/?Action=ListRoles&Version=2010-05-08"),
    ] {
        let answer = api.send(&request);
        let id = answer
            .header("x-amzn-requestid")
            .or(answer.header("x-amz-request-id"));
        assert!(id.is_some_and(|id| !id.is_empty()), "{:?}", answer.headers);
    }
}
