//! AWS's durable execution SDKs, unmodified.

use conformance::Server;
use serde_json::json;

use crate::support::{
    begin, callback, complete, durable, ended, execution_of, get, history, invoke, kinds, layer,
    returned,
};

const PYTHON: &str = include_str!("sdk.py");
const NODE: &str = include_str!("sdk.js");
const ECHO: &str = "def handler(event, context):\n    return event\n";

#[test]
fn python() {
    let server = Server::start();
    let mut api = server.api();
    let layer = layer(&mut api, "python");
    durable(&mut api, "cases", "sdk.py", PYTHON, &layer, &json!({}));
    api.python_function("plain", ECHO);

    let answer = invoke(&mut api, "cases", &json!({"case": "steps", "a": 5}), &[]);
    assert_eq!(answer.expect(200).json(), json!({"sum": 16}));
    let case = |case: &str| json!({"case": case});
    assert_eq!(returned(&mut api, &case("retried")), json!(3));
    assert_eq!(returned(&mut api, &case("nested")), json!(3));
    assert_eq!(
        returned(&mut api, &case("parallel")),
        json!([100, 101, 102])
    );
    let mapped = json!({"case": "mapped", "items": [5, 6, 7]});
    assert_eq!(returned(&mut api, &mapped), json!([5, 7, 9]));
    assert_eq!(returned(&mut api, &case("polled")), json!(3));
    // More than one event holds: the rest is read by pages.
    assert_eq!(returned(&mut api, &case("large")), json!(8_000_000));
    let chained = returned(&mut api, &case("chained"));
    assert_eq!(chained["durable"], json!([5, 7]));
    assert_eq!(chained["plain"], json!({"said": "hello"}));
    assert_eq!(chained["missing"], "InvokeError");

    let failed = invoke(&mut api, "cases", &case("failed"), &[]).expect(200);
    assert_eq!(failed.header("x-amz-function-error"), Some("Unhandled"));
    let document = failed.json();
    assert_eq!(document["errorMessage"], "it cannot be done");
    assert_eq!(document["errorType"], "RuntimeError");
    let got = get(&mut api, &execution_of(&failed));
    assert_eq!(
        (&got["Status"], &got["Error"]["ErrorType"]),
        (&json!("FAILED"), &json!("RuntimeError"))
    );

    let asked = begin(&mut api, "cases", &case("asked"));
    let id = callback(&mut api, &asked);
    let _ = complete(&mut api, &id, "yes").expect(200);
    let got = ended(&mut api, &asked);
    assert_eq!(got["Result"], r#"{"answer": "yes"}"#);
    let late = json!({"case": "submitted", "seconds": 1});
    let late = begin(&mut api, "cases", &late);
    assert_eq!(ended(&mut api, &late)["Status"], "FAILED");
    let events = history(&mut api, &late);
    assert!(kinds(&events).contains(&"CallbackTimedOut"), "{events:#?}");
}

#[test]
fn javascript() {
    let server = Server::start();
    let mut api = server.api();
    let layer = layer(&mut api, "node");
    durable(&mut api, "cases", "sdk.js", NODE, &layer, &json!({}));
    let answer = invoke(&mut api, "cases", &json!({"case": "steps", "a": 5}), &[]);
    assert_eq!(answer.expect(200).json(), json!({"sum": 16}));
    assert_eq!(
        returned(&mut api, &json!({"case": "parallel"})),
        json!([1, 2])
    );
    let failed = invoke(&mut api, "cases", &json!({"case": "retried"}), &[]).expect(200);
    assert_eq!(failed.header("x-amz-function-error"), Some("Unhandled"));
    let events = history(&mut api, &execution_of(&failed));
    let steps = kinds(&events)
        .iter()
        .filter(|kind| **kind == "StepFailed")
        .count();
    assert_eq!(steps, 2, "{events:#?}");
    let asked = begin(&mut api, "cases", &json!({"case": "asked"}));
    let id = callback(&mut api, &asked);
    let _ = complete(&mut api, &id, "yes").expect(200);
    assert_eq!(ended(&mut api, &asked)["Result"], "\"yes\"");
}
