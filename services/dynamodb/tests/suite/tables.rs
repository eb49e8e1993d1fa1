//! CreateTable, DescribeTable, UpdateTable, DeleteTable, ListTables, tags and limits.

use crate::support::{World, json, key, with};

#[tokio::test]
async fn a_table_is_described_as_it_was_made() {
    let world = World::start().await;
    let specification = json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"});
    world
        .table(json!({"StreamSpecification": specification, "Tags": [{"Key": "k", "Value": "v"}]}))
        .await;
    world.put(key("a", 1)).await;
    let table = world
        .ok("DescribeTable", json!({"TableName": "test"}))
        .await["Table"]
        .clone();
    assert_eq!(table["TableStatus"], "ACTIVE");
    assert_eq!(
        table["TableArn"],
        "arn:aws:dynamodb:us-east-1:000000000000:table/test"
    );
    assert_eq!(
        table["BillingModeSummary"]["BillingMode"],
        "PAY_PER_REQUEST"
    );
    assert_eq!(table["ItemCount"], 1);
    assert_eq!(table["TableSizeBytes"], 7);
    assert_eq!(table["StreamSpecification"], specification);
    assert!(
        table["LatestStreamArn"]
            .as_str()
            .unwrap()
            .contains("table/test/stream/2026-")
    );
    assert_eq!(table["DeletionProtectionEnabled"], false);
    let tags = json!({"ResourceArn": table["TableArn"]});
    assert_eq!(
        world.ok("ListTagsOfResource", tags).await["Tags"],
        json!([{"Key": "k", "Value": "v"}])
    );
    let again = world.refused(
        "CreateTable",
        json!({
            "TableName": "test", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
        }),
    );
    assert_eq!(
        again.await,
        (
            "ResourceInUseException".into(),
            "Table already exists: test".into()
        )
    );
}

#[tokio::test]
async fn definitions_are_refused_in_aws_words() {
    let world = World::start().await;
    let base = || {
        json!({
            "TableName": "test", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}],
        })
    };
    let hash_and = |second: &str, kind: &str| json!([{"AttributeName": "a", "KeyType": "HASH"}, {"AttributeName": second, "KeyType": kind}]);
    let global = |projection| json!([{"IndexName": "idx", "KeySchema": [{"AttributeName": "a", "KeyType": "HASH"}], "Projection": projection}]);
    for (more, message) in [
        (
            json!({"BillingMode": "PROVISIONED"}),
            "One or more parameter values were invalid: ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED",
        ),
        (
            json!({"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}),
            "One or more parameter values were invalid: Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST",
        ),
        (
            json!({"KeySchema": hash_and("b", "RANGE")}),
            "Invalid KeySchema: Some index key attribute have no definition",
        ),
        (
            json!({"KeySchema": [{"AttributeName": "b", "KeyType": "HASH"}]}),
            "One or more parameter values were invalid: Some index key attributes are not defined in AttributeDefinitions. Keys: [b], AttributeDefinitions: [a]",
        ),
        (
            json!({"KeySchema": [{"AttributeName": "a", "KeyType": "RANGE"}]}),
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type",
        ),
        (
            json!({"AttributeDefinitions": [{"AttributeName": "a", "AttributeType": "S"}, {"AttributeName": "b", "AttributeType": "S"}]}),
            "One or more parameter values were invalid: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions",
        ),
        (
            json!({"GlobalSecondaryIndexes": []}),
            "One or more parameter values were invalid: List of GlobalSecondaryIndexes is empty",
        ),
        (
            json!({"GlobalSecondaryIndexes": global(json!({}))}),
            "One or more parameter values were invalid: Unknown ProjectionType: null",
        ),
        (
            json!({"GlobalSecondaryIndexes": global(json!({"ProjectionType": "ALL", "NonKeyAttributes": ["x"]}))}),
            "One or more parameter values were invalid: ProjectionType is ALL, but NonKeyAttributes is specified",
        ),
        (
            json!({"LocalSecondaryIndexes": global(json!({"ProjectionType": "ALL"}))}),
            "One or more parameter values were invalid: Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex",
        ),
        (
            json!({"StreamSpecification": {"StreamEnabled": true}}),
            "One or more parameter values were invalid: StreamViewType must be specified when StreamEnabled is true",
        ),
        (
            json!({"TableName": "a;b"}),
            "1 validation error detected: Value 'a;b' at 'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+",
        ),
    ] {
        assert_eq!(
            world.invalid("CreateTable", with(base(), more)).await,
            message
        );
    }
    assert_eq!(
        world.ok("ListTables", json!({})).await["TableNames"],
        json!([])
    );
}

#[tokio::test]
async fn tables_are_listed_in_pages() {
    let world = World::start().await;
    for name in ["bbb", "aaa", "ccc"] {
        world.table(json!({"TableName": name})).await;
    }
    let page = world.ok("ListTables", json!({"Limit": 2})).await;
    assert_eq!(
        page,
        json!({"TableNames": ["aaa", "bbb"], "LastEvaluatedTableName": "bbb"})
    );
    let page = world
        .ok("ListTables", json!({"ExclusiveStartTableName": "bbb"}))
        .await;
    assert_eq!(page, json!({"TableNames": ["ccc"]}));
}

#[tokio::test]
async fn a_deleted_table_takes_its_items_with_it() {
    let world = World::start().await;
    world
        .table(json!({"DeletionProtectionEnabled": true}))
        .await;
    world.put(key("a", 1)).await;
    let name = json!({"TableName": "test"});
    assert!(
        world
            .invalid("DeleteTable", name.clone())
            .await
            .starts_with("Resource cannot be deleted")
    );
    world
        .ok(
            "UpdateTable",
            with(name.clone(), json!({"DeletionProtectionEnabled": false})),
        )
        .await;
    let deleted = world.ok("DeleteTable", name.clone()).await;
    assert_eq!(deleted["TableDescription"]["TableStatus"], "DELETING");
    let (code, message) = world.refused("DescribeTable", name).await;
    assert_eq!(code, "ResourceNotFoundException");
    assert_eq!(
        message,
        "Requested resource not found: Table: test not found"
    );
    world.table(json!({})).await;
    assert!(world.get("a", 1).await.is_null());
}

#[tokio::test]
async fn settings_change_and_changes_without_effect_are_refused() {
    let world = World::start().await;
    let units = |units: i64| json!({"ReadCapacityUnits": units, "WriteCapacityUnits": units});
    world
        .table(json!({"BillingMode": "PROVISIONED", "ProvisionedThroughput": units(5)}))
        .await;
    let name = json!({"TableName": "test"});
    let update = |more| with(name.clone(), more);
    assert!(
        world
            .invalid("UpdateTable", name.clone())
            .await
            .starts_with("At least one of")
    );
    let same = world
        .invalid(
            "UpdateTable",
            update(json!({"ProvisionedThroughput": units(5)})),
        )
        .await;
    assert!(
        same.starts_with("The provisioned throughput for the table will not change."),
        "{same}"
    );
    world
        .ok(
            "UpdateTable",
            update(json!({"ProvisionedThroughput": units(7)})),
        )
        .await;
    world
        .ok(
            "UpdateTable",
            update(json!({"TableClass": "STANDARD_INFREQUENT_ACCESS"})),
        )
        .await;
    let table = world.ok("DescribeTable", name.clone()).await["Table"].clone();
    assert_eq!(table["ProvisionedThroughput"]["ReadCapacityUnits"], 7);
    assert!(table["ProvisionedThroughput"]["LastIncreaseDateTime"].is_number());
    assert_eq!(
        table["TableClassSummary"]["TableClass"],
        "STANDARD_INFREQUENT_ACCESS"
    );
    world
        .ok(
            "UpdateTable",
            update(json!({"BillingMode": "PAY_PER_REQUEST"})),
        )
        .await;
    let table = world.ok("DescribeTable", name).await["Table"].clone();
    assert_eq!(table["ProvisionedThroughput"]["ReadCapacityUnits"], 0);
    assert_eq!(
        table["BillingModeSummary"]["BillingMode"],
        "PAY_PER_REQUEST"
    );
}

#[tokio::test]
async fn tags_come_and_go() {
    let world = World::start().await;
    world.table(json!({})).await;
    let arn = json!({"ResourceArn": "arn:aws:dynamodb:us-east-1:000000000000:table/test"});
    let tags: Vec<_> = (0..12)
        .map(|n| json!({"Key": format!("k{n:02}"), "Value": "v"}))
        .collect();
    world
        .ok("TagResource", with(arn.clone(), json!({"Tags": tags})))
        .await;
    world
        .ok(
            "UntagResource",
            with(arn.clone(), json!({"TagKeys": ["k00"]})),
        )
        .await;
    let page = world.ok("ListTagsOfResource", arn.clone()).await;
    assert_eq!(page["Tags"].as_array().unwrap().len(), 10);
    let rest = with(arn, json!({"NextToken": page["NextToken"]}));
    assert_eq!(
        world.ok("ListTagsOfResource", rest).await["Tags"],
        json!([{"Key": "k11", "Value": "v"}])
    );
    let missing = json!({"ResourceArn": "arn:aws:dynamodb:us-east-1:000000000000:table/missing"});
    assert_eq!(
        world.refused("ListTagsOfResource", missing).await.0,
        "ResourceNotFoundException"
    );
}

#[tokio::test]
async fn the_account_is_described() {
    let world = World::start().await;
    world.table(json!({})).await;
    assert_eq!(
        world.ok("DescribeLimits", json!({})).await["TableMaxReadCapacityUnits"],
        40_000
    );
    assert_eq!(
        world.ok("DescribeEndpoints", json!({})).await["Endpoints"][0]["Address"],
        "localhost:4566"
    );
    let backups = world
        .ok("DescribeContinuousBackups", json!({"TableName": "test"}))
        .await;
    let backups = &backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"];
    assert_eq!(backups["PointInTimeRecoveryStatus"], "DISABLED");
    let absent = world.service.call(
        "SearchVectors",
        service::RequestContext::internal(
            service::Principal::Root {
                account: world.account,
            },
            world.account,
            base::Region::us_east_1(),
            base::Timestamp::default(),
        ),
        wire::Value::Map(Vec::new()),
    );
    assert_eq!(absent.await.unwrap_err().code, "NotImplementedException");
}
