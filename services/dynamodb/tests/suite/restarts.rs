//! What is there after a restart.

use crate::support::{World, json, key, until, with};

#[tokio::test]
async fn state_survives_a_restart() {
    let world = World::start().await;
    world
        .table(json!({
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"},
            "Tags": [{"Key": "k", "Value": "v"}],
        }))
        .await;
    world.ok("UpdateTimeToLive", json!({
        "TableName": "test", "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "ttl"},
    })).await;
    let at = world.clock.clock().now().seconds() + 100;
    world
        .put(with(key("a", 1), json!({"ttl": {"N": at.to_string()}})))
        .await;
    world.put(key("a", 2)).await;
    let before = world
        .ok("DescribeTable", json!({"TableName": "test"}))
        .await;
    let world = world.restart().await;
    assert_eq!(
        world
            .ok("DescribeTable", json!({"TableName": "test"}))
            .await,
        before
    );
    assert_eq!(before["Table"]["ItemCount"], 2);
    let arn = before["Table"]["LatestStreamArn"].clone();
    let shards = world.ok("DescribeStream", json!({"StreamArn": arn})).await;
    let start = world
        .ok(
            "GetShardIterator",
            json!({
                "StreamArn": arn, "ShardIteratorType": "TRIM_HORIZON",
                "ShardId": shards["StreamDescription"]["Shards"][0]["ShardId"],
            }),
        )
        .await;
    world.put(key("a", 3)).await;
    let answer = world
        .ok(
            "GetRecords",
            json!({"ShardIterator": start["ShardIterator"]}),
        )
        .await;
    let keys: Vec<_> = answer["Records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["dynamodb"]["Keys"]["sk"]["N"].clone())
        .collect();
    assert_eq!(keys, ["1", "2", "3"]);
    world.advance(200);
    until(|| async { world.get("a", 1).await.is_null() }).await;
}

#[tokio::test]
async fn a_backfill_goes_on_after_a_restart() {
    let world = World::start().await;
    world.table(json!({})).await;
    for sk in 0..150 {
        world
            .put(with(key("a", sk), json!({"g": {"S": "x"}})))
            .await;
    }
    world
        .ok(
            "UpdateTable",
            json!({
                "TableName": "test",
                "AttributeDefinitions": [{"AttributeName": "g", "AttributeType": "S"}],
                "GlobalSecondaryIndexUpdates": [{"Create": {
                    "IndexName": "late", "Projection": {"ProjectionType": "ALL"},
                    "KeySchema": [{"AttributeName": "g", "KeyType": "HASH"}],
                }}],
            }),
        )
        .await;
    let world = world.restart().await;
    world.index_filled().await;
    assert_eq!(
        world
            .scan(json!({"IndexName": "late", "Select": "COUNT"}))
            .await["Count"],
        150
    );
}
