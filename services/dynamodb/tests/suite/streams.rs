//! DynamoDB Streams.

use service::ports::StreamSignals;

use crate::support::{Json, World, json, key, with};

async fn with_stream(view: &str) -> (World, String) {
    let world = World::start().await;
    world
        .table(json!({"StreamSpecification": {"StreamEnabled": true, "StreamViewType": view}}))
        .await;
    let table = world
        .ok("DescribeTable", json!({"TableName": "test"}))
        .await["Table"]
        .clone();
    (world, table["LatestStreamArn"].as_str().unwrap().to_owned())
}

async fn iterator(world: &World, arn: &str, more: Json) -> String {
    let described = world.ok("DescribeStream", json!({"StreamArn": arn})).await;
    let shard = &described["StreamDescription"]["Shards"][0]["ShardId"];
    let input = with(json!({"StreamArn": arn, "ShardId": shard}), more);
    world.ok("GetShardIterator", input).await["ShardIterator"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn records(world: &World, arn: &str) -> Vec<Json> {
    let iterator = iterator(world, arn, json!({"ShardIteratorType": "TRIM_HORIZON"})).await;
    let answer = world
        .ok("GetRecords", json!({"ShardIterator": iterator}))
        .await;
    answer["Records"].as_array().unwrap().clone()
}

async fn change(world: &World) {
    world.put(with(key("a", 1), json!({"n": {"N": "1"}}))).await;
    world.put(with(key("a", 1), json!({"n": {"N": "2"}}))).await;
    world.put(with(key("a", 1), json!({"n": {"N": "2"}}))).await;
    world
        .ok(
            "DeleteItem",
            json!({"TableName": "test", "Key": key("a", 1)}),
        )
        .await;
    world
        .ok(
            "DeleteItem",
            json!({"TableName": "test", "Key": key("a", 1)}),
        )
        .await;
}

#[tokio::test]
async fn a_stream_tells_of_every_change_as_its_view_shows_it() {
    for (view, new, old) in [
        ("KEYS_ONLY", false, false),
        ("NEW_IMAGE", true, false),
        ("OLD_IMAGE", false, true),
        ("NEW_AND_OLD_IMAGES", true, true),
    ] {
        let (world, arn) = with_stream(view).await;
        change(&world).await;
        let records = records(&world, &arn).await;
        let events: Vec<_> = records
            .iter()
            .map(|record| record["eventName"].as_str().unwrap())
            .collect();
        assert_eq!(
            events,
            ["INSERT", "MODIFY", "REMOVE"],
            "what changes nothing is no event"
        );
        let modify = &records[1]["dynamodb"];
        assert_eq!(modify["Keys"], key("a", 1));
        assert_eq!(
            modify["NewImage"]["n"],
            if new { json!({"N": "2"}) } else { json!(null) }
        );
        assert_eq!(
            modify["OldImage"]["n"],
            if old { json!({"N": "1"}) } else { json!(null) }
        );
        assert_eq!(modify["StreamViewType"], view);
        assert_eq!(records[1]["eventSource"], "aws:dynamodb");
        assert!(records[2]["dynamodb"].get("NewImage").is_none());
    }
}

#[tokio::test]
async fn iterators_begin_where_they_are_told() {
    let (world, arn) = with_stream("KEYS_ONLY").await;
    change(&world).await;
    let all = records(&world, &arn).await;
    let second = all[1]["dynamodb"]["SequenceNumber"].clone();
    for (more, count) in [
        (
            json!({"ShardIteratorType": "AT_SEQUENCE_NUMBER", "SequenceNumber": second}),
            2,
        ),
        (
            json!({"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": second}),
            1,
        ),
        (json!({"ShardIteratorType": "LATEST"}), 0),
    ] {
        let start = iterator(&world, &arn, more.clone()).await;
        let answer = world
            .ok("GetRecords", json!({"ShardIterator": start}))
            .await;
        assert_eq!(answer["Records"].as_array().unwrap().len(), count, "{more}");
    }
    let latest = iterator(&world, &arn, json!({"ShardIteratorType": "LATEST"})).await;
    let empty = world
        .ok("GetRecords", json!({"ShardIterator": latest}))
        .await;
    change(&world).await;
    let mut next = empty["NextShardIterator"].clone();
    for event in ["INSERT", "MODIFY", "REMOVE"] {
        let answer = world
            .ok("GetRecords", json!({"ShardIterator": next, "Limit": 1}))
            .await;
        assert_eq!(answer["Records"].as_array().unwrap().len(), 1);
        assert_eq!(answer["Records"][0]["eventName"], event);
        next = answer["NextShardIterator"].clone();
    }
    world.advance(16 * 60);
    let old = iterator(&world, &arn, json!({"ShardIteratorType": "TRIM_HORIZON"})).await;
    world.advance(16 * 60);
    let (code, _) = world
        .refused("GetRecords", json!({"ShardIterator": old}))
        .await;
    assert_eq!(code, "ExpiredIteratorException");
}

#[tokio::test]
async fn pages_are_bounded() {
    let (world, arn) = with_stream("KEYS_ONLY").await;
    let start = iterator(&world, &arn, json!({"ShardIteratorType": "LATEST"})).await;
    for (operation, input, most) in [
        ("GetRecords", json!({"ShardIterator": start}), 1000),
        ("DescribeStream", json!({"StreamArn": arn}), 100),
        ("ListStreams", json!({}), 100),
    ] {
        world
            .ok(operation, with(input.clone(), json!({"Limit": most})))
            .await;
        let more = with(input, json!({"Limit": most + 1}));
        assert_eq!(
            world.invalid(operation, more).await,
            format!(
                "1 validation error detected: Value '{}' at 'limit' failed to satisfy constraint: \
                 Member must have value less than or equal to {most}",
                most + 1
            )
        );
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_table_and_can_be_read_for_a_day() {
    let (world, arn) = with_stream("KEYS_ONLY").await;
    change(&world).await;
    world.ok("DeleteTable", json!({"TableName": "test"})).await;
    let described = world.ok("DescribeStream", json!({"StreamArn": arn})).await;
    let description = &described["StreamDescription"];
    assert_eq!(description["StreamStatus"], "DISABLED");
    let range = &description["Shards"][0]["SequenceNumberRange"];
    assert!(range["EndingSequenceNumber"].as_str() > range["StartingSequenceNumber"].as_str());
    let start = iterator(&world, &arn, json!({"ShardIteratorType": "TRIM_HORIZON"})).await;
    let answer = world
        .ok("GetRecords", json!({"ShardIterator": start}))
        .await;
    assert_eq!(answer["Records"].as_array().unwrap().len(), 3);
    assert!(answer.get("NextShardIterator").is_none());
    let listed = world.ok("ListStreams", json!({"TableName": "test"})).await;
    assert_eq!(listed["Streams"][0]["StreamArn"], arn);
}

#[tokio::test]
async fn streams_of_others_are_closed() {
    let (mut world, arn) = with_stream("KEYS_ONLY").await;
    let start = iterator(&world, &arn, json!({"ShardIteratorType": "TRIM_HORIZON"})).await;
    world.account = "123456789012".parse().unwrap();
    for (operation, input) in [
        ("DescribeStream", json!({"StreamArn": arn})),
        ("GetRecords", json!({"ShardIterator": start})),
    ] {
        assert_eq!(
            world.refused(operation, input).await.0,
            "AccessDeniedException"
        );
    }
    assert_eq!(
        world.ok("ListStreams", json!({})).await["Streams"],
        json!([])
    );
}

#[tokio::test]
async fn a_stream_can_be_replaced_by_another() {
    let (world, arn) = with_stream("KEYS_ONLY").await;
    let set = |specification| json!({"TableName": "test", "StreamSpecification": specification});
    let on = json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"});
    assert_eq!(
        world.refused("UpdateTable", set(on.clone())).await.0,
        "ResourceInUseException"
    );
    world
        .ok("UpdateTable", set(json!({"StreamEnabled": false})))
        .await;
    world.put(key("a", 1)).await;
    world.advance(1);
    let table = world.ok("UpdateTable", set(on)).await["TableDescription"].clone();
    assert_ne!(table["LatestStreamArn"], arn);
    world.put(key("a", 2)).await;
    let new = records(&world, table["LatestStreamArn"].as_str().unwrap()).await;
    assert_eq!(new.len(), 1);
    assert_eq!(records(&world, &arn).await.len(), 0);
    assert_eq!(
        world.ok("ListStreams", json!({})).await["Streams"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
}

#[tokio::test]
async fn readers_are_woken_by_new_records() {
    let (world, arn) = with_stream("KEYS_ONLY").await;
    let start = iterator(&world, &arn, json!({"ShardIteratorType": "LATEST"})).await;
    let mut changed = world.dynamodb.changed(&arn.parse().unwrap());
    let early = tokio::select! {
        biased;
        () = &mut changed => true,
        () = tokio::task::yield_now() => false,
    };
    assert!(!early);
    world.put(key("a", 1)).await;
    changed.await;
    let answer = world
        .ok("GetRecords", json!({"ShardIterator": start}))
        .await;
    assert_eq!(answer["Records"].as_array().unwrap().len(), 1);
}
