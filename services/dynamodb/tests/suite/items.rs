//! PutItem, GetItem, UpdateItem and DeleteItem.

use crate::support::{World, json, key, with};

#[tokio::test]
async fn items_come_back_as_they_were_put() {
    let world = World::start().await;
    world.table(json!({})).await;
    let item = json!({
        "pk": {"S": "a"}, "sk": {"N": "1.50"}, "b": {"B": "b!raw"}, "yes": {"BOOL": true},
        "null": {"NULL": true}, "empty": {"S": ""},
        "m": {"M": {"l": {"L": [{"N": "12345678901234567890123456789012345678"}, {"S": "x"}]}}},
        "ss": {"SS": ["b", "a"]}, "ns": {"NS": ["2", "1e1"]}, "bs": {"BS": ["b!2", "b!1"]},
    });
    world.put(item).await;
    let input = json!({"TableName": "test", "Key": {"pk": {"S": "a"}, "sk": {"N": "15e-1"}}});
    let found = world.ok("GetItem", input.clone()).await["Item"].clone();
    assert_eq!(found["sk"], json!({"N": "1.5"}));
    assert_eq!(
        found["m"]["M"]["l"]["L"][0]["N"],
        "12345678901234567890123456789012345678"
    );
    assert_eq!(found["ns"], json!({"NS": ["2", "10"]}));
    assert_eq!(found["b"], json!({"B": "b!raw"}));
    assert_eq!(found["empty"], json!({"S": ""}));
    let part = with(
        input,
        json!({"ProjectionExpression": "m.l[1], ss, nothing"}),
    );
    assert_eq!(
        world.ok("GetItem", part).await["Item"],
        json!({"m": {"M": {"l": {"L": [{"S": "x"}]}}}, "ss": {"SS": ["a", "b"]}})
    );
}

#[tokio::test]
async fn conditions_guard_writes_and_show_the_item_if_asked() {
    let world = World::start().await;
    world.table(json!({})).await;
    world.put(with(key("a", 1), json!({"n": {"N": "1"}}))).await;
    let again = json!({
        "TableName": "test", "Item": key("a", 1),
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    });
    let error = world.call("PutItem", again).await.unwrap_err();
    assert_eq!(error.code, "ConditionalCheckFailedException");
    assert_eq!(error.message, "The conditional request failed");
    assert!(error.members.iter().any(|(name, _)| *name == "Item"));
    let delete = |n: &str| {
        json!({
            "TableName": "test", "Key": key("a", 1), "ConditionExpression": "n = :n",
            "ExpressionAttributeValues": {":n": {"N": n}}, "ReturnValues": "ALL_OLD",
        })
    };
    let (code, _) = world.refused("DeleteItem", delete("2")).await;
    assert_eq!(code, "ConditionalCheckFailedException");
    assert_eq!(
        world.ok("DeleteItem", delete("1")).await["Attributes"]["n"],
        json!({"N": "1"})
    );
    assert!(world.get("a", 1).await.is_null());
}

#[tokio::test]
async fn updates_return_what_is_asked_for() {
    let world = World::start().await;
    world.table(json!({})).await;
    let set = |returned: &str| {
        json!({
            "UpdateExpression": "SET c = if_not_exists(c, :zero) + :one, d = :zero REMOVE e",
            "ExpressionAttributeValues": {":zero": {"N": "0"}, ":one": {"N": "1"}},
            "ReturnValues": returned,
        })
    };
    let new = world.update("a", 1, set("ALL_NEW")).await;
    assert_eq!(
        new["Attributes"],
        with(key("a", 1), json!({"c": {"N": "1"}, "d": {"N": "0"}}))
    );
    let new = world.update("a", 1, set("UPDATED_NEW")).await;
    assert_eq!(new["Attributes"], json!({"c": {"N": "2"}, "d": {"N": "0"}}));
    let old = world.update("a", 1, set("UPDATED_OLD")).await;
    assert_eq!(old["Attributes"], json!({"c": {"N": "2"}, "d": {"N": "0"}}));
    let old = world.update("a", 1, set("ALL_OLD")).await;
    assert_eq!(old["Attributes"]["c"], json!({"N": "3"}));
    assert!(
        world
            .update("a", 1, set("NONE"))
            .await
            .get("Attributes")
            .is_none()
    );
}

#[tokio::test]
async fn writes_are_refused_in_aws_words() {
    let world = World::start().await;
    world.table(json!({})).await;
    let long = "x".repeat(2049);
    let item = |item| json!({"TableName": "test", "Item": item});
    for (input, message) in [
        (
            item(json!({"sk": {"N": "1"}})),
            "One or more parameter values were invalid: Missing the key pk in the item",
        ),
        (
            item(json!({"pk": {"N": "1"}, "sk": {"N": "1"}})),
            "One or more parameter values were invalid: Type mismatch for key pk expected: S actual: N",
        ),
        (
            item(json!({"pk": {"S": ""}, "sk": {"N": "1"}})),
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: pk",
        ),
        (
            item(json!({"pk": {"S": long}, "sk": {"N": "1"}})),
            "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes",
        ),
        (
            item(with(key("a", 1), json!({"v": {}}))),
            "1 validation error detected: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        ),
        (
            item(with(key("a", 1), json!({"v": {"M": {"": {"S": "x"}}}}))),
            "1 validation error detected: Empty attribute name",
        ),
        (
            json!({
                "TableName": "test", "Item": key("a", 1),
                "ConditionExpression": "attribute_exists(#a)",
                "ExpressionAttributeNames": {"#a": ""},
            }),
            "1 validation error detected: ExpressionAttributeNames contains invalid value: Empty attribute name for key #a",
        ),
        (
            item(with(key("a", 1), json!({"v": {"N": "x"}}))),
            "1 validation error detected: The parameter cannot be converted to a numeric value: x",
        ),
        (
            item(with(
                key("a", 1),
                json!({"v": {"S": "x".repeat(400 * 1024)}}),
            )),
            "Item size has exceeded the maximum allowed size",
        ),
        (
            with(item(key("a", 1)), json!({"ReturnValues": "ALL_NEW"})),
            "1 validation error detected: ReturnValues can only be ALL_OLD or NONE",
        ),
        (
            with(
                item(key("a", 1)),
                json!({"ExpressionAttributeNames": {"#a": "a"}}),
            ),
            "1 validation error detected: ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            with(
                item(key("a", 1)),
                json!({"ExpressionAttributeValues": {":a": {"S": "a"}}}),
            ),
            "1 validation error detected: ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null",
        ),
        (
            with(
                item(key("a", 1)),
                json!({"ConditionExpression": "a = :a", "ExpressionAttributeValues": {":a": {"S": "a"}, ":b": {"S": "a"}}}),
            ),
            "1 validation error detected: Value provided in ExpressionAttributeValues unused in expressions: keys: {:b}",
        ),
        (
            with(
                item(key("a", 1)),
                json!({"ConditionExpression": "a = :a", "Expected": {"a": {"Exists": false}}}),
            ),
            "1 validation error detected: Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}",
        ),
    ] {
        assert_eq!(world.invalid("PutItem", input).await, message);
    }
    let update = |expression: &str| {
        json!({"TableName": "test", "Key": key("a", 1), "UpdateExpression": expression,
               "ExpressionAttributeValues": {":v": {"S": "v"}}})
    };
    assert_eq!(
        world.invalid("UpdateItem", update("")).await,
        "1 validation error detected: Invalid UpdateExpression: The expression can not be empty;"
    );
    let empty_set = json!({
        "TableName": "test", "Key": key("a", 1), "UpdateExpression": "ADD s :s",
        "ExpressionAttributeValues": {":s": {"SS": []}},
    });
    assert_eq!(
        world.invalid("UpdateItem", empty_set).await,
        "1 validation error detected: One or more parameter values were invalid: An string set  may not be empty"
    );
    assert_eq!(
        world.invalid("UpdateItem", update("SET pk = :v")).await,
        "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key"
    );
    assert_eq!(
        world
            .invalid(
                "GetItem",
                json!({"TableName": "test", "Key": {"pk": {"S": "a"}}})
            )
            .await,
        "The provided key element does not match the schema"
    );
    assert_eq!(
        world
            .invalid("GetItem", json!({"TableName": "ab", "Key": key("a", 1)}))
            .await,
        "TableName must be at least 3 characters long and at most 255 characters long"
    );
    let missing = json!({"TableName": "missing", "Key": key("a", 1)});
    let (code, message) = world.refused("GetItem", missing).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("ResourceNotFoundException", "Requested resource not found")
    );
    assert_eq!(
        world.scan(json!({})).await["Count"],
        0,
        "what is refused changes nothing"
    );
}

#[tokio::test]
async fn capacity_is_reported_by_size_and_index() {
    let world = World::start().await;
    world.table(json!({})).await;
    let put = json!({
        "TableName": "test", "Item": with(key("a", 1), json!({"v": {"S": "x".repeat(1500)}})),
        "ReturnConsumedCapacity": "TOTAL",
    });
    let answer = world.ok("PutItem", put).await;
    assert_eq!(
        answer["ConsumedCapacity"],
        json!({"TableName": "test", "CapacityUnits": 2.0})
    );
    let get = |consistent: bool| {
        json!({"TableName": "test", "Key": key("a", 1), "ConsistentRead": consistent,
               "ReturnConsumedCapacity": "INDEXES"})
    };
    let answer = world.ok("GetItem", get(true)).await;
    assert_eq!(
        answer["ConsumedCapacity"]["Table"],
        json!({"CapacityUnits": 1.0})
    );
    assert_eq!(
        world.ok("GetItem", get(false)).await["ConsumedCapacity"]["CapacityUnits"],
        0.5
    );
}

#[tokio::test]
async fn counters_lose_nothing_under_concurrency() {
    let world = std::sync::Arc::new(World::start().await);
    world.table(json!({})).await;
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let world = std::sync::Arc::clone(&world);
            tokio::spawn(async move {
                for _ in 0..10 {
                    let add = json!({
                        "UpdateExpression": "ADD c :one",
                        "ExpressionAttributeValues": {":one": {"N": "1"}},
                    });
                    world.update("a", 1, add).await;
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(world.get("a", 1).await["c"], json!({"N": "200"}));
}

#[tokio::test]
async fn accounts_see_only_their_own_tables() {
    let mut world = World::start().await;
    world.table(json!({})).await;
    world.put(key("a", 1)).await;
    world.account = "123456789012".parse().unwrap();
    let (code, _) = world
        .refused("GetItem", json!({"TableName": "test", "Key": key("a", 1)}))
        .await;
    assert_eq!(code, "ResourceNotFoundException");
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/test";
    let (code, _) = world
        .refused("GetItem", json!({"TableName": arn, "Key": key("a", 1)}))
        .await;
    assert_eq!(code, "AccessDeniedException");
    assert_eq!(
        world.ok("ListTables", json!({})).await["TableNames"],
        json!([])
    );
}
