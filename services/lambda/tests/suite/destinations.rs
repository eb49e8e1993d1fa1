//! What becomes of asynchronous invocations that have ended: destinations and dead-letter queues.

use serde_json::{Value as Json, json};

use crate::support::{ECHO, Folder, Settings, World, blob, eventually, new_function, with};

const FAILS: &str = "def handler(event, context):\n    raise ValueError('no ' + event['n'])\n";

async fn put(world: &World, name: &str, config: Json) -> Json {
    let input = with(json!({"FunctionName": name}), config);
    world.ok("PutFunctionEventInvokeConfig", input).await
}

fn on_success(arn: &str) -> Json {
    json!({"OnSuccess": {"Destination": arn}})
}

fn on_failure(arn: &str) -> Json {
    json!({"OnFailure": {"Destination": arn}})
}

async fn send(world: &World, name: &str, event: &str) {
    let input = json!({"FunctionName": name, "InvocationType": "Event", "Payload": blob(event)});
    assert_eq!(world.ok("Invoke", input).await["StatusCode"], 202);
}

/// The next message of a queue, which comes within some seconds.
async fn receive(world: &World, queue: &str) -> Json {
    let input = || {
        json!({
            "QueueUrl": format!("http://localhost/000000000000/{queue}"),
            "MessageAttributeNames": ["All"],
            "WaitTimeSeconds": 10,
        })
    };
    eventually(async || {
        let answer = world.call_service("sqs", "ReceiveMessage", input()).await;
        answer.unwrap()["Messages"].get(0).cloned()
    })
    .await
}

fn body(message: &Json) -> Json {
    serde_json::from_str(message["Body"].as_str().unwrap()).unwrap()
}

async fn has_python(world: &World, name: &str) -> bool {
    world.invoke(name, json!({"n": "1"})).await.is_some()
}

#[tokio::test]
async fn a_record_of_success_reaches_a_queue() {
    let world = World::new().await;
    world.create("echo", ECHO).await;
    if !has_python(&world, "echo").await {
        return;
    }
    let queue = world.queue("done", json!({})).await;
    let config = json!({"DestinationConfig": on_success(&queue)});
    put(&world, "echo", config).await;
    send(&world, "echo", r#"{"n":1}"#).await;
    let record = body(&receive(&world, "done").await);
    assert_eq!(record["version"], "1.0");
    let context = &record["requestContext"];
    assert_eq!(context["condition"], "Success");
    assert_eq!(context["approximateInvokeCount"], 1);
    assert_eq!(
        context["functionArn"],
        "arn:aws:lambda:us-east-1:000000000000:function:echo:$LATEST"
    );
    assert_eq!(record["requestPayload"], json!({"n": 1}));
    assert_eq!(record["responsePayload"], json!({"n": 1}));
    assert_eq!(
        record["responseContext"],
        json!({"statusCode": 200, "executedVersion": "$LATEST"})
    );
}

#[tokio::test]
async fn a_failure_reaches_its_destination_and_the_dead_letter_queue() {
    let world = World::new().await;
    let (failed, dead) = (
        world.queue("failed", json!({})).await,
        world.queue("dead", json!({})).await,
    );
    let input = with(
        new_function("fails", FAILS),
        json!({"DeadLetterConfig": {"TargetArn": dead}}),
    );
    let created = world.ok("CreateFunction", input).await;
    assert_eq!(created["DeadLetterConfig"]["TargetArn"], dead);
    if !has_python(&world, "fails").await {
        return;
    }
    let config = json!({"MaximumRetryAttempts": 0, "DestinationConfig": on_failure(&failed)});
    put(&world, "fails", config).await;
    send(&world, "fails", r#"{"n":"7"}"#).await;
    let record = body(&receive(&world, "failed").await);
    assert_eq!(record["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(record["responseContext"]["functionError"], "Unhandled");
    assert_eq!(record["responsePayload"]["errorMessage"], "no 7");
    let letter = receive(&world, "dead").await;
    assert_eq!(letter["Body"], r#"{"n":"7"}"#);
    let attribute = |name: &str| letter["MessageAttributes"][name]["StringValue"].clone();
    assert_eq!(
        attribute("RequestID"),
        record["requestContext"]["requestId"]
    );
    assert_eq!(attribute("ErrorCode"), "200");
    assert_eq!(attribute("ErrorMessage"), "no 7");
    assert_eq!(
        letter["MessageAttributes"]["ErrorCode"]["DataType"],
        "Number"
    );
}

#[tokio::test]
async fn a_function_takes_the_record_of_another_and_a_bucket_that_of_a_failure() {
    let world = World::new().await;
    world.create("echo", ECHO).await;
    if !has_python(&world, "echo").await {
        return;
    }
    let second = world.create("second", ECHO).await;
    let queue = world.queue("done", json!({})).await;
    let config = json!({"DestinationConfig": on_success(second["FunctionArn"].as_str().unwrap())});
    put(&world, "echo", config).await;
    put(
        &world,
        "second",
        json!({"DestinationConfig": on_success(&queue)}),
    )
    .await;
    send(&world, "echo", r#"{"n":2}"#).await;
    let outer = body(&receive(&world, "done").await);
    let inner = &outer["requestPayload"];
    assert_eq!(inner["requestContext"]["condition"], "Success");
    assert_eq!(inner["requestPayload"], json!({"n": 2}));

    world.create("fails", FAILS).await;
    world.bucket("failures").await;
    let config = json!({
        "MaximumRetryAttempts": 0,
        "DestinationConfig": on_failure("arn:aws:s3:::failures"),
    });
    put(&world, "fails", config).await;
    send(&world, "fails", r#"{"n":"3"}"#).await;
    let key = eventually(async || world.first_key("failures").await).await;
    assert!(key.starts_with("aws/lambda/async/fails/2"), "{key}");
}

#[tokio::test]
async fn each_alias_has_its_own_configuration() {
    let world = World::new().await;
    world.create("echo", ECHO).await;
    world
        .ok("PublishVersion", json!({"FunctionName": "echo"}))
        .await;
    let alias = json!({"FunctionName": "echo", "Name": "live", "FunctionVersion": "1"});
    world.ok("CreateAlias", alias).await;
    let live = json!({"FunctionName": "echo", "Qualifier": "live"});
    let put = with(live.clone(), json!({"MaximumEventAgeInSeconds": 60}));
    let shown = world.ok("PutFunctionEventInvokeConfig", put).await;
    assert!(
        shown["FunctionArn"]
            .as_str()
            .unwrap()
            .ends_with(":function:echo:live")
    );
    assert_eq!(shown["MaximumEventAgeInSeconds"], 60);
    assert_eq!(
        shown["DestinationConfig"],
        json!({"OnSuccess": {}, "OnFailure": {}})
    );
    let update = with(live.clone(), json!({"MaximumRetryAttempts": 1}));
    let shown = world.ok("UpdateFunctionEventInvokeConfig", update).await;
    assert_eq!(shown["MaximumEventAgeInSeconds"], 60);
    assert_eq!(shown["MaximumRetryAttempts"], 1);
    let latest = json!({"FunctionName": "echo"});
    let (code, message) = world
        .refused("GetFunctionEventInvokeConfig", latest.clone())
        .await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(
        message,
        "The function arn:aws:lambda:us-east-1:000000000000:function:echo:$LATEST doesn't have an \
         EventInvokeConfig"
    );
    let put = with(latest.clone(), json!({"MaximumRetryAttempts": 2}));
    world.ok("PutFunctionEventInvokeConfig", put).await;
    let page = with(latest.clone(), json!({"MaxItems": 1}));
    let first = world
        .ok("ListFunctionEventInvokeConfigs", page.clone())
        .await;
    assert_eq!(
        first["FunctionEventInvokeConfigs"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let page = with(page, json!({"Marker": first["NextMarker"]}));
    let second = world.ok("ListFunctionEventInvokeConfigs", page).await;
    assert!(second.get("NextMarker").is_none());
    // What is attached to an alias goes with it.
    let alias = json!({"FunctionName": "echo", "Name": "live"});
    world.ok("DeleteAlias", alias).await;
    world.refused("GetFunctionEventInvokeConfig", live).await;
    world
        .ok("DeleteFunctionEventInvokeConfig", latest.clone())
        .await;
    world
        .refused("DeleteFunctionEventInvokeConfig", latest)
        .await;
}

#[tokio::test]
async fn bad_configurations_are_refused_and_change_nothing() {
    let world = World::new().await;
    world.create("echo", ECHO).await;
    let refused = async |more: Json| {
        let input = with(json!({"FunctionName": "echo"}), more);
        world.refused("PutFunctionEventInvokeConfig", input).await.1
    };
    assert_eq!(
        refused(json!({})).await,
        "You must specify at least one of error handling or destination setting."
    );
    let itself = "arn:aws:lambda:us-east-1:000000000000:function:echo";
    assert_eq!(
        refused(json!({"DestinationConfig": on_failure(itself)})).await,
        "You can't specify the function as a destination for itself."
    );
    let nobody = "arn:aws:lambda:us-east-1:000000000000:function:nobody";
    assert_eq!(
        refused(json!({"DestinationConfig": on_failure(nobody)})).await,
        format!("The destination ARN {nobody} is invalid.")
    );
    for (member, value) in [
        ("MaximumEventAgeInSeconds", 59),
        ("MaximumEventAgeInSeconds", 21_601),
        ("MaximumRetryAttempts", 3),
    ] {
        let message = refused(json!({member: value})).await;
        assert!(
            message.contains("failed to satisfy constraint"),
            "{message}"
        );
    }
    let missing = json!({"FunctionName": "nobody", "MaximumRetryAttempts": 1});
    assert_eq!(
        world.refused("PutFunctionEventInvokeConfig", missing).await,
        (
            "ResourceNotFoundException".to_owned(),
            "The function doesn't exist.".to_owned()
        )
    );
    let latest = json!({"FunctionName": "echo"});
    world
        .refused("GetFunctionEventInvokeConfig", latest.clone())
        .await;
    let dead = with(
        latest,
        json!({"DeadLetterConfig": {"TargetArn": "arn:aws:s3:::bucket"}}),
    );
    world.refused("UpdateFunctionConfiguration", dead).await;
}

#[tokio::test]
async fn a_function_that_is_turned_off_gives_its_events_up_at_once() {
    let world = World::new().await;
    let dead = world.queue("dead", json!({})).await;
    let input = with(
        new_function("echo", ECHO),
        json!({"DeadLetterConfig": {"TargetArn": dead}}),
    );
    world.ok("CreateFunction", input).await;
    let off = json!({"FunctionName": "echo", "ReservedConcurrentExecutions": 0});
    world.ok("PutFunctionConcurrency", off).await;
    send(&world, "echo", r#"{"n":4}"#).await;
    assert_eq!(receive(&world, "dead").await["Body"], r#"{"n":4}"#);
}

#[tokio::test]
async fn a_configuration_survives_a_restart() {
    let settings = || Settings {
        is_durable: true,
        ..Settings::default()
    };
    let world = World::on(Folder::new(), settings()).await;
    world.create("echo", ECHO).await;
    put(&world, "echo", json!({"MaximumRetryAttempts": 1})).await;
    let world = World::on(world.end().await, settings()).await;
    let latest = json!({"FunctionName": "echo"});
    let shown = world.ok("GetFunctionEventInvokeConfig", latest).await;
    assert_eq!(shown["MaximumRetryAttempts"], 1);
}
