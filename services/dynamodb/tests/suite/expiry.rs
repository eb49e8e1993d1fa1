//! Time to live.

use crate::support::{Json, World, json, key, until, with};

fn expires(world: &World, seconds: i64) -> Json {
    let at = world.clock.clock().now().seconds() + seconds;
    json!({"ttl": {"N": at.to_string()}})
}

async fn enable(world: &World) {
    let specification = json!({"Enabled": true, "AttributeName": "ttl"});
    let input = json!({"TableName": "test", "TimeToLiveSpecification": specification});
    world.ok("UpdateTimeToLive", input).await;
}

#[tokio::test]
async fn items_are_removed_when_their_time_has_come() {
    let world = World::start().await;
    let specification = json!({"StreamEnabled": true, "StreamViewType": "OLD_IMAGE"});
    world
        .table(json!({"StreamSpecification": specification}))
        .await;
    world.put(with(key("before", 1), expires(&world, 50))).await;
    enable(&world).await;
    world.put(with(key("soon", 1), expires(&world, 100))).await;
    world
        .put(with(key("later", 1), expires(&world, 1_000)))
        .await;
    world
        .put(with(key("never", 1), json!({"ttl": {"S": "1"}})))
        .await;
    let long_ago = -6 * 365 * 86_400;
    world
        .put(with(key("mistake", 1), expires(&world, long_ago)))
        .await;
    world.advance(60);
    until(|| async { world.get("before", 1).await.is_null() }).await;
    assert!(!world.get("soon", 1).await.is_null());
    world
        .update(
            "soon",
            1,
            json!({
                "UpdateExpression": "SET #t = :t", "ExpressionAttributeNames": {"#t": "ttl"},
                "ExpressionAttributeValues": {":t": expires(&world, 500)["ttl"]},
            }),
        )
        .await;
    world.advance(100);
    world.put(with(key("now", 1), expires(&world, 0))).await;
    until(|| async { world.get("now", 1).await.is_null() }).await;
    assert!(!world.get("soon", 1).await.is_null(), "its time was moved");
    world.advance(10_000);
    until(|| async { world.get("later", 1).await.is_null() }).await;
    assert_eq!(world.scan(json!({"Select": "COUNT"})).await["Count"], 2);

    let arn = world.ok("ListStreams", json!({})).await["Streams"][0]["StreamArn"].clone();
    let shard = world.ok("DescribeStream", json!({"StreamArn": arn})).await;
    let start = world
        .ok(
            "GetShardIterator",
            json!({
                "StreamArn": arn, "ShardIteratorType": "TRIM_HORIZON",
                "ShardId": shard["StreamDescription"]["Shards"][0]["ShardId"],
            }),
        )
        .await;
    let answer = world
        .ok(
            "GetRecords",
            json!({"ShardIterator": start["ShardIterator"]}),
        )
        .await;
    let removed: Vec<_> = answer["Records"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|record| record["eventName"] == "REMOVE")
        .collect();
    assert_eq!(removed.len(), 4);
    for record in removed {
        let service = json!({"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"});
        assert_eq!(record["userIdentity"], service);
    }
}

#[tokio::test]
async fn settings_are_described_and_refused_in_aws_words() {
    let world = World::start().await;
    world.table(json!({})).await;
    let name = json!({"TableName": "test"});
    let describe = || world.ok("DescribeTimeToLive", json!({"TableName": "test"}));
    assert_eq!(
        describe().await["TimeToLiveDescription"],
        json!({"TimeToLiveStatus": "DISABLED"})
    );
    let set = |enabled: bool, attribute: &str| {
        with(
            name.clone(),
            json!({"TimeToLiveSpecification": {"Enabled": enabled, "AttributeName": attribute}}),
        )
    };
    assert_eq!(
        world.invalid("UpdateTimeToLive", set(false, "ttl")).await,
        "TimeToLive is already disabled"
    );
    enable(&world).await;
    assert_eq!(
        describe().await["TimeToLiveDescription"],
        json!({"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"})
    );
    assert_eq!(
        world.invalid("UpdateTimeToLive", set(true, "ttl")).await,
        "TimeToLive is already enabled"
    );
    assert_eq!(
        world.invalid("UpdateTimeToLive", set(false, "other")).await,
        "TimeToLive is active on a different AttributeName: current AttributeName is ttl"
    );
    world.ok("UpdateTimeToLive", set(false, "ttl")).await;
    world.put(with(key("a", 1), expires(&world, 1))).await;
    world.advance(100);
    assert!(!world.get("a", 1).await.is_null());
}
