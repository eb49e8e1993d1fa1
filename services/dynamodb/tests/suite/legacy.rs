//! The parameters of before expressions.

use crate::support::{World, json, key, range_keys, with};

#[tokio::test]
async fn old_parameters_still_mean_what_they_meant() {
    let world = World::start().await;
    world.table(json!({})).await;
    for sk in 0..6 {
        world
            .put(with(
                key("a", sk),
                json!({"n": {"N": (sk * 10).to_string()}}),
            ))
            .await;
    }
    let eq = |value| json!({"ComparisonOperator": "EQ", "AttributeValueList": [value]});
    let found = world
        .query(json!({
            "KeyConditions": {
                "pk": eq(json!({"S": "a"})),
                "sk": {"ComparisonOperator": "BETWEEN", "AttributeValueList": [{"N": "1"}, {"N": "4"}]},
            },
            "QueryFilter": {"n": {"ComparisonOperator": "GT", "AttributeValueList": [{"N": "20"}]}},
            "AttributesToGet": ["sk"],
        }))
        .await;
    assert_eq!(range_keys(&found), [3, 4]);
    let filter =
        json!({"n": {"ComparisonOperator": "IN", "AttributeValueList": [{"N": "0"}, {"N": "50"}]}});
    assert_eq!(world.scan(json!({"ScanFilter": filter})).await["Count"], 2);
    let put = |expected| json!({"TableName": "test", "Item": key("a", 1), "Expected": expected});
    let (code, _) = world
        .refused("PutItem", put(json!({"pk": {"Exists": false}})))
        .await;
    assert_eq!(code, "ConditionalCheckFailedException");
    world
        .ok("PutItem", put(json!({"n": {"Value": {"N": "10"}}})))
        .await;
    let updated = world
        .update(
            "a",
            2,
            json!({
                "AttributeUpdates": {
                    "n": {"Action": "ADD", "Value": {"N": "5"}},
                    "s": {"Action": "ADD", "Value": {"SS": ["x"]}},
                    "p": {"Value": {"S": "put"}},
                    "gone": {"Action": "DELETE"},
                },
                "ReturnValues": "ALL_NEW",
            }),
        )
        .await;
    let expected = json!({"n": {"N": "25"}, "s": {"SS": ["x"]}, "p": {"S": "put"}});
    assert_eq!(updated["Attributes"], with(key("a", 2), expected));
}

#[tokio::test]
async fn add_appends_to_a_list() {
    let world = World::start().await;
    world.table(json!({})).await;
    for number in ["1", "2"] {
        let add = json!({"Action": "ADD", "Value": {"L": [{"N": number}]}});
        world
            .update("a", 1, json!({"AttributeUpdates": {"list": add}}))
            .await;
    }
    let list = json!({"L": [{"N": "1"}, {"N": "2"}]});
    assert_eq!(world.get("a", 1).await["list"], list);
}

#[tokio::test]
async fn an_operator_joins_conditions() {
    let world = World::start().await;
    world.table(json!({})).await;
    let hash = json!({"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}});
    for (operation, input) in [
        (
            "Query",
            json!({"TableName": "test", "KeyConditions": hash, "ConditionalOperator": "OR"}),
        ),
        (
            "Scan",
            json!({"TableName": "test", "ConditionalOperator": "OR"}),
        ),
        (
            "PutItem",
            json!({"TableName": "test", "Item": key("a", 1), "ConditionalOperator": "OR"}),
        ),
    ] {
        let message = world.invalid(operation, input).await;
        let of_a_write = message.strip_prefix("1 validation error detected: ");
        assert_eq!(of_a_write.is_some(), operation == "PutItem");
        assert_eq!(
            of_a_write.unwrap_or(&message),
            "One or more parameter values were invalid: ConditionalOperator cannot be used without \
             Filter or Expected"
        );
    }
}

#[tokio::test]
async fn old_parameters_are_refused_in_aws_words() {
    let world = World::start().await;
    world.table(json!({})).await;
    let put = |expected| json!({"TableName": "test", "Item": key("a", 1), "Expected": expected});
    let invalid = "1 validation error detected: One or more parameter values were invalid: ";
    for (expected, message) in [
        (
            json!({"a": {}}),
            "Value must be provided when Exists is null for Attribute: a",
        ),
        (
            json!({"a": {"Exists": false, "Value": {"S": "x"}}}),
            "Value cannot be used when Exists is false for Attribute: a",
        ),
        (
            json!({"a": {"AttributeValueList": []}}),
            "AttributeValueList can only be used with a ComparisonOperator for Attribute: a",
        ),
        (
            json!({"a": {"ComparisonOperator": "LT"}}),
            "Value or AttributeValueList must be used with ComparisonOperator: LT for Attribute: a",
        ),
        (
            json!({"a": {"ComparisonOperator": "LT", "AttributeValueList": [{"SS": ["x"]}]}}),
            "ComparisonOperator LT is not valid for SS AttributeValue type",
        ),
        (
            json!({"a": {"ComparisonOperator": "NULL", "Value": {"S": "x"}}}),
            "Invalid number of argument(s) for the NULL ComparisonOperator",
        ),
    ] {
        assert_eq!(
            world.invalid("PutItem", put(expected)).await,
            format!("{invalid}{message}")
        );
    }
    let update =
        |updates| json!({"TableName": "test", "Key": key("a", 1), "AttributeUpdates": updates});
    for (updates, message) in [
        (
            json!({"a": {"Action": "ADD"}}),
            "Only DELETE action is allowed when no attribute value is specified",
        ),
        (
            json!({"a": {"Action": "ADD", "Value": {"S": "x"}}}),
            "ADD action is not supported for the type S",
        ),
        (
            json!({"a": {"Action": "DELETE", "Value": {"S": "x"}}}),
            "DELETE action with value is not supported for the type S",
        ),
    ] {
        assert_eq!(
            world.invalid("UpdateItem", update(updates)).await,
            format!("{invalid}{message}")
        );
    }
}
