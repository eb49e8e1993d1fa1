//! TransactWriteItems and TransactGetItems.

use std::sync::Arc;

use crate::support::{Json, World, json, key, with};

fn put(pk: &str, sk: i64) -> Json {
    json!({"Put": {"TableName": "test", "Item": key(pk, sk)}})
}

fn transaction(items: Json) -> Json {
    json!({"TransactItems": items})
}

#[tokio::test]
async fn all_is_written_or_nothing() {
    let world = World::start().await;
    world.table(json!({})).await;
    world.put(with(key("a", 1), json!({"n": {"N": "1"}}))).await;
    let check = |n: &str| {
        json!({"ConditionCheck": {
            "TableName": "test", "Key": key("a", 1), "ConditionExpression": "n = :n",
            "ExpressionAttributeValues": {":n": {"N": n}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }})
    };
    let error = world
        .call(
            "TransactWriteItems",
            transaction(json!([put("a", 2), check("2"), put("a", 3)])),
        )
        .await
        .unwrap_err();
    assert_eq!(error.code, "TransactionCanceledException");
    assert_eq!(
        error.message,
        "Transaction cancelled, please refer cancellation reasons for specific reasons [None, ConditionalCheckFailed, None]"
    );
    let (_, reasons) = &error.members[0];
    let reason = &reasons.as_list().unwrap()[1];
    assert_eq!(
        reason.get("Message").unwrap().as_str(),
        Some("The conditional request failed")
    );
    assert!(reason.get("Item").is_some());
    assert!(world.get("a", 2).await.is_null());
    let update = json!({"Update": {
        "TableName": "test", "Key": key("a", 4), "UpdateExpression": "SET n = :n",
        "ExpressionAttributeValues": {":n": {"N": "5"}},
    }});
    let written = world
        .ok(
            "TransactWriteItems",
            with(
                transaction(json!([put("a", 2), check("1"), update])),
                json!({"ReturnConsumedCapacity": "TOTAL"}),
            ),
        )
        .await;
    assert_eq!(
        written["ConsumedCapacity"],
        json!([{"TableName": "test", "CapacityUnits": 6.0, "WriteCapacityUnits": 6.0}])
    );
    let get = |sk| json!({"Get": {"TableName": "test", "Key": key("a", sk)}});
    let read = world
        .ok(
            "TransactGetItems",
            transaction(json!([get(2), get(3), get(4)])),
        )
        .await;
    assert_eq!(read["Responses"][0]["Item"], key("a", 2));
    assert_eq!(read["Responses"][1], json!({}));
    assert_eq!(read["Responses"][2]["Item"]["n"], json!({"N": "5"}));
}

#[tokio::test]
async fn a_token_means_one_transaction_for_ten_minutes() {
    let world = World::start().await;
    world.table(json!({})).await;
    let add = |amount: &str| {
        json!({"ClientRequestToken": "token", "TransactItems": [{"Update": {
            "TableName": "test", "Key": key("a", 1), "UpdateExpression": "ADD n :n",
            "ExpressionAttributeValues": {":n": {"N": amount}},
        }}]})
    };
    world.ok("TransactWriteItems", add("1")).await;
    world.ok("TransactWriteItems", add("1")).await;
    assert_eq!(world.get("a", 1).await["n"], json!({"N": "1"}));
    let (code, _) = world.refused("TransactWriteItems", add("2")).await;
    assert_eq!(code, "IdempotentParameterMismatchException");
    let again = with(add("1"), json!({"ReturnConsumedCapacity": "TOTAL"}));
    let consumed = &world.ok("TransactWriteItems", again).await["ConsumedCapacity"][0];
    assert_eq!(consumed["ReadCapacityUnits"], 2.0, "it only reads");
    assert!(consumed.get("WriteCapacityUnits").is_none());
    world.advance(600);
    world.ok("TransactWriteItems", add("2")).await;
    assert_eq!(world.get("a", 1).await["n"], json!({"N": "3"}));
}

#[tokio::test]
async fn transactions_are_refused_in_aws_words() {
    let world = World::start().await;
    world.table(json!({})).await;
    for (items, message) in [
        (
            json!([put("a", 1), put("a", 1)]),
            "Transaction request cannot include multiple operations on one item",
        ),
        (
            json!([{}]),
            "TransactItems can only contain one of Check, Put, Update or Delete",
        ),
        (
            json!([{"Delete": {"TableName": "test", "Key": {"pk": {"S": ""}, "sk": {"N": "1"}}}}]),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk",
        ),
    ] {
        assert_eq!(
            world
                .invalid("TransactWriteItems", transaction(items))
                .await,
            message
        );
    }
    let wrong = json!([put("a", 1), {"Put": {"TableName": "test", "Item": {"pk": {"S": "a"}}}}]);
    let (code, message) = world
        .refused("TransactWriteItems", transaction(wrong))
        .await;
    assert_eq!(code, "TransactionCanceledException");
    assert!(message.ends_with("[None, ValidationError]"), "{message}");
    let missing = json!([{"Put": {"TableName": "missing", "Item": key("a", 1)}}]);
    let (code, _) = world
        .refused("TransactWriteItems", transaction(missing))
        .await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(world.scan(json!({})).await["Count"], 0);
}

/// Money moves between accounts; whatever is refused for a conflict moved nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_transfers_keep_the_sum() {
    let world = Arc::new(World::start().await);
    world.table(json!({})).await;
    for sk in 0..4 {
        world
            .put(with(key("a", sk), json!({"n": {"N": "100"}})))
            .await;
    }
    let clients: Vec<_> = (0..8_i64)
        .map(|client| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let mut moved = 0;
                for round in 0..20 {
                    let (from, to) = ((client + round) % 4, (client + round + 1) % 4);
                    let add = |sk: i64, amount: &str| {
                        json!({"Update": {
                            "TableName": "test", "Key": key("a", sk), "UpdateExpression": "ADD n :n",
                            "ExpressionAttributeValues": {":n": {"N": amount}},
                        }})
                    };
                    let input = transaction(json!([add(from, "-1"), add(to, "1")]));
                    match world.call("TransactWriteItems", input).await {
                        Ok(_) => moved += 1,
                        Err(error) => {
                            assert_eq!(error.code, "TransactionCanceledException");
                            assert!(error.message.contains("TransactionConflict"), "{}", error.message);
                        }
                    }
                }
                moved
            })
        })
        .collect();
    let mut moved = 0;
    for client in clients {
        moved += client.await.unwrap();
    }
    assert!(moved > 0);
    let items = world.scan(json!({})).await["Items"].clone();
    let sum: i64 = items
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["n"]["N"].as_str().unwrap().parse::<i64>().unwrap())
        .sum();
    assert_eq!(sum, 400);
}
