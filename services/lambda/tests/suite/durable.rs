//! Durable functions by the API: their configuration, and the ways into them. The functions here
//! speak the protocol without an SDK, and need no checkpoint.

use serde_json::{Value as Json, json};

use crate::support::{Folder, Settings, World, blob, eventually, new_function, payload, with};

/// Answers with what it was given, or fails if that says so.
const ECHO: &str = r"
import json

def handler(event, context):
    given = event['InitialExecutionState']['Operations'][0]['ExecutionDetails']['InputPayload']
    if 'fail' in given:
        return {'Status': 'FAILED', 'Error': {'ErrorType': 'Asked', 'ErrorMessage': 'for it'}}
    return {'Status': 'SUCCEEDED', 'Result': given}
";

fn durable(name: &str, timeout: u32, more: Json) -> Json {
    let config = json!({"DurableConfig": {"ExecutionTimeout": timeout}});
    with(with(new_function(name, ECHO), config), more)
}

async fn invoke(world: &World, input: Json) -> Option<Json> {
    let input = with(
        json!({"FunctionName": "echo", "Qualifier": "$LATEST"}),
        input,
    );
    let answer = world.ok("Invoke", input).await;
    let error = answer.get("Payload").map(|_| payload(&answer));
    if error.is_some_and(|error| error["errorType"] == "InvalidRuntimeException") {
        eprintln!("skipped: no Python");
        return None;
    }
    Some(answer)
}

#[tokio::test]
async fn a_function_is_durable_from_the_start() {
    let world = World::new().await;
    let bare = with(new_function("bare", ECHO), json!({"DurableConfig": {}}));
    let (code, message) = world.refused("CreateFunction", bare).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert!(message.contains("without an executionTimeout"), "{message}");
    let long = durable("long", 31_622_401, json!({}));
    assert_eq!(
        world.refused("CreateFunction", long).await.0,
        "ValidationException"
    );

    let created = world
        .ok("CreateFunction", durable("echo", 60, json!({})))
        .await;
    let shown = json!({"ExecutionTimeout": 60, "RetentionPeriodInDays": 14});
    assert_eq!(created["DurableConfig"], shown);
    let update = json!({"FunctionName": "echo", "DurableConfig": {"RetentionPeriodInDays": 3}});
    world.ok("UpdateFunctionConfiguration", update).await;
    let published = world
        .ok("PublishVersion", json!({"FunctionName": "echo"}))
        .await;
    let shown = json!({"ExecutionTimeout": 60, "RetentionPeriodInDays": 3});
    assert_eq!(published["DurableConfig"], shown);
    let unchanged = json!({"FunctionName": "echo", "Description": "still durable"});
    let updated = world.ok("UpdateFunctionConfiguration", unchanged).await;
    assert_eq!(updated["DurableConfig"], shown);

    world.create("plain", ECHO).await;
    let late = json!({"FunctionName": "plain", "DurableConfig": {"ExecutionTimeout": 60}});
    let (code, _) = world.refused("UpdateFunctionConfiguration", late).await;
    assert_eq!(code, "InvalidParameterValueException");
    let named = json!({"FunctionName": "plain", "DurableExecutionName": "n"});
    let (code, _) = world.refused("Invoke", named).await;
    assert_eq!(code, "InvalidParameterValueException");
}

#[tokio::test]
async fn every_way_in_needs_a_version() {
    let world = World::new().await;
    world
        .ok("CreateFunction", durable("echo", 60, json!({})))
        .await;
    let message = "You cannot invoke a durable function using an unqualified ARN.";
    let plain = json!({"FunctionName": "echo"});
    let asynchronous = with(plain.clone(), json!({"InvokeArgs": blob("{}")}));
    for (operation, input) in [("Invoke", plain), ("InvokeAsync", asynchronous)] {
        let refused = world.refused(operation, input).await;
        assert_eq!(refused.1, message, "{operation}");
    }
    world
        .ok("CreateFunction", durable("slow", 901, json!({})))
        .await;
    let waited = json!({"FunctionName": "slow:$LATEST"});
    let (code, message) = world.refused("Invoke", waited).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert!(message.contains("greater than 15 minutes"), "{message}");
    let dry = json!({"FunctionName": "slow:$LATEST", "InvocationType": "DryRun"});
    assert_eq!(world.ok("Invoke", dry).await["StatusCode"], 204);
    let bad = json!({"FunctionName": "echo:$LATEST", "Payload": blob("{")});
    let (code, _) = world.refused("Invoke", bad).await;
    assert_eq!(code, "InvalidRequestContentException");
}

#[tokio::test]
async fn whoever_waits_gets_the_result_and_by_name_gets_it_again() {
    let world = World::new().await;
    world
        .ok("CreateFunction", durable("echo", 60, json!({})))
        .await;
    let named = json!({"DurableExecutionName": "one", "Payload": blob(r#"{"a":1}"#)});
    let Some(answer) = invoke(&world, named.clone()).await else {
        return;
    };
    assert_eq!(payload(&answer), json!({"a": 1}));
    assert_eq!(answer["ExecutedVersion"], "$LATEST");
    let again = invoke(&world, named.clone()).await.unwrap();
    assert_eq!(again, answer);
    let other = with(named, json!({"Payload": blob("2")}));
    let other = with(json!({"FunctionName": "echo:$LATEST"}), other);
    let error = world.error("Invoke", other).await;
    assert_eq!(error.code, "DurableExecutionAlreadyStartedException");

    let failed = json!({"Payload": blob(r#"{"fail":true}"#)});
    let failed = invoke(&world, failed).await.unwrap();
    assert_eq!(failed["FunctionError"], "Unhandled");
    let document = json!({"errorMessage": "for it", "errorType": "Asked"});
    assert_eq!(payload(&failed), document);

    let arn = answer["DurableExecutionArn"].as_str().unwrap().to_owned();
    let elsewhere = arn.replace("us-east-1", "eu-west-1");
    for (arn, expected) in [
        (elsewhere.as_str(), "ResourceNotFoundException"),
        (
            "arn:aws:lambda:us-east-1:000000000000:function:f",
            "ValidationException",
        ),
    ] {
        let (code, _) = world
            .refused("GetDurableExecution", json!({"DurableExecutionArn": arn}))
            .await;
        assert_eq!(code, expected);
    }
    let stranger = "111111111111".parse().unwrap();
    let asked = json!({"DurableExecutionArn": arn});
    let refused = world.call_as(stranger, "GetDurableExecution", asked).await;
    assert_eq!(refused.unwrap_err().code, "ResourceNotFoundException");
}

#[tokio::test]
async fn executions_survive_a_restart_with_their_names() {
    let settings = || Settings {
        is_durable: true,
        ..Settings::default()
    };
    let world = World::on(Folder::new(), settings()).await;
    world
        .ok("CreateFunction", durable("echo", 60, json!({})))
        .await;
    let named = json!({"DurableExecutionName": "one", "Payload": blob("1")});
    let Some(answer) = invoke(&world, named.clone()).await else {
        return;
    };
    let world = World::on(world.end().await, settings()).await;
    assert_eq!(invoke(&world, named).await.unwrap(), answer);
    let list = json!({"FunctionName": "echo", "Statuses": ["SUCCEEDED"]});
    let listed = world.ok("ListDurableExecutionsByFunction", list).await;
    assert_eq!(listed["DurableExecutions"].as_array().unwrap().len(), 1);
    let arn = answer["DurableExecutionArn"].clone();
    let execution = json!({"DurableExecutionArn": arn});
    world.ok("DeleteDurableExecution", execution.clone()).await;
    let (code, message) = world.refused("GetDurableExecution", execution).await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(message, "Durable Execution does not exist");
}

#[tokio::test]
async fn an_event_whose_execution_fails_goes_to_the_dead_letter_queue() {
    let world = World::new().await;
    let queue = world.queue("dead", json!({})).await;
    let dead_letter = json!({"DeadLetterConfig": {"TargetArn": queue}});
    world
        .ok("CreateFunction", durable("echo", 60, dead_letter))
        .await;
    let event = json!({"InvocationType": "Event", "Payload": blob(r#"{"fail":1}"#)});
    let Some(answer) = invoke(&world, event).await else {
        return;
    };
    assert_eq!(answer["StatusCode"], 202);
    let arn = answer["DurableExecutionArn"].as_str().unwrap().to_owned();
    let id = arn.rsplit('/').next().unwrap().to_owned();
    let receive = json!({
        "QueueUrl": "http://localhost:4566/000000000000/dead",
        "MessageAttributeNames": ["All"],
    });
    let message = eventually(async || {
        let page = world
            .call_service("sqs", "ReceiveMessage", receive.clone())
            .await;
        page.unwrap()["Messages"].get(0).cloned()
    })
    .await;
    assert_eq!(message["Body"], r#"{"fail":1}"#);
    let attributes = &message["MessageAttributes"];
    assert_eq!(attributes["RequestID"]["StringValue"], json!(id));
    assert_eq!(attributes["ErrorMessage"]["StringValue"], "for it");
}

#[tokio::test]
async fn a_queue_feeds_a_durable_function() {
    let world = World::new().await;
    world
        .ok("CreateFunction", durable("echo", 60, json!({})))
        .await;
    world
        .ok("PublishVersion", json!({"FunctionName": "echo"}))
        .await;
    if invoke(&world, json!({})).await.is_none() {
        return;
    }
    let queue = world.queue("work", json!({})).await;
    let mapping = json!({"EventSourceArn": queue, "FunctionName": "echo:1"});
    world.ok("CreateEventSourceMapping", mapping).await;
    let send = json!({
        "QueueUrl": "http://localhost:4566/000000000000/work",
        "MessageBody": "hello",
    });
    world
        .call_service("sqs", "SendMessage", send)
        .await
        .unwrap();
    let list = json!({"FunctionName": "echo", "Qualifier": "1", "Statuses": ["SUCCEEDED"]});
    let arn = eventually(async || {
        let listed = world
            .ok("ListDurableExecutionsByFunction", list.clone())
            .await;
        let first = listed["DurableExecutions"].get(0)?;
        Some(first["DurableExecutionArn"].clone())
    })
    .await;
    let got = world
        .ok("GetDurableExecution", json!({"DurableExecutionArn": arn}))
        .await;
    assert!(got["InputPayload"].as_str().unwrap().contains("hello"));
    assert_eq!(got["Version"], "1");
}
