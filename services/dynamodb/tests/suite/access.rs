//! What a call needs permission for.

use crate::support::{Json, World, json, key};

const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table";

fn accesses(world: &World, operation: &str, input: Json) -> Vec<String> {
    world
        .accesses(operation, input)
        .into_iter()
        .map(|(action, resource)| format!("{action} {}", resource.replace(TABLE, "TABLE")))
        .collect()
}

#[tokio::test]
async fn every_table_and_index_of_a_call_is_named() {
    let world = World::start().await;
    let name = |table: &str| json!({"TableName": table});
    let item = |table: &str| json!({"TableName": table, "Key": key("a", 1)});
    for (operation, input, expected) in [
        ("PutItem", name("test"), vec!["dynamodb:PutItem TABLE/test"]),
        (
            "PutItem",
            name(&format!("{TABLE}/test")),
            vec!["dynamodb:PutItem TABLE/test"],
        ),
        (
            "Query",
            json!({"TableName": "test", "IndexName": "idx"}),
            vec!["dynamodb:Query TABLE/test/index/idx"],
        ),
        ("ListTables", json!({}), vec!["dynamodb:ListTables *"]),
        (
            "TagResource",
            json!({"ResourceArn": format!("{TABLE}/test")}),
            vec!["dynamodb:TagResource TABLE/test"],
        ),
        (
            "BatchWriteItem",
            json!({"RequestItems": {"one": [], "two": []}}),
            vec![
                "dynamodb:BatchWriteItem TABLE/one",
                "dynamodb:BatchWriteItem TABLE/two",
            ],
        ),
        (
            "TransactWriteItems",
            json!({"TransactItems": [{"Put": item("one")}, {"ConditionCheck": item("two")}, {"Put": item("one")}]}),
            vec![
                "dynamodb:ConditionCheckItem TABLE/two",
                "dynamodb:PutItem TABLE/one",
            ],
        ),
        (
            "TransactGetItems",
            json!({"TransactItems": [{"Get": item("one")}]}),
            vec!["dynamodb:GetItem TABLE/one"],
        ),
        (
            "ExecuteStatement",
            json!({"Statement": "SELECT * FROM \"test\".\"idx\" WHERE a = ?"}),
            vec!["dynamodb:PartiQLSelect TABLE/test/index/idx"],
        ),
        (
            "BatchExecuteStatement",
            json!({"Statements": [
                {"Statement": "DELETE FROM one WHERE a = ?"},
                {"Statement": "INSERT INTO two VALUE {'a': ?}"},
                {"Statement": "no statement"},
            ]}),
            vec![
                "dynamodb:PartiQLDelete *",
                "dynamodb:PartiQLDelete TABLE/one",
                "dynamodb:PartiQLInsert *",
                "dynamodb:PartiQLInsert TABLE/two",
                "dynamodb:PartiQLSelect *",
                "dynamodb:PartiQLUpdate *",
            ],
        ),
        (
            "DescribeStream",
            json!({"StreamArn": format!("{TABLE}/test/stream/label")}),
            vec!["dynamodb:DescribeStream TABLE/test/stream/label"],
        ),
    ] {
        assert_eq!(accesses(&world, operation, input), expected, "{operation}");
    }
}

#[tokio::test]
async fn an_iterator_is_about_its_stream() {
    let world = World::start().await;
    world
        .table(
            json!({"StreamSpecification": {"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"}}),
        )
        .await;
    let arn = world.ok("ListStreams", json!({})).await["Streams"][0]["StreamArn"].clone();
    let described = world.ok("DescribeStream", json!({"StreamArn": arn})).await;
    let start = world
        .ok(
            "GetShardIterator",
            json!({
                "StreamArn": arn, "ShardIteratorType": "LATEST",
                "ShardId": described["StreamDescription"]["Shards"][0]["ShardId"],
            }),
        )
        .await;
    let (action, resource) = world.accesses("GetRecords", start).remove(0);
    assert_eq!(
        (action.as_str(), Some(resource.as_str())),
        ("dynamodb:GetRecords", arn.as_str())
    );
}
