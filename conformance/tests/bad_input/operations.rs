//! Operations nobody knows, and bodies that cannot be read.

use conformance::Request;
use serde_json::json;

use crate::{refused, started, unmoved};

#[test]
fn operations_nobody_knows() {
    let (server, mut api) = started();
    let answer = api.json("sqs", "Frobnicate", &json!({})).expect(400);
    assert_eq!(
        answer.error_code(),
        "UnknownOperationException",
        "{}",
        answer.text()
    );
    let answer = api.json("logs", "Frobnicate", &json!({})).expect(400);
    assert_eq!(
        answer.error_code(),
        "UnknownOperationException",
        "{}",
        answer.text()
    );
    refused(
        api.query("sqs", "Action=Frobnicate&Version=2012-11-05"),
        400,
        "InvalidAction",
        "The action Frobnicate is not valid for this endpoint.",
    );
    refused(
        api.query("iam", "Action=Frobnicate&Version=2010-05-08"),
        400,
        "InvalidAction",
        "Could not find operation Frobnicate for version 2010-05-08",
    );
    let answer = api.query("iam", "Version=2010-05-08").expect(400);
    assert_eq!(answer.error_code(), "MissingAction", "{}", answer.text());
    let answer = api.lambda("POST", "/2015-03-31/frobnicate", &json!({}));
    assert!(
        matches!(answer.status, 403 | 404),
        "{} {}",
        answer.status,
        answer.text()
    );
    let answer = api.send(&Request::new("s3", "PATCH", "/bucket/key"));
    let code = answer.error_code();
    assert!(
        matches!(
            (answer.status, code.as_str()),
            (405, "MethodNotAllowed") | (501, "NotImplemented")
        ),
        "{} {code}",
        answer.status
    );
    // An operation of AWS's that is not here says so by name.
    let answer = api.query("iam", "Action=CreateVirtualMFADevice&Version=2010-05-08");
    assert_eq!(answer.status, 501);
    assert!(
        answer.text().contains("CreateVirtualMFADevice"),
        "{}",
        answer.text()
    );
    let answer = api.send(&Request::new("redshift", "POST", "/").body(b"{}"));
    assert!(
        answer.status >= 400 && answer.text().contains("redshift"),
        "{}",
        answer.text()
    );
    unmoved(&server, &mut api);
}

#[test]
fn bodies_that_cannot_be_read() {
    let (server, mut api) = started();
    let target = |body: &'static [u8]| {
        Request::new("sqs", "POST", "/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "AmazonSQS.CreateQueue")
            .body(body)
    };
    for body in [
        &b"{"[..],
        b"[]",
        b"{\"QueueName\": 7}",
        b"{\"QueueName\": \"\xff\"}",
        b"nonsense",
    ] {
        let answer = api.send(&target(body)).expect(400);
        assert_eq!(
            answer.error_code(),
            "SerializationException",
            "{}",
            answer.text()
        );
    }
    let deep = "[".repeat(100_000);
    let request = Request::new("sqs", "POST", "/")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "AmazonSQS.CreateQueue")
        .body(deep.as_bytes());
    let answer = api.send(&request).expect(400);
    assert_eq!(
        answer.error_code(),
        "SerializationException",
        "{}",
        answer.text()
    );

    let create = Request::new("lambda", "POST", "/2015-03-31/functions");
    let answer = api.send(
        &create
            .header("content-type", "application/json")
            .body(b"{\"FunctionName\": "),
    );
    assert_eq!(answer.status, 400, "{}", answer.text());
    let code = answer.error_code();
    assert!(
        ["SerializationException", "InvalidRequestContentException"].contains(&code.as_str()),
        "{code}"
    );

    let _ = api.send(&Request::new("s3", "PUT", "/bodies")).expect(200);
    for body in [
        &b"<unclosed>"[..],
        b"",
        b"<?xml",
        b"<Other/>",
        b"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
    ] {
        let request = Request::new("s3", "POST", "/bodies?delete").body(body);
        let answer = api.send(&request).expect(400);
        let code = answer.error_code();
        assert!(
            ["MalformedXML", "MissingRequestBodyError", "InvalidRequest"].contains(&code.as_str()),
            "{}",
            answer.text()
        );
    }
    refused(
        api.query(
            "iam",
            "Action=CreateRole&Version=2010-05-08&RoleName=%ff%zz&=&&%",
        ),
        404,
        "MalformedQueryString",
        "The query string contains a syntax error.",
    );
    unmoved(&server, &mut api);
}
