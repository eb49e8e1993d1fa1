//! Secondary indexes: kept with the items, created and deleted later.

use crate::support::{Json, World, json, key, range_keys, with};

fn index(name: &str, hash: &str, range: Option<&str>, projection: Json) -> Json {
    let mut keys = vec![json!({"AttributeName": hash, "KeyType": "HASH"})];
    keys.extend(range.map(|range| json!({"AttributeName": range, "KeyType": "RANGE"})));
    json!({"IndexName": name, "KeySchema": keys, "Projection": projection})
}

async fn with_indexes() -> World {
    let world = World::start().await;
    world
        .table(json!({
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
                {"AttributeName": "g", "AttributeType": "S"},
            ],
            "GlobalSecondaryIndexes": [
                index("global", "g", Some("sk"), json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": ["n"]})),
            ],
            "LocalSecondaryIndexes": [
                index("local", "pk", Some("g"), json!({"ProjectionType": "KEYS_ONLY"})),
            ],
        }))
        .await;
    world
}

fn by_g(g: &str, more: Json) -> Json {
    with(
        json!({
            "IndexName": "global", "KeyConditionExpression": "g = :g",
            "ExpressionAttributeValues": {":g": {"S": g}},
        }),
        more,
    )
}

#[tokio::test]
async fn an_index_follows_its_items() {
    let world = with_indexes().await;
    for sk in 0..4 {
        let more = json!({"g": {"S": "x"}, "n": {"N": "1"}, "other": {"S": "o"}});
        world.put(with(key("a", sk), more)).await;
    }
    world.put(key("a", 9)).await;
    let found = world.query(by_g("x", json!({}))).await;
    assert_eq!(range_keys(&found), [0, 1, 2, 3]);
    assert_eq!(
        found["Items"][0],
        with(key("a", 0), json!({"g": {"S": "x"}, "n": {"N": "1"}}))
    );
    let change = |expression| json!({"UpdateExpression": expression, "ExpressionAttributeValues": {":y": {"S": "y"}}});
    world.update("a", 1, change("SET g = :y")).await;
    world
        .update("a", 2, json!({"UpdateExpression": "REMOVE g"}))
        .await;
    world
        .ok(
            "DeleteItem",
            json!({"TableName": "test", "Key": key("a", 3)}),
        )
        .await;
    assert_eq!(range_keys(&world.query(by_g("x", json!({}))).await), [0]);
    assert_eq!(range_keys(&world.query(by_g("y", json!({}))).await), [1]);
    let table = world
        .ok("DescribeTable", json!({"TableName": "test"}))
        .await["Table"]
        .clone();
    assert_eq!(table["GlobalSecondaryIndexes"][0]["ItemCount"], 2);
    assert_eq!(table["LocalSecondaryIndexes"][0]["ItemCount"], 2);
    assert_eq!(table["ItemCount"], 4);
}

#[tokio::test]
async fn a_local_index_reads_the_rest_from_the_table() {
    let world = with_indexes().await;
    world
        .put(with(
            key("a", 1),
            json!({"g": {"S": "x"}, "other": {"S": "o"}}),
        ))
        .await;
    let local = |more| {
        with(
            json!({
                "IndexName": "local", "KeyConditionExpression": "pk = :a AND begins_with(g, :x)",
                "ExpressionAttributeValues": {":a": {"S": "a"}, ":x": {"S": "x"}},
                "ReturnConsumedCapacity": "INDEXES", "ConsistentRead": true,
            }),
            more,
        )
    };
    let found = world.query(local(json!({}))).await;
    assert_eq!(
        found["Items"][0],
        with(key("a", 1), json!({"g": {"S": "x"}}))
    );
    assert_eq!(
        found["ConsumedCapacity"]["LocalSecondaryIndexes"]["local"]["CapacityUnits"],
        1.0
    );
    let found = world
        .query(local(json!({"Select": "ALL_ATTRIBUTES"})))
        .await;
    assert_eq!(found["Items"][0]["other"], json!({"S": "o"}));
    assert_eq!(found["ConsumedCapacity"]["CapacityUnits"], 2.0);
}

#[tokio::test]
async fn pages_of_an_index_join_up_where_keys_are_equal() {
    let world = with_indexes().await;
    for pk in ["a", "b", "c", "d", "e"] {
        world.put(with(key(pk, 7), json!({"g": {"S": "x"}}))).await;
    }
    let mut found = Vec::new();
    let mut start = None;
    loop {
        let more = start.take().map_or(
            json!({"Limit": 2}),
            |start: Json| json!({"Limit": 2, "ExclusiveStartKey": start}),
        );
        let page = world.query(by_g("x", more)).await;
        found.extend(
            page["Items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["pk"]["S"].as_str().unwrap().to_owned()),
        );
        match page.get("LastEvaluatedKey") {
            Some(key) => {
                assert_eq!(key.as_object().unwrap().len(), 3, "{key}");
                start = Some(key.clone());
            }
            None => break,
        }
    }
    assert_eq!(found, ["a", "b", "c", "d", "e"]);
    assert_eq!(world.scan(json!({"IndexName": "global"})).await["Count"], 5);
}

#[tokio::test]
async fn what_an_index_cannot_do_is_refused_in_aws_words() {
    let world = with_indexes().await;
    let query = |more| with(json!({"TableName": "test"}), by_g("x", more));
    for (more, message) in [
        (
            json!({"ConsistentRead": true}),
            "Consistent reads are not supported on global secondary indexes",
        ),
        (
            json!({"Select": "ALL_ATTRIBUTES"}),
            "One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index global because its projection type is not ALL",
        ),
        (
            json!({"ProjectionExpression": "elsewhere"}),
            "One or more parameter values were invalid: Global secondary index global does not project [elsewhere]",
        ),
    ] {
        assert_eq!(world.invalid("Query", query(more)).await, message);
    }
    let put = |g: Json| json!({"TableName": "test", "Item": with(key("a", 1), json!({"g": g}))});
    assert_eq!(
        world.invalid("PutItem", put(json!({"N": "1"}))).await,
        "One or more parameter values were invalid: Type mismatch for Index Key g Expected: S Actual: N IndexName: global"
    );
    assert_eq!(
        world.invalid("PutItem", put(json!({"S": ""}))).await,
        "One or more parameter values are not valid. A value specified for a secondary index key is not supported. The AttributeValue for a key attribute cannot contain an empty string value. IndexName: global, IndexKey: g"
    );
}

#[tokio::test]
async fn an_index_can_be_added_and_taken_away_later() {
    let world = World::start().await;
    world.table(json!({})).await;
    for sk in 0..250 {
        world
            .put(with(key("a", sk), json!({"g": {"S": "x"}})))
            .await;
    }
    let create = index("late", "g", None, json!({"ProjectionType": "KEYS_ONLY"}));
    let updated = world
        .ok(
            "UpdateTable",
            json!({
                "TableName": "test",
                "AttributeDefinitions": [{"AttributeName": "g", "AttributeType": "S"}],
                "GlobalSecondaryIndexUpdates": [{"Create": create}],
            }),
        )
        .await;
    let index = &updated["TableDescription"]["GlobalSecondaryIndexes"][0];
    assert_eq!(
        (&index["IndexStatus"], &index["Backfilling"]),
        (&json!("CREATING"), &json!(true))
    );
    // Written while the index is being filled.
    world.put(with(key("b", 1), json!({"g": {"S": "x"}}))).await;
    let describe = || world.ok("DescribeTable", json!({"TableName": "test"}));
    world.index_filled().await;
    let all = json!({
        "IndexName": "late", "KeyConditionExpression": "g = :x", "Select": "COUNT",
        "ExpressionAttributeValues": {":x": {"S": "x"}},
    });
    assert_eq!(world.query(all.clone()).await["Count"], 251);
    assert_eq!(
        describe().await["Table"]["GlobalSecondaryIndexes"][0]["ItemCount"],
        251
    );
    let delete = json!({"TableName": "test", "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "late"}}]});
    world.ok("UpdateTable", delete.clone()).await;
    assert!(
        describe().await["Table"]
            .get("GlobalSecondaryIndexes")
            .is_none()
    );
    assert_eq!(
        world
            .invalid("Query", with(json!({"TableName": "test"}), all))
            .await,
        "The table does not have the specified index: late"
    );
    assert_eq!(
        world.refused("UpdateTable", delete).await.0,
        "ResourceNotFoundException"
    );
}
