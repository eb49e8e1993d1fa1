//! Capacity that is enforced, and what is not answered yet.

use crate::support::{World, json, key};

#[tokio::test]
async fn requests_beyond_the_capacity_are_refused_where_the_server_says_so() {
    let world = World::throttling().await;
    let units = json!({"ReadCapacityUnits": 1, "WriteCapacityUnits": 2});
    world
        .table(json!({"BillingMode": "PROVISIONED", "ProvisionedThroughput": units}))
        .await;
    world.put(key("a", 1)).await;
    world.put(key("a", 2)).await;
    let put = json!({"TableName": "test", "Item": key("a", 3)});
    assert_eq!(
        world.refused("PutItem", put.clone()).await.0,
        "ProvisionedThroughputExceededException"
    );
    let batch = json!({"RequestItems": {"test": [{"PutRequest": {"Item": key("a", 3)}}]}});
    let left = world.ok("BatchWriteItem", batch.clone()).await;
    assert_eq!(left["UnprocessedItems"], batch["RequestItems"]);
    let transaction = json!({"TransactItems": [{"Put": put}]});
    let (code, message) = world.refused("TransactWriteItems", transaction).await;
    assert_eq!(code, "TransactionCanceledException");
    assert!(
        message.ends_with("[ProvisionedThroughputExceeded]"),
        "{message}"
    );
    assert!(world.get("a", 3).await.is_null());
    let read = json!({"TableName": "test", "Key": key("a", 1), "ConsistentRead": true});
    world.ok("GetItem", read.clone()).await;
    assert_eq!(
        world.refused("GetItem", read).await.0,
        "ProvisionedThroughputExceededException"
    );
    world.advance(5);
    world.put(key("a", 3)).await;
    assert!(!world.get("a", 3).await.is_null());
}
