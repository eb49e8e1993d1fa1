//! Events and answers that are too large or not JSON.

use conformance::Request;
use serde_json::{Value, json};

use crate::{ECHO, refused, started};

#[test]
fn payloads_too_large_or_not_json() {
    let (server, mut api) = started();
    api.python_function("echo", ECHO);
    let payload = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes();
    let most = api.invoke("echo", &payload(6_291_456 - 1_000)).expect(200);
    assert_eq!(
        most.header("x-amz-function-error"),
        None,
        "{:.300}",
        most.text()
    );
    assert_eq!(most.body.len(), 6_291_456 - 1_000);
    let answer = api.invoke("echo", &payload(6_291_456 + 1));
    // Lambda words it in two ways: the first of what its front door refuses unread.
    let words = match answer.error_message() {
        text if text.starts_with("Request ") => {
            "Request must be smaller than 6291456 bytes for the InvokeFunction operation"
        }
        _ => {
            "6291457 byte payload is too large for the RequestResponse invocation type (limit \
             6291456 bytes)"
        }
    };
    refused(answer, 413, "RequestEntityTooLargeException", words);
    let huge = api.invoke("echo", &payload(40_000_000));
    assert_eq!(
        (huge.status, huge.error_code().as_str()),
        (413, "RequestEntityTooLargeException")
    );
    let body = payload(1_048_576 + 1);
    let request = Request::new("lambda", "POST", "/2015-03-31/functions/echo/invocations")
        .header("x-amz-invocation-type", "Event")
        .body(&body);
    let answer = api.send(&request);
    assert_eq!(
        (answer.status, answer.error_code().as_str()),
        (413, "RequestEntityTooLargeException")
    );
    for bad in [
        &b"{\"a\": }"[..],
        b"not json",
        b"{\"a\": 1} trailing",
        b"\"\xff\xfe\"",
        b"{",
    ] {
        refused(
            api.invoke("echo", bad),
            400,
            "InvalidRequestContentException",
            "Could not parse request body into json: …",
        );
    }
    let request = Request::new("lambda", "POST", "/2015-03-31/functions/echo/invocations")
        .header("x-amz-invocation-type", "Sometimes")
        .body(b"{}");
    let answer = api.send(&request).expect(400);
    assert!(
        answer
            .error_message()
            .contains("Member must satisfy enum value set: ["),
        "{}",
        answer.text()
    );
    // Everything that is JSON is an event.
    for good in [
        "1",
        "null",
        "\"text\"",
        "[1, 2]",
        "{\"a\": {\"b\": [true]}}",
    ] {
        let event: Value = serde_json::from_str(good).unwrap();
        assert_eq!(api.answer("echo", &event), event);
    }
    assert!(server.is_healthy());
}

#[test]
fn answers_too_large_and_not_json() {
    let (server, mut api) = started();
    api.python_function(
        "long",
        "def handler(event, context):\n    return 'x' * event\n",
    );
    let answer = api.invoke("long", b"7000000").expect(200);
    assert_eq!(
        answer.header("x-amz-function-error"),
        Some("Unhandled"),
        "{:.300}",
        answer.text()
    );
    let error = answer.json();
    assert_eq!(
        error["errorType"], "Function.ResponseSizeTooLarge",
        "{error}"
    );
    let message = error["errorMessage"].as_str().unwrap();
    // The size it had is told since 2021.
    assert!(message.starts_with("Response payload size"), "{message}");
    let limit = "exceeded maximum allowed payload size (6291556 bytes).";
    assert!(message.ends_with(limit), "{message}");
    assert_eq!(api.answer("long", &json!(3)), "xxx");
    assert!(server.is_healthy());
}
