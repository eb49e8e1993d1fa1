//! The shapes of the examples that AWS publishes with its durable execution SDKs.

use conformance::{Api, Server};
use serde_json::{Value, json};

use crate::support::{
    begin, callbacks, complete, durable, ended, fail, heartbeat, history, kinds, layer, returned,
};

const PYTHON: &str = include_str!("shapes.py");
const NODE: &str = include_str!("shapes.js");

fn case(name: &str) -> Value {
    json!({"case": name})
}

/// Begins a case that waits for so many callbacks; gives their ids in the order of their names.
fn waiting(api: &mut Api, event: &Value, count: usize) -> (String, Vec<String>) {
    let arn = begin(api, "cases", event);
    let ids = callbacks(api, &arn, count);
    (arn, ids)
}

fn result(api: &mut Api, arn: &str) -> Value {
    let got = ended(api, arn);
    let events = history(api, arn);
    assert_eq!(got["Status"], "SUCCEEDED", "{got}\n{events:#?}");
    serde_json::from_str(got["Result"].as_str().unwrap()).unwrap()
}

#[test]
fn python() {
    let server = Server::start();
    let mut api = server.api();
    let layer = layer(&mut api, "python");
    durable(&mut api, "cases", "shapes.py", PYTHON, &layer, &json!({}));
    let api = &mut api;
    for (name, expected) in [
        ("nothing", json!([null, null, "something"])),
        ("blocks", json!(6)),
        ("typed", json!([["ValueError", "broken"], "broken"])),
        ("flat", json!([10, 20, 30, 40, 50])),
        ("branches", json!(["tea", "cake"])),
        ("serialized", json!("desserts")),
        ("at_most_once", json!("once")),
        ("large_child", json!(500_000)),
        ("many", json!(100)),
        (
            "submitter_fails",
            json!(["CallbackSubmitterError", "nobody there"]),
        ),
    ] {
        assert_eq!(returned(api, &case(name)), expected, "{name}");
    }
    for (bad, until, expected) in [
        (
            json!([1]),
            json!({"min_successful": 2}),
            json!({"reason": "MIN_SUCCESSFUL_REACHED", "succeeded": 2, "failed": 1, "results": [0, 2]}),
        ),
        (
            json!([1]),
            json!({"tolerated_failure_count": 1}),
            json!({"reason": "ALL_COMPLETED", "succeeded": 3, "failed": 1, "results": [0, 2, 3]}),
        ),
        (
            json!([0, 1]),
            json!({"tolerated_failure_count": 1}),
            json!({"reason": "FAILURE_TOLERANCE_EXCEEDED", "succeeded": 0, "failed": 2, "results": []}),
        ),
    ] {
        let event = json!({"case": "some_fail", "bad": bad, "until": until});
        assert_eq!(returned(api, &event), expected, "{event}");
    }

    let (arn, ids) = waiting(api, &case("callbacks"), 3);
    for (id, answer) in ids.iter().zip(["zero", "one", "two"]).rev() {
        let _ = complete(api, id, answer).expect(200);
    }
    assert_eq!(result(api, &arn), json!(["zero", "one", "two"]));

    let event = json!({"case": "heartbeats", "seconds": 60});
    let (arn, ids) = waiting(api, &event, 1);
    let _ = heartbeat(api, &ids[0]).expect(200);
    let _ = complete(api, &ids[0], "alive").expect(200);
    assert_eq!(result(api, &arn), "alive");
    let event = json!({"case": "heartbeats", "seconds": 1});
    let arn = begin(api, "cases", &event);
    assert_eq!(result(api, &arn), "CallbackTimeoutError");
    assert!(kinds(&history(api, &arn)).contains(&"CallbackTimedOut"));

    let (arn, ids) = waiting(api, &case("approved"), 1);
    let _ = complete(api, &ids[0], "yes").expect(200);
    assert_eq!(result(api, &arn), json!(["asked", "yes", "after"]));
    let (arn, ids) = waiting(api, &case("approved"), 1);
    let _ = fail(api, &ids[0], "not today").expect(200);
    assert_eq!(result(api, &arn), json!(["refused", "not today"]));
    let (arn, ids) = waiting(api, &case("asked_again"), 1);
    let _ = fail(api, &ids[0], "not yet").expect(200);
    let ids = callbacks(api, &arn, 2);
    let _ = complete(api, &ids[1], "now").expect(200);
    assert_eq!(result(api, &arn), "now");
}

#[test]
fn javascript() {
    let server = Server::start();
    let mut api = server.api();
    let layer = layer(&mut api, "node");
    durable(&mut api, "cases", "shapes.js", NODE, &layer, &json!({}));
    let echo = "def handler(event, context):\n    return event\n";
    api.python_function("plain", echo);
    let api = &mut api;
    for (name, expected) in [
        ("nothing", json!([true, "something"])),
        ("blocks", json!(3)),
        ("typed", json!(["StepError", "ChildContextError"])),
        ("branches", json!(["tea", "cake"])),
        ("polled", json!(3)),
        ("promises", json!([[1, 2], ["fulfilled", "rejected"], 4, 5])),
        ("together", json!("meanwhile")),
        ("chained", json!([{"said": "hello"}, "InvokeError"])),
        ("serialized", json!("desserts")),
        ("largeChild", json!(500_000)),
    ] {
        assert_eq!(returned(api, &case(name)), expected, "{name}");
    }
    for nesting in ["NESTED", "FLAT"] {
        let event = json!({"case": "mapped", "nesting": nesting});
        assert_eq!(returned(api, &event), json!([10, 20, 30, 40, 50]));
    }
    for (until, reason, results) in [
        (
            json!({"minSuccessful": 2}),
            "MIN_SUCCESSFUL_REACHED",
            json!([0, 2]),
        ),
        (
            json!({"toleratedFailureCount": 1}),
            "ALL_COMPLETED",
            json!([0, 2, 3]),
        ),
    ] {
        let event = json!({"case": "someFail", "bad": [1], "until": until});
        let done = returned(api, &event);
        assert_eq!(done["reason"], reason);
        assert_eq!((&done["failed"], &done["results"]), (&json!(1), &results));
    }
    let submitter = returned(api, &case("submitterFails"));
    assert_eq!(submitter[0], "CallbackSubmitterError", "{submitter}");

    let (arn, ids) = waiting(api, &case("callbacks"), 3);
    for (id, answer) in ids.iter().zip(["zero", "one", "two"]).rev() {
        let _ = complete(api, id, answer).expect(200);
    }
    assert_eq!(result(api, &arn), json!(["zero", "one", "two"]));
    let (arn, ids) = waiting(api, &case("approved"), 1);
    let _ = complete(api, &ids[0], "yes").expect(200);
    assert_eq!(result(api, &arn), "yes");
    let (arn, ids) = waiting(api, &case("approved"), 1);
    let _ = fail(api, &ids[0], "not today").expect(200);
    let refused = result(api, &arn);
    assert_eq!(refused[0], "CallbackExternalError", "{refused}");
    let event = json!({"case": "heartbeats", "seconds": 1});
    let arn = begin(api, "cases", &event);
    assert_eq!(result(api, &arn)[0], "CallbackTimeoutError");
}
