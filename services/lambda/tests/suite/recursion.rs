//! Recursive loops.

use serde_json::{Value as Json, json};
use sha2::{Digest as _, Sha256};

use crate::support::{ECHO, World, blob, eventually, with};

/// Were the event returned, its records would double in size each round.
const SILENT: &str = "def handler(event, context): pass\n";

/// What stands for a function in a trace header's lineage: the beginning of its ARN's SHA-256.
fn lineage_name(function: &str) -> String {
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{function}");
    hex::encode(&Sha256::digest(arn)[..4])
}

fn destinations(success: &Json, failure: &str) -> Json {
    json!({"DestinationConfig": {
        "OnSuccess": {"Destination": success},
        "OnFailure": {"Destination": failure},
    }})
}

#[tokio::test]
async fn a_loop_is_stopped_after_sixteen_rounds() {
    let world = World::new().await;
    let first = world.create("first", SILENT).await;
    let second = world
        .create("second", "def handler(event, context): pass\n")
        .await;
    if world.invoke("first", json!({})).await.is_none() {
        return;
    }
    let stopped = world.queue("stopped", json!({})).await;
    for (name, next) in [("first", &second), ("second", &first)] {
        let config = destinations(&next["FunctionArn"], &stopped);
        let input = with(json!({"FunctionName": name}), config);
        world.ok("PutFunctionEventInvokeConfig", input).await;
    }
    let runs = |world: &World| -> u64 {
        let environments = world.exec.environments();
        environments.iter().map(|it| it.requests).sum()
    };
    let before = runs(&world);
    let event = json!({"FunctionName": "first", "InvocationType": "Event", "Payload": blob("{}")});
    world.ok("Invoke", event).await;
    let message = eventually(async || {
        let receive = json!({
            "QueueUrl": "http://localhost/000000000000/stopped",
            "WaitTimeSeconds": 10,
        });
        let answer = world.call_service("sqs", "ReceiveMessage", receive).await;
        answer.unwrap()["Messages"].get(0).cloned()
    })
    .await;
    assert_eq!(runs(&world) - before, 32, "each has run sixteen times");
    let record: Json = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
    let function = record["requestContext"]["functionArn"].as_str().unwrap();
    assert!(function.ends_with(":first:$LATEST"), "{function}");
    assert!(record.get("responseContext").is_none());
}

#[tokio::test]
async fn a_caller_in_a_loop_is_refused_unless_the_function_allows_it() {
    let world = World::new().await;
    world.create("echo", ECHO).await;
    if world.invoke("echo", json!({})).await.is_none() {
        return;
    }
    let name = json!({"FunctionName": "echo"});
    let shown = world.ok("GetFunctionRecursionConfig", name.clone()).await;
    assert_eq!(shown["RecursiveLoop"], "Terminate");
    let deep = "Root=1-00000000-000000000000000000000000;Lineage=LINEAGE:16";
    let deep = deep.replace("LINEAGE", &lineage_name("echo"));
    let refused = world.invoke_traced("echo", &deep).await.unwrap_err();
    assert_eq!(refused.code, "RecursiveInvocationException");
    assert_eq!(refused.status, 400);
    let allow = with(name.clone(), json!({"RecursiveLoop": "Allow"}));
    world.ok("PutFunctionRecursionConfig", allow).await;
    assert_eq!(
        world.ok("GetFunctionRecursionConfig", name).await["RecursiveLoop"],
        "Allow"
    );
    world.invoke_traced("echo", &deep).await.unwrap();
}
