//! Invoking functions that really run.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda::Limits;
use serde_json::json;

use crate::support::{ECHO, Settings, World, blob, new_function, payload, with};

#[tokio::test]
async fn a_function_gets_its_event_and_context() {
    let world = World::new().await;
    let source = "def handler(event, context):\n    \
                  return [event, context.function_name, context.invoked_function_arn]\n";
    world.create("hello", source).await;
    let Some(answer) = world.invoke("hello", json!({"name": "陽炎"})).await else {
        return;
    };
    assert_eq!(answer["StatusCode"], 200);
    assert_eq!(answer["ExecutedVersion"], "$LATEST");
    assert!(answer.get("FunctionError").is_none() && answer.get("LogResult").is_none());
    let arn = "arn:aws:lambda:us-east-1:000000000000:function:hello";
    assert_eq!(payload(&answer), json!([{"name": "陽炎"}, "hello", arn]));
    let none = world.ok("Invoke", json!({"FunctionName": "hello"})).await;
    assert_eq!(payload(&none)[0], json!({}));
}

#[tokio::test]
async fn a_tail_is_asked_for_and_an_error_is_not_an_error_of_the_call() {
    let world = World::new().await;
    world
        .create(
            "bad",
            "def handler(event, context):\n    print('said')\n    raise ValueError('no')\n",
        )
        .await;
    let input = json!({"FunctionName": "bad", "LogType": "Tail", "Payload": blob("{}")});
    let answer = match world.call("Invoke", input).await {
        Ok(answer) => answer,
        Err(error) if error.code == "InvalidRuntimeException" => {
            eprintln!("skipped: {}", error.message);
            return;
        }
        Err(error) => panic!("{error}"),
    };
    assert_eq!(answer["StatusCode"], 200);
    assert_eq!(answer["FunctionError"], "Unhandled");
    assert_eq!(payload(&answer)["errorType"], "ValueError");
    assert_eq!(payload(&answer)["errorMessage"], "no");
    let tail = STANDARD
        .decode(answer["LogResult"].as_str().unwrap())
        .unwrap();
    let tail = String::from_utf8(tail).unwrap();
    assert!(
        tail.contains("START RequestId: ") && tail.contains("said"),
        "{tail}"
    );
    assert!(tail.contains("REPORT RequestId: "), "{tail}");
}

#[tokio::test]
async fn a_dry_run_runs_nothing() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let input = json!({"FunctionName": "hello", "InvocationType": "DryRun"});
    let answer = world.ok("Invoke", input).await;
    assert_eq!(answer["StatusCode"], 204);
    assert!(world.exec.environments().is_empty());
}

#[tokio::test]
async fn bad_payloads_are_refused_before_anything_runs() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let invoke = |kind: &str, payload: String| {
        json!({
            "FunctionName": "hello",
            "InvocationType": kind,
            "Payload": blob(payload),
        })
    };
    let (code, message) = world
        .refused("Invoke", invoke("RequestResponse", "{".into()))
        .await;
    assert_eq!(code, "InvalidRequestContentException");
    assert!(
        message.starts_with("Could not parse request body into json: "),
        "{message}"
    );
    let large = format!("\"{}\"", "x".repeat(6 * 1024 * 1024));
    let error = world
        .error("Invoke", invoke("RequestResponse", large))
        .await;
    assert_eq!(
        (error.code.as_ref(), error.status.as_u16()),
        ("RequestEntityTooLargeException", 413)
    );
    let large = format!("\"{}\"", "x".repeat(1024 * 1024));
    let error = world.error("Invoke", invoke("Event", large)).await;
    assert!(
        error
            .message
            .contains("for the Event invocation type (limit 1048576 bytes)")
    );
    let context = json!({"FunctionName": "hello", "ClientContext": "%%%"});
    assert_eq!(
        world.refused("Invoke", context).await.1,
        "Client context must be a valid Base64-encoded JSON object."
    );
    assert!(world.exec.environments().is_empty());
}

#[tokio::test]
async fn reserved_concurrency_of_zero_turns_a_function_off() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let off = json!({"FunctionName": "hello", "ReservedConcurrentExecutions": 0});
    world.ok("PutFunctionConcurrency", off).await;
    let error = world
        .error("Invoke", json!({"FunctionName": "hello"}))
        .await;
    if error.code == "InvalidRuntimeException" {
        eprintln!("skipped: {}", error.message);
        return;
    }
    assert_eq!(
        (error.code.as_ref(), error.status.as_u16()),
        ("TooManyRequestsException", 429)
    );
    assert_eq!(error.message, "Rate Exceeded.");
    let reason = error
        .members
        .iter()
        .find(|(name, _)| *name == "Reason")
        .unwrap();
    assert_eq!(
        reason.1.as_str(),
        Some("ReservedFunctionConcurrentInvocationLimitExceeded")
    );
    assert!(error.retry_after_seconds.is_some());
    world
        .ok(
            "DeleteFunctionConcurrency",
            json!({"FunctionName": "hello"}),
        )
        .await;
    assert!(world.invoke("hello", json!({})).await.is_some());
}

#[tokio::test]
async fn a_handler_that_is_not_there_is_the_functions_error() {
    let world = World::new().await;
    let mut input = new_function("lost", ECHO);
    input["Handler"] = json!("missing.handler");
    world.ok("CreateFunction", input).await;
    let Some(answer) = world.invoke("lost", json!({})).await else {
        return;
    };
    assert_eq!(answer["FunctionError"], "Unhandled");
    assert_eq!(payload(&answer)["errorType"], "Runtime.ImportModuleError");
}

#[tokio::test]
async fn an_operator_raises_what_lambda_allows() {
    let limits = Limits {
        timeout: 5_400,
        payload: 8 << 20,
        ..Limits::default()
    };
    let world = World::with(Settings {
        limits,
        ..Settings::default()
    })
    .await;
    let source = "def handler(event, context):\n    return 'y' * event['n']\n";
    let long = with(new_function("hello", source), json!({"Timeout": 3_600}));
    assert_eq!(world.ok("CreateFunction", long).await["Timeout"], 3_600);
    let event = json!({"n": 7 << 20, "text": "x".repeat(7 << 20)});
    let Some(answer) = world.invoke("hello", event).await else {
        return;
    };
    assert_eq!(answer.get("FunctionError"), None);
    assert_eq!(payload(&answer).as_str().unwrap().len(), 7 << 20);
    let refused = world.invoke("hello", json!({"n": 9 << 20})).await.unwrap();
    assert_eq!(
        payload(&refused)["errorType"],
        "Function.ResponseSizeTooLarge"
    );
}
