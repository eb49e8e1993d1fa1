//! Event source mappings, from a table's stream to a function that really runs.

use serde_json::{Value as Json, json};

use crate::support::{ECHO, Folder, Settings, World, eventually, with};

/// Fails where an item says so.
const PICKY: &str = "def handler(event, context):
    for record in event.get('Records', []):
        assert 'bad' not in record['dynamodb']['NewImage']
";

/// Says which record was bad.
const HONEST: &str = "def handler(event, context):
    bad = [record['dynamodb']['SequenceNumber'] for record in event.get('Records', [])
           if 'bad' in record['dynamodb']['NewImage']]
    return {'batchItemFailures': [{'itemIdentifier': number} for number in bad]}
";

/// The ARN of its stream.
async fn table(world: &World) -> String {
    let input = json!({
        "TableName": "orders",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"},
    });
    let made = world.call_service("dynamodb", "CreateTable", input).await;
    let arn = made.unwrap()["TableDescription"]["LatestStreamArn"].clone();
    arn.as_str().unwrap().to_owned()
}

async fn put(world: &World, id: &str, is_bad: bool) {
    let mut item = json!({"id": {"S": id}});
    if is_bad {
        item["bad"] = json!({"BOOL": true});
    }
    let input = json!({"TableName": "orders", "Item": item});
    let put = world.call_service("dynamodb", "PutItem", input).await;
    put.unwrap();
}

async fn map(world: &World, stream: &str, more: Json) -> Json {
    let input = json!({
        "FunctionName": "hello",
        "EventSourceArn": stream,
        "StartingPosition": "TRIM_HORIZON",
    });
    let input = with(input, more);
    world.ok("CreateEventSourceMapping", input).await
}

fn to(queue: &str) -> Json {
    json!({"OnFailure": {"Destination": queue}})
}

/// What a queue is told of the next batch that is given up.
async fn given_up(world: &World) -> Json {
    eventually(async || {
        let input = json!({
            "QueueUrl": "http://localhost/000000000000/lost",
            "WaitTimeSeconds": 10,
        });
        let answer = world.call_service("sqs", "ReceiveMessage", input).await;
        let body = answer.unwrap()["Messages"][0]["Body"].clone();
        body.as_str()
            .map(|body| serde_json::from_str(body).unwrap())
    })
    .await
}

async fn comes_to(world: &World, uuid: &Json, result: &str) {
    eventually(async || {
        let got = world.ok("GetEventSourceMapping", json!({"UUID": uuid}));
        (got.await["LastProcessingResult"] == result).then_some(())
    })
    .await;
}

async fn has_python(world: &World) -> bool {
    world.invoke("hello", json!({})).await.is_some()
}

#[tokio::test]
async fn a_mapping_of_a_stream_is_created_shown_updated_and_deleted() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let stream = table(&world).await;
    let created = map(&world, &stream, json!({})).await;
    for (member, value) in [
        ("State", json!("Creating")),
        ("StateTransitionReason", json!("User action")),
        ("StartingPosition", json!("TRIM_HORIZON")),
        ("BatchSize", json!(100)),
        ("MaximumBatchingWindowInSeconds", json!(0)),
        ("ParallelizationFactor", json!(1)),
        ("MaximumRecordAgeInSeconds", json!(-1)),
        ("MaximumRetryAttempts", json!(-1)),
        ("BisectBatchOnFunctionError", json!(false)),
        ("TumblingWindowInSeconds", json!(0)),
        ("DestinationConfig", json!({"OnFailure": {}})),
        ("FunctionResponseTypes", json!([])),
        ("EventSourceArn", json!(stream)),
        ("LastProcessingResult", json!("No records processed")),
    ] {
        assert_eq!(created[member], value, "{member}");
    }
    let uuid = created["UUID"].as_str().unwrap();
    let again = json!({
        "FunctionName": "hello", "EventSourceArn": stream, "StartingPosition": "LATEST",
    });
    let (code, message) = world.refused("CreateEventSourceMapping", again).await;
    assert_eq!(code, "ResourceConflictException");
    assert_eq!(
        message,
        format!(
            "The event source arn (\" {stream} \") and function (\" hello \") provided mapping \
             already exists. Please update or delete the existing mapping with UUID {uuid}"
        )
    );
    let update = json!({
        "UUID": uuid, "ParallelizationFactor": 3, "MaximumRetryAttempts": 2, "BatchSize": 7,
        "MaximumRecordAgeInSeconds": 60, "BisectBatchOnFunctionError": true,
    });
    world.ok("UpdateEventSourceMapping", update).await;
    let got = world
        .ok("GetEventSourceMapping", json!({"UUID": uuid}))
        .await;
    assert_eq!(got["State"], "Enabled");
    assert_eq!(got["ParallelizationFactor"], 3);
    assert_eq!(got["MaximumRetryAttempts"], 2);
    assert_eq!(got["MaximumRecordAgeInSeconds"], 60);
    let deleted = world
        .ok("DeleteEventSourceMapping", json!({"UUID": uuid}))
        .await;
    assert_eq!(deleted["State"], "Deleting");
    eventually(async || {
        let get = world.call("GetEventSourceMapping", json!({"UUID": uuid}));
        get.await.err()
    })
    .await;
}

#[tokio::test]
async fn bad_mappings_of_streams_are_refused_in_lambdas_words() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let stream = table(&world).await;
    let gone =
        "arn:aws:dynamodb:us-east-1:000000000000:table/orders/stream/2020-01-01T00:00:00.000";
    for (more, message) in [
        (
            json!({"StartingPosition": "AT_TIMESTAMP"}),
            format!("Unsupported starting position for arn type: {stream}"),
        ),
        (
            json!({"StartingPosition": null}),
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy \
             constraint: Member must not be null."
                .to_owned(),
        ),
        (
            json!({"EventSourceArn": gone}),
            format!("Stream not found: {gone}"),
        ),
        (
            json!({"DestinationConfig": to("arn:aws:lambda:us-east-1:000000000000:function:f")}),
            "The provided destination config DestinationConfig(onSuccess=null, \
             onFailure=OnFailure(destination=arn:aws:lambda:us-east-1:000000000000:function:f)) is \
             invalid."
                .to_owned(),
        ),
    ] {
        let input = json!({
            "FunctionName": "hello", "EventSourceArn": stream, "StartingPosition": "LATEST",
        });
        let mut input = with(input, more);
        if let Some(members) = input.as_object_mut() {
            members.retain(|_, value| !value.is_null());
        }
        let (code, refusal) = world.refused("CreateEventSourceMapping", input).await;
        assert_eq!(code, "InvalidParameterValueException", "{refusal}");
        assert_eq!(refusal, message);
    }
}

#[tokio::test]
async fn a_batch_is_split_until_the_bad_record_is_alone() {
    let world = World::new().await;
    world.create("hello", PICKY).await;
    if !has_python(&world).await {
        return;
    }
    let stream = table(&world).await;
    let queue = world.queue("lost", json!({})).await;
    for n in 0..10 {
        put(&world, &n.to_string(), n == 3).await;
    }
    let more = json!({
        "BisectBatchOnFunctionError": true,
        "MaximumRetryAttempts": 0,
        "DestinationConfig": to(&queue),
    });
    let created = map(&world, &stream, more).await;
    let record = given_up(&world).await;
    assert_eq!(record["version"], "1.0");
    assert_eq!(
        record["requestContext"]["condition"],
        "RetryAttemptsExhausted"
    );
    assert_eq!(
        record["requestContext"]["functionArn"],
        created["FunctionArn"]
    );
    let response = json!({
        "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
    });
    assert_eq!(record["responseContext"], response);
    let batch = &record["DDBStreamBatchInfo"];
    assert_eq!(batch["batchSize"], 1);
    assert_eq!(batch["startSequenceNumber"], batch["endSequenceNumber"]);
    assert_eq!(batch["streamArn"], stream);
    assert!(record.get("payload").is_none());
    comes_to(&world, &created["UUID"], "OK").await;
}

#[tokio::test]
async fn a_function_says_from_where_on_its_batch_failed() {
    let world = World::new().await;
    world.create("hello", HONEST).await;
    if !has_python(&world).await {
        return;
    }
    let stream = table(&world).await;
    let queue = world.queue("lost", json!({})).await;
    for n in 0..10 {
        put(&world, &n.to_string(), n == 3).await;
    }
    let more = json!({
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "MaximumRetryAttempts": 1,
        "DestinationConfig": to(&queue),
    });
    map(&world, &stream, more).await;
    let record = given_up(&world).await;
    assert_eq!(record["DDBStreamBatchInfo"]["batchSize"], 7);
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 2);
}

#[tokio::test]
async fn a_mapping_goes_on_after_a_restart_where_it_was() {
    let durable = || Settings {
        is_durable: true,
        ..Settings::default()
    };
    let world = World::on(Folder::new(), durable()).await;
    world.create("hello", PICKY).await;
    if !has_python(&world).await {
        return;
    }
    let stream = table(&world).await;
    let queue = world.queue("lost", json!({})).await;
    let more = json!({
        "StartingPosition": "LATEST",
        "MaximumRetryAttempts": 0,
        "ParallelizationFactor": 2,
        "DestinationConfig": to(&queue),
        "FilterCriteria": {"Filters": [{"Pattern": r#"{"eventName":["INSERT"]}"#}]},
    });
    map(&world, &stream, more).await;
    put(&world, "first", true).await;
    let first = given_up(&world).await;
    put(&world, "first", false).await;
    let folder = world.end().await;

    let world = World::on(folder, durable()).await;
    put(&world, "second", true).await;
    let input = json!({
        "QueueUrl": "http://localhost/000000000000/lost", "AttributeNames": ["All"],
    });
    let second = eventually(async || {
        let record = given_up(&world).await;
        (record["DDBStreamBatchInfo"] != first["DDBStreamBatchInfo"]).then_some(record)
    })
    .await;
    assert_eq!(second["DDBStreamBatchInfo"]["batchSize"], 1);
    let answer = world.call_service("sqs", "GetQueueAttributes", input).await;
    let attributes = &answer.unwrap()["Attributes"];
    assert_eq!(attributes["ApproximateNumberOfMessages"], "0", "none twice");
}

#[tokio::test]
async fn a_mapping_outlives_its_table() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    if !has_python(&world).await {
        return;
    }
    let stream = table(&world).await;
    let created = map(&world, &stream, json!({})).await;
    put(&world, "one", false).await;
    comes_to(&world, &created["UUID"], "OK").await;
    let input = json!({"TableName": "orders"});
    let deleted = world.call_service("dynamodb", "DeleteTable", input).await;
    deleted.unwrap();
    let uuid = json!({"UUID": created["UUID"]});
    assert_eq!(
        world.ok("GetEventSourceMapping", uuid.clone()).await["State"],
        "Enabled"
    );
    world.ok("DeleteEventSourceMapping", uuid.clone()).await;
    eventually(async || {
        world
            .call("GetEventSourceMapping", uuid.clone())
            .await
            .err()
    })
    .await;
}

#[tokio::test]
async fn a_mapping_has_tumbling_windows_and_metrics_but_no_pollers_of_its_own() {
    let world = World::new().await;
    world.create("hello", ECHO).await;
    let stream = table(&world).await;
    let base = json!({
        "FunctionName": "hello", "EventSourceArn": stream, "StartingPosition": "LATEST",
    });
    for more in [
        json!({"TumblingWindowInSeconds": 60, "ParallelizationFactor": 2}),
        json!({"ProvisionedPollerConfig": {"MinimumPollers": 2}}),
        json!({"MetricsConfig": {"Metrics": ["KafkaMetrics"]}}),
    ] {
        let input = with(base.clone(), more);
        world.error("CreateEventSourceMapping", input).await;
    }
    let more = json!({
        "TumblingWindowInSeconds": 60,
        "MetricsConfig": {"Metrics": ["EventCount"]},
    });
    let created = map(&world, &stream, more).await;
    assert_eq!(created["TumblingWindowInSeconds"], 60);
    assert_eq!(created["MetricsConfig"], json!({"Metrics": ["EventCount"]}));
    let update = json!({
        "UUID": created["UUID"], "TumblingWindowInSeconds": 0,
        "MetricsConfig": {"Metrics": []}, "ParallelizationFactor": 2,
    });
    let updated = world.ok("UpdateEventSourceMapping", update).await;
    assert_eq!(updated["TumblingWindowInSeconds"], 0);
    assert_eq!(updated["ParallelizationFactor"], 2);
    assert_eq!(updated.get("MetricsConfig"), None);
}
