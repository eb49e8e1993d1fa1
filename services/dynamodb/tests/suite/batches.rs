//! BatchGetItem and BatchWriteItem.

use crate::support::{World, json, key};

#[tokio::test]
async fn batches_write_and_read_many_items_of_many_tables() {
    let world = World::start().await;
    world.table(json!({})).await;
    world.table(json!({"TableName": "other"})).await;
    world.put(key("gone", 1)).await;
    let puts: Vec<_> = (0..10)
        .map(|sk| json!({"PutRequest": {"Item": key("a", sk)}}))
        .collect();
    let mut in_test = puts.clone();
    in_test.push(json!({"DeleteRequest": {"Key": key("gone", 1)}}));
    let written = world
        .ok(
            "BatchWriteItem",
            json!({
                "RequestItems": {"test": in_test, "other": puts}, "ReturnConsumedCapacity": "TOTAL",
            }),
        )
        .await;
    assert_eq!(written["UnprocessedItems"], json!({}));
    assert_eq!(
        written["ConsumedCapacity"][0],
        json!({"TableName": "other", "CapacityUnits": 10.0})
    );
    let keys: Vec<_> = (5..15).map(|sk| key("a", sk)).collect();
    let read = world
        .ok("BatchGetItem", json!({"RequestItems": {
            "test": {"Keys": keys}, "other": {"Keys": [key("a", 1)], "ProjectionExpression": "sk"},
        }}))
        .await;
    assert_eq!(read["Responses"]["test"].as_array().unwrap().len(), 5);
    assert_eq!(read["Responses"]["other"], json!([{"sk": {"N": "1"}}]));
    assert_eq!(read["UnprocessedKeys"], json!({}));
    assert!(world.get("gone", 1).await.is_null());
}

#[tokio::test]
async fn what_is_too_much_is_left_for_later() {
    let world = World::start().await;
    world.table(json!({})).await;
    for sk in 0..50 {
        let mut item = key("a", sk);
        item["v"] = json!({"S": "x".repeat(390 * 1024)});
        world.put(item).await;
    }
    let keys: Vec<_> = (0..50).map(|sk| key("a", sk)).collect();
    let read = world
        .ok(
            "BatchGetItem",
            json!({"RequestItems": {"test": {"Keys": keys}}}),
        )
        .await;
    let (got, left) = (
        &read["Responses"]["test"],
        &read["UnprocessedKeys"]["test"]["Keys"],
    );
    let (got, left) = (
        got.as_array().unwrap().len(),
        left.as_array().unwrap().len(),
    );
    assert_eq!((got, left), (42, 8));
}

#[tokio::test]
async fn batches_are_refused_in_aws_words() {
    let world = World::start().await;
    world.table(json!({})).await;
    let put = json!({"PutRequest": {"Item": key("a", 1)}});
    let write = |requests| json!({"RequestItems": {"test": requests}});
    assert_eq!(
        world
            .invalid(
                "BatchWriteItem",
                write(json!([put, {"DeleteRequest": {"Key": key("a", 1)}}]))
            )
            .await,
        "Provided list of item keys contains duplicates"
    );
    let get = json!({"RequestItems": {"test": {"Keys": [key("a", 1), key("a", 1)]}}});
    assert_eq!(
        world.invalid("BatchGetItem", get).await,
        "Provided list of item keys contains duplicates"
    );
    let missing = json!({"RequestItems": {"missing": [put]}});
    assert_eq!(
        world.refused("BatchWriteItem", missing).await.0,
        "ResourceNotFoundException"
    );
    assert!(world.get("a", 1).await.is_null());
}
