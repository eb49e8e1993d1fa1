//! Asynchronous invocation, through the queue to the function.

use serde_json::json;

use crate::support::{Folder, Settings, World, blob, eventually, new_function};

/// Says what it was given.
const WRITER: &str = r"
def handler(event, context):
    print('ran', event, context.aws_request_id)
";

#[tokio::test]
async fn an_event_is_accepted_and_runs() {
    let world = World::new().await;
    world.create("writer", WRITER).await;
    if world.invoke("writer", json!({})).await.is_none() {
        return;
    }
    let requests = |world: &World| {
        world
            .exec
            .environments()
            .iter()
            .map(|it| it.requests)
            .sum::<u64>()
    };
    let before = requests(&world);
    let input = json!({
        "FunctionName": "writer",
        "InvocationType": "Event",
        "Payload": blob(r#"{"n":1}"#),
    });
    let answer = world.ok("Invoke", input).await;
    assert_eq!(answer["StatusCode"], 202);
    assert!(answer.get("Payload").is_none() && answer.get("ExecutedVersion").is_none());
    eventually(async || (requests(&world) == before + 1).then_some(())).await;
    let older = json!({"FunctionName": "writer", "InvokeArgs": blob("{}")});
    assert_eq!(world.ok("InvokeAsync", older).await["Status"], 202);
    eventually(async || (requests(&world) == before + 2).then_some(())).await;
}

#[tokio::test]
async fn an_accepted_event_survives_a_restart() {
    let settings = || Settings {
        is_durable: true,
        ..Settings::default()
    };
    let world = World::on(Folder::new(), settings()).await;
    world
        .ok("CreateFunction", new_function("writer", WRITER))
        .await;
    let off = json!({"FunctionName": "writer", "ReservedConcurrentExecutions": 0});
    world.ok("PutFunctionConcurrency", off).await;
    let event = json!({"FunctionName": "writer", "InvocationType": "Event"});
    assert_eq!(world.ok("Invoke", event).await["StatusCode"], 202);
    let folder = world.end().await;
    // Unpacked code is made again from the package.
    std::fs::remove_dir_all(folder.path().join("images")).unwrap();

    let world = World::on(folder, settings()).await;
    let got = world
        .ok("GetFunction", json!({"FunctionName": "writer"}))
        .await;
    assert_eq!(got["Concurrency"]["ReservedConcurrentExecutions"], 0);
    world
        .ok(
            "DeleteFunctionConcurrency",
            json!({"FunctionName": "writer"}),
        )
        .await;
    // What waits for concurrency is tried again within a second or two.
    let has_python = world.invoke("writer", json!({})).await.is_some();
    if has_python {
        let requests = || {
            world
                .exec
                .environments()
                .iter()
                .map(|it| it.requests)
                .sum::<u64>()
        };
        eventually(async || (requests() == 2).then_some(())).await;
    }
}
