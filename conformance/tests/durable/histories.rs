//! Whole histories: what AWS's requirements for its durable execution SDKs say that the service records of
//! each shape of a function, event by event.
//!
//! <https://github.com/aws/aws-durable-execution-conformance-tests>

use conformance::{Api, Server, until};
use serde_json::{Value, json};

use crate::support::{begin, callbacks, complete, durable, ended, fail, heartbeat, history, layer};

const PYTHON: &str = include_str!("histories.py");
const SDK: &str = "aws_durable_execution_sdk_python.exceptions.";
/// Slow enough for its caller to have gone to sleep.
const ECHO: &str =
    "import time\n\ndef handler(event, context):\n    time.sleep(1)\n    return event\n";
const FAILING: &str = "import time\n\ndef handler(event, context):\n    time.sleep(1)\n    raise ValueError('broken')\n";

fn cases() -> Server {
    let server = Server::start();
    let mut api = server.api();
    let layer = layer(&mut api, "python");
    durable(
        &mut api,
        "cases",
        "histories.py",
        PYTHON,
        &layer,
        &json!({}),
    );
    server
}

/// Begins a case.
fn beginning(api: &mut Api, case: &str, mut event: Value) -> String {
    event["case"] = json!(case);
    begin(api, "cases", &event)
}

/// Runs a case that needs nobody.
fn ran(api: &mut Api, case: &str, event: Value) -> Vec<String> {
    let arn = beginning(api, case, event);
    told(api, &arn)
}

/// The history of an execution once it has ended, a line an event. Checks what all of them have.
fn told(api: &mut Api, arn: &str) -> Vec<String> {
    ended(api, arn);
    let events = history(api, arn);
    let ids: Vec<u64> = events
        .iter()
        .filter_map(|it| it["EventId"].as_u64())
        .collect();
    let all: Vec<u64> = (1..=events.len() as u64).collect();
    assert_eq!(ids, all, "{events:#?}");
    assert_eq!(events[0]["EventType"], "ExecutionStarted");
    let lines = events.iter().skip(1).map(|event| line(event, &events));
    lines.collect()
}

fn line(event: &Value, events: &[Value]) -> String {
    let kind = event["EventType"].as_str().unwrap();
    let details = &event[format!("{kind}Details")];
    let mut words = vec![kind.to_owned()];
    let mut say = |word: &str, value: &Value| match value {
        Value::Null => {}
        Value::String(text) => words.push(format!("{word}{text}")),
        other => words.push(format!("{word}{other}")),
    };
    if !kind.starts_with("Execution") {
        say("", &event["Name"]);
    }
    // The SDK's own errors have their module before them.
    let error = &details["Error"]["Payload"]["ErrorType"];
    let error = error.as_str().map(|it| it.trim_start_matches(SDK));
    say("", &json!(error));
    say("attempt ", &details["RetryDetails"]["CurrentAttempt"]);
    say(
        "next in ",
        &details["RetryDetails"]["NextAttemptDelaySeconds"],
    );
    for word in ["Duration", "Timeout", "HeartbeatTimeout", "TenantId"] {
        say(&format!("{word} "), &details[word]);
    }
    if !event["ParentId"].is_null() {
        let parent = events.iter().find(|it| it["Id"] == event["ParentId"]);
        say("of ", &parent.expect("a parent has begun before")["Name"]);
    }
    words.join(" ")
}

#[test]
fn steps() {
    let server = cases();
    let api = &mut server.api();
    assert_eq!(
        ran(api, "steps", json!({"fails": 0, "attempts": 1})),
        [
            "StepStarted step",
            "StepSucceeded step attempt 1",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
    assert_eq!(
        ran(
            api,
            "steps",
            json!({"fails": 2, "attempts": 4, "factor": 2})
        ),
        [
            "StepStarted step",
            "StepFailed step ValueError attempt 1 next in 1",
            "InvocationCompleted",
            "StepStarted step",
            "StepFailed step ValueError attempt 2 next in 2",
            "InvocationCompleted",
            "StepStarted step",
            "StepSucceeded step attempt 3",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
    assert_eq!(
        ran(api, "steps", json!({"fails": 9, "attempts": 2})),
        [
            "StepStarted step",
            "StepFailed step ValueError attempt 1 next in 1",
            "InvocationCompleted",
            "StepStarted step",
            "StepFailed step ValueError attempt 2",
            "InvocationCompleted StepError",
            "ExecutionFailed StepError",
        ]
    );
    // What failed for good fails again in the replay, and is not run once more.
    let event = json!({"fails": 9, "attempts": 1, "catch": true, "wait": 1});
    assert_eq!(
        ran(api, "steps", event),
        [
            "StepStarted step",
            "StepFailed step ValueError attempt 1",
            "WaitStarted wait Duration 1",
            "InvocationCompleted",
            "WaitSucceeded wait Duration 1",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
}

#[test]
fn processes_that_end() {
    let server = cases();
    let api = &mut server.api();
    // Begun is begun: the attempt that did not end has failed, and its message says why.
    assert_eq!(
        ran(api, "exits", json!({"attempts": 1})),
        [
            "StepStarted step",
            "InvocationCompleted Runtime.ExitError",
            "StepFailed step StepInterruptedError attempt 1",
            "InvocationCompleted StepError",
            "ExecutionFailed StepError",
        ]
    );
    assert_eq!(
        ran(api, "exits", json!({"attempts": 2})),
        [
            "StepStarted step",
            "InvocationCompleted Runtime.ExitError",
            "StepFailed step StepInterruptedError attempt 1 next in 1",
            "InvocationCompleted",
            "StepStarted step",
            "StepSucceeded step attempt 2",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
    // Otherwise a step is run again without having begun twice.
    assert_eq!(
        ran(api, "exits_inside", json!({})),
        [
            "ContextStarted child",
            "StepStarted step of child",
            "InvocationCompleted Runtime.ExitError",
            "StepSucceeded step attempt 1 of child",
            "ContextSucceeded child",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
}

#[test]
fn waits_and_contexts() {
    let server = cases();
    let api = &mut server.api();
    assert_eq!(
        ran(api, "waits", json!({})),
        [
            "WaitStarted wait-0 Duration 1",
            "InvocationCompleted",
            "WaitSucceeded wait-0 Duration 1",
            "WaitStarted wait-1 Duration 2",
            "InvocationCompleted",
            "WaitSucceeded wait-1 Duration 2",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
    assert_eq!(
        ran(api, "nested", json!({})),
        [
            "ContextStarted outer",
            "StepStarted high of outer",
            "StepSucceeded high attempt 1 of outer",
            "ContextStarted inner of outer",
            "StepStarted deep of inner",
            "StepSucceeded deep attempt 1 of inner",
            "ContextSucceeded inner of outer",
            "ContextSucceeded outer",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
    assert_eq!(
        ran(api, "polled", json!({})),
        [
            "StepStarted poll",
            "StepSucceeded poll attempt 1 next in 1",
            "InvocationCompleted",
            "StepStarted poll",
            "StepSucceeded poll attempt 2 next in 1",
            "InvocationCompleted",
            "StepStarted poll",
            "StepSucceeded poll attempt 3",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
}

#[test]
fn callbacks_that_nobody_answers() {
    let server = cases();
    let api = &mut server.api();
    let failed = |waited: &str, kind: &str| {
        [
            &format!("CallbackStarted answer {waited}"),
            "InvocationCompleted",
            &format!("CallbackTimedOut answer {kind}"),
            "InvocationCompleted CallbackTimeoutError",
            "ExecutionFailed CallbackTimeoutError",
        ]
        .map(str::to_owned)
    };
    assert_eq!(
        ran(api, "callback", json!({"timeout": 1})),
        failed("Timeout 1", "Callback.Timeout")
    );
    assert_eq!(
        ran(api, "callback", json!({"timeout": 60, "heartbeat": 1})),
        failed("Timeout 60 HeartbeatTimeout 1", "Callback.Heartbeat")
    );
    // While the function waits for something else: it is told, and goes on to wait.
    assert_eq!(
        ran(api, "callback", json!({"timeout": 1, "before": 3})),
        [
            "CallbackStarted answer Timeout 1",
            "WaitStarted before Duration 3",
            "InvocationCompleted",
            "CallbackTimedOut answer Callback.Timeout",
            "InvocationCompleted",
            "WaitSucceeded before Duration 3",
            "InvocationCompleted CallbackTimeoutError",
            "ExecutionFailed CallbackTimeoutError",
        ]
    );
    let event = json!({"timeout": 1, "catch": true, "after": 1});
    assert_eq!(
        ran(api, "callback", event),
        [
            "CallbackStarted answer Timeout 1",
            "InvocationCompleted",
            "CallbackTimedOut answer Callback.Timeout",
            "WaitStarted after Duration 1",
            "InvocationCompleted",
            "WaitSucceeded after Duration 1",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
}

#[test]
fn callbacks_that_are_answered() {
    let server = cases();
    let api = &mut server.api();
    let arn = beginning(api, "callback", json!({"heartbeat": 60, "step": true}));
    let ids = callbacks(api, &arn, 1);
    settled(api, &arn, 1);
    let _ = heartbeat(api, &ids[0]).expect(200);
    let _ = fail(api, &ids[0], "not approved").expect(200);
    assert_eq!(
        told(api, &arn),
        [
            "CallbackStarted answer Timeout 300 HeartbeatTimeout 60",
            "StepStarted step",
            "StepSucceeded step attempt 1",
            "InvocationCompleted",
            "CallbackFailed answer Refused",
            "InvocationCompleted CallbackExternalError",
            "ExecutionFailed CallbackExternalError",
        ]
    );
    let arn = beginning(api, "callbacks", json!({"order": "one by one"}));
    for count in 1..=2 {
        let ids = callbacks(api, &arn, count);
        settled(api, &arn, count);
        let _ = complete(api, &ids[count - 1], "yes").expect(200);
    }
    assert_eq!(
        told(api, &arn),
        [
            "CallbackStarted a",
            "InvocationCompleted",
            "CallbackSucceeded a",
            "CallbackStarted b",
            "InvocationCompleted",
            "CallbackSucceeded b",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
    // Each answer wakes the function, also the one that it does not wait for yet.
    for (order, answered) in [("ab", ["b", "a"]), ("ba", ["b", "a"])] {
        let arn = beginning(api, "callbacks", json!({"order": order}));
        let ids = callbacks(api, &arn, 2);
        for (count, name) in answered.iter().enumerate() {
            settled(api, &arn, count + 1);
            let _ = complete(api, &ids[usize::from(*name == "b")], "yes").expect(200);
        }
        assert_eq!(
            told(api, &arn),
            [
                "CallbackStarted a",
                "CallbackStarted b",
                "InvocationCompleted",
                "CallbackSucceeded b",
                "InvocationCompleted",
                "CallbackSucceeded a",
                "InvocationCompleted",
                "ExecutionSucceeded",
            ],
            "{order}"
        );
    }
}

/// Waits until so many invocations have ended.
fn settled(api: &mut Api, arn: &str, count: usize) {
    until("invocations have ended", || {
        let events = history(api, arn);
        let ended = |it: &&Value| it["EventType"] == "InvocationCompleted";
        (events.iter().filter(ended).count() == count).then_some(())
    });
}

#[test]
fn submitters() {
    let server = cases();
    let api = &mut server.api();
    let arn = beginning(api, "submitted", json!({"child": true}));
    let ids = callbacks(api, &arn, 1);
    settled(api, &arn, 1);
    let _ = complete(api, &ids[0], "yes").expect(200);
    assert_eq!(
        told(api, &arn),
        [
            "ContextStarted wrapper",
            "ContextStarted approval of wrapper",
            "CallbackStarted approval create callback id Timeout 300 of approval",
            "StepStarted approval submitter of approval",
            "StepSucceeded approval submitter attempt 1 of approval",
            "InvocationCompleted",
            "CallbackSucceeded approval create callback id of approval",
            "ContextSucceeded approval of wrapper",
            "ContextSucceeded wrapper",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
    let event = json!({"broken": true, "catch": true});
    assert_eq!(
        ran(api, "submitted", event),
        [
            "ContextStarted approval",
            "CallbackStarted approval create callback id Timeout 300 of approval",
            "StepStarted approval submitter of approval",
            "StepFailed approval submitter ValueError attempt 1 next in 1 of approval",
            "InvocationCompleted",
            "StepStarted approval submitter of approval",
            "StepFailed approval submitter ValueError attempt 2 of approval",
            "ContextFailed approval StepError",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
}

#[test]
fn functions_that_call_functions() {
    let server = cases();
    let api = &mut server.api();
    api.python_function("plain", ECHO);
    api.python_function("failing", FAILING);
    assert_eq!(
        ran(
            api,
            "invoked",
            json!({"target": "plain", "payload": null, "child": true})
        ),
        [
            "ContextStarted child",
            "ChainedInvokeStarted call of child",
            "InvocationCompleted",
            "ChainedInvokeSucceeded call of child",
            "ContextSucceeded child",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
    let event = json!({"target": "failing", "catch": true, "wait": 1});
    assert_eq!(
        ran(api, "invoked", event),
        [
            "ChainedInvokeStarted call",
            "InvocationCompleted",
            "ChainedInvokeFailed call ValueError",
            "WaitStarted wait Duration 1",
            "InvocationCompleted",
            "WaitSucceeded wait Duration 1",
            "InvocationCompleted",
            "ExecutionSucceeded",
        ]
    );
}
