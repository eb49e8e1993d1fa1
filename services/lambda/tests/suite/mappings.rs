//! Event source mappings, from a real queue to a function that really runs.

use serde_json::{Value as Json, json};

use crate::roles::make_role;
use crate::support::{ECHO, Settings, World, eventually, new_function, with};

async fn mapping(world: &World, queue: &str) -> Json {
    let input = json!({"FunctionName": "hello", "EventSourceArn": queue});
    world.ok("CreateEventSourceMapping", input).await
}

#[tokio::test]
async fn a_mapping_is_created_shown_updated_and_deleted() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let queue = world.queue("orders", json!({})).await;
    let created = mapping(&world, &queue).await;
    assert_eq!(created["State"], "Creating");
    assert_eq!(created["StateTransitionReason"], "USER_INITIATED");
    assert_eq!(created["BatchSize"], 10);
    assert_eq!(created["MaximumBatchingWindowInSeconds"], 0);
    assert_eq!(created["FunctionResponseTypes"], json!([]));
    assert_eq!(created["EventSourceArn"], queue);
    let function = "arn:aws:lambda:us-east-1:000000000000:function:hello";
    assert_eq!(created["FunctionArn"], function);
    let uuid = created["UUID"].as_str().unwrap();
    let by_uuid = || json!({"UUID": uuid});
    assert_eq!(
        world.ok("GetEventSourceMapping", by_uuid()).await["State"],
        "Enabled"
    );

    let again = json!({"FunctionName": "hello", "EventSourceArn": queue});
    let error = world.error("CreateEventSourceMapping", again).await;
    assert_eq!(
        (error.code.as_ref(), error.status.as_u16()),
        ("ResourceConflictException", 409)
    );
    assert_eq!(
        error.message,
        format!(
            "An event source mapping with SQS arn (\" {queue} \") and function (\" hello \") \
             already exists. Please update or delete the existing mapping with UUID {uuid}"
        )
    );

    let disable = json!({"UUID": uuid, "Enabled": false, "BatchSize": 5});
    let disabling = world.ok("UpdateEventSourceMapping", disable).await;
    assert_eq!(disabling["State"], "Disabling");
    let disabled = eventually(async || {
        let got = world.ok("GetEventSourceMapping", by_uuid()).await;
        (got["State"] == "Disabled").then_some(got)
    })
    .await;
    assert_eq!(disabled["BatchSize"], 5);
    let enabling = world
        .ok(
            "UpdateEventSourceMapping",
            json!({"UUID": uuid, "Enabled": true}),
        )
        .await;
    assert_eq!(enabling["State"], "Enabling");

    for filter in [
        json!({}),
        json!({"FunctionName": "hello"}),
        json!({"EventSourceArn": queue}),
    ] {
        let listed = world.ok("ListEventSourceMappings", filter.clone()).await;
        assert_eq!(listed["EventSourceMappings"][0]["UUID"], uuid, "{filter}");
    }
    let other = json!({"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:none"});
    let listed = world.ok("ListEventSourceMappings", other).await;
    assert_eq!(listed["EventSourceMappings"], json!([]));

    let deleted = world.ok("DeleteEventSourceMapping", by_uuid()).await;
    assert_eq!(deleted["State"], "Deleting");
    let error =
        eventually(async || world.call("GetEventSourceMapping", by_uuid()).await.err()).await;
    assert_eq!(error.message, "The resource you requested does not exist.");
    assert_eq!(error.status, 404);
}

#[tokio::test]
async fn bad_mappings_are_refused_in_lambdas_words() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let queue = world.queue("orders", json!({})).await;
    let fifo = world
        .queue("orders.fifo", json!({"FifoQueue": "true"}))
        .await;
    for (more, message) in [
        (json!({"FunctionName": "gone"}), "Function does not exist"),
        (
            json!({"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:none"}),
            "Error occurred while ReceiveMessage. SQS Error Code: \
             AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does \
             not exist.",
        ),
        (
            json!({"BatchSize": 11}),
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is \
             greater than 10",
        ),
        (
            json!({"EventSourceArn": fifo, "MaximumBatchingWindowInSeconds": 1}),
            "Batching window is not supported for FIFO queues",
        ),
        (
            json!({"StartingPosition": "LATEST"}),
            "StartingPosition is not valid for SQS event sources.",
        ),
        (
            json!({"FilterCriteria": {"Filters": [{"Pattern": "{"}]}}),
            "Invalid filter pattern definition.",
        ),
    ] {
        let mut input = json!({"FunctionName": "hello", "EventSourceArn": queue});
        for (member, value) in more.as_object().unwrap() {
            input[member] = value.clone();
        }
        let (code, refusal) = world.refused("CreateEventSourceMapping", input).await;
        assert_eq!(code, "InvalidParameterValueException", "{refusal}");
        assert_eq!(refusal, message);
    }
}

#[tokio::test]
async fn a_message_that_comes_back_too_early_is_refused_outside_permissive_mode() {
    let world = World::with(Settings {
        is_permissive: false,
        ..Settings::default()
    })
    .await;
    make_role(&world, "lambda.amazonaws.com").await;
    world.create("hello", ECHO).await;
    let short = json!({"VisibilityTimeout": "19"});
    let queue = world.queue("short", short.clone()).await;
    let input = json!({"FunctionName": "hello", "EventSourceArn": queue});
    let (code, message) = world.refused("CreateEventSourceMapping", input).await;
    assert_eq!(code, "InvalidParameterValueException");
    assert_eq!(
        message,
        "Queue visibility timeout: 19 seconds is less than Function timeout: 20 seconds"
    );

    let world = World::new().await;
    world.create("hello", ECHO).await;
    let queue = world.queue("short", short).await;
    mapping(&world, &queue).await;
}

#[tokio::test]
async fn messages_reach_the_function_and_leave_the_queue() {
    let world = World::new().await;
    let source = "def handler(event, context):\n    \
                  assert len(event['Records']) <= 5\n    return len(event['Records'])\n";
    world
        .ok("CreateFunction", new_function("hello", source))
        .await;
    if world
        .invoke("hello", json!({"Records": []}))
        .await
        .is_none()
    {
        return;
    }
    let queue = world.queue("orders", json!({})).await;
    let url = "http://localhost/000000000000/orders";
    let input = json!({"FunctionName": "hello", "EventSourceArn": queue, "BatchSize": 5});
    let created = world.ok("CreateEventSourceMapping", input).await;
    for n in 0..10 {
        let message = json!({"QueueUrl": url, "MessageBody": format!("message {n}")});
        world
            .call_service("sqs", "SendMessage", message)
            .await
            .unwrap();
    }
    let uuid = json!({"UUID": created["UUID"]});
    eventually(async || {
        let ask = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        let answer = world
            .call_service("sqs", "GetQueueAttributes", ask)
            .await
            .unwrap();
        let count =
            |kind: &str| answer["Attributes"][format!("ApproximateNumberOfMessages{kind}")].clone();
        let got = world.ok("GetEventSourceMapping", uuid.clone()).await;
        let is_done = count("") == "0" && count("NotVisible") == "0";
        (is_done && got["LastProcessingResult"] == "OK").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_filter_keeps_messages_from_the_function_and_deletes_them() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    if world.invoke("hello", json!({})).await.is_none() {
        return;
    }
    let queue = world.queue("orders", json!({})).await;
    let mapping = |pattern: &str| {
        json!({
            "FunctionName": "hello",
            "EventSourceArn": queue,
            "FilterCriteria": {"Filters": [{"Pattern": pattern}]},
        })
    };
    let (code, message) = world
        .refused("CreateEventSourceMapping", mapping("[1]"))
        .await;
    assert_eq!(code, "InvalidParameterValueException");
    assert_eq!(message, "Invalid filter pattern definition.");
    let large = r#"{"body":{"size":[{"numeric":[">",10]}]}}"#;
    let created = world.ok("CreateEventSourceMapping", mapping(large)).await;
    assert_eq!(created["FilterCriteria"]["Filters"][0]["Pattern"], large);
    let runs = || -> u64 {
        let environments = world.exec.environments();
        environments.iter().map(|it| it.requests).sum()
    };
    let before = runs();
    for body in ["plain", r#"{"size":3}"#, r#"{"size":30}"#] {
        let input = json!({
            "QueueUrl": "http://localhost/000000000000/orders",
            "MessageBody": body,
        });
        world
            .call_service("sqs", "SendMessage", input)
            .await
            .unwrap();
    }
    eventually(async || (runs() == before + 1).then_some(())).await;
    eventually(async || {
        let input = json!({
            "QueueUrl": "http://localhost/000000000000/orders",
            "AttributeNames": ["All"],
        });
        let answer = world.call_service("sqs", "GetQueueAttributes", input).await;
        let attributes = answer.unwrap()["Attributes"].clone();
        let is_empty = attributes["ApproximateNumberOfMessages"] == "0"
            && attributes["ApproximateNumberOfMessagesNotVisible"] == "0";
        is_empty.then_some(())
    })
    .await;
    assert_eq!(runs(), before + 1, "only what is large");
    let update = json!({"UUID": created["UUID"], "FilterCriteria": {}});
    let updated = world.ok("UpdateEventSourceMapping", update).await;
    assert!(updated.get("FilterCriteria").is_none());
}

#[tokio::test]
async fn a_mapping_of_a_queue_has_pollers_set_aside() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let queue = world
        .queue("jobs", json!({"VisibilityTimeout": "60"}))
        .await;
    let base = json!({"FunctionName": "hello", "EventSourceArn": queue});
    for more in [
        json!({"ProvisionedPollerConfig": {"MinimumPollers": 1}}),
        json!({"ProvisionedPollerConfig": {"MinimumPollers": 9, "MaximumPollers": 3}}),
        json!({
            "ProvisionedPollerConfig": {"MinimumPollers": 2},
            "ScalingConfig": {"MaximumConcurrency": 2},
        }),
    ] {
        let input = with(base.clone(), more);
        let refused = world.refused("CreateEventSourceMapping", input).await;
        assert_eq!(refused.0, "InvalidParameterValueException");
    }
    let more = json!({
        "ProvisionedPollerConfig": {"MinimumPollers": 3},
        "MetricsConfig": {"Metrics": ["EventCount"]},
    });
    let created = world.ok("CreateEventSourceMapping", with(base, more)).await;
    let shown = json!({"MinimumPollers": 3, "MaximumPollers": 200});
    assert_eq!(created["ProvisionedPollerConfig"], shown);
    let update = json!({"UUID": created["UUID"], "ProvisionedPollerConfig": {}});
    let updated = world.ok("UpdateEventSourceMapping", update).await;
    assert_eq!(updated.get("ProvisionedPollerConfig"), None);
}
