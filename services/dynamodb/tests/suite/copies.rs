//! Backups, restores to a point in time, exports and imports.

use std::io::{Read as _, Write as _};

use crate::support::{Json, World, json, key, range_keys, until, with};

async fn status(world: &World, table: &str) -> String {
    let described = world
        .call("DescribeTable", json!({"TableName": table}))
        .await;
    match described {
        Ok(table) => table["Table"]["TableStatus"].as_str().unwrap().to_owned(),
        Err(error) => error.code.into_owned(),
    }
}

async fn backed_up(world: &World, arn: &Json) {
    until(|| async {
        let backup = world.ok("DescribeBackup", json!({"BackupArn": arn})).await;
        backup["BackupDescription"]["BackupDetails"]["BackupStatus"] == "AVAILABLE"
    })
    .await;
}

async fn active(world: &World, table: &str) {
    until(|| async { status(world, table).await == "ACTIVE" }).await;
}

async fn enable_recovery(world: &World) {
    let on = json!({"PointInTimeRecoveryEnabled": true});
    let input = json!({"TableName": "test", "PointInTimeRecoverySpecification": on});
    world.ok("UpdateContinuousBackups", input).await;
}

fn index() -> Json {
    json!({
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
            {"AttributeName": "c", "AttributeType": "S"},
        ],
        "GlobalSecondaryIndexes": [{
            "IndexName": "by-c", "KeySchema": [{"AttributeName": "c", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "ALL"},
        }],
    })
}

#[tokio::test]
async fn a_backup_is_of_the_moment_it_was_asked_for() {
    let world = World::start().await;
    world.table(index()).await;
    for number in 0..250 {
        world
            .put(with(key("a", number), json!({"c": {"S": "old"}})))
            .await;
    }
    let made = world
        .ok(
            "CreateBackup",
            json!({"TableName": "test", "BackupName": "before"}),
        )
        .await["BackupDetails"]
        .clone();
    assert_eq!(made["BackupType"], "USER");
    // None of this is in it, though the copy is only being made.
    world
        .put(with(key("a", 7), json!({"c": {"S": "new"}})))
        .await;
    world
        .ok(
            "DeleteItem",
            json!({"TableName": "test", "Key": key("a", 8)}),
        )
        .await;
    world.put(key("a", 900)).await;
    let arn = made["BackupArn"].clone();
    backed_up(&world, &arn).await;
    let restore = json!({"BackupArn": arn, "TargetTableName": "again"});
    let restored = world.ok("RestoreTableFromBackup", restore.clone()).await;
    let summary = &restored["TableDescription"]["RestoreSummary"];
    assert_eq!(summary["RestoreInProgress"], true);
    assert_eq!(summary["SourceBackupArn"], arn);
    assert_eq!(
        world
            .refused("GetItem", json!({"TableName": "again", "Key": key("a", 1)}))
            .await
            .0,
        "ResourceNotFoundException",
        "it cannot be used yet"
    );
    assert_eq!(
        world.refused("RestoreTableFromBackup", restore).await.0,
        "TableAlreadyExistsException"
    );
    active(&world, "again").await;
    let all = world.scan(json!({"TableName": "again"})).await;
    assert_eq!(range_keys(&all), (0..250).collect::<Vec<_>>());
    let query = json!({
        "TableName": "again", "IndexName": "by-c", "KeyConditionExpression": "c = :c",
        "ExpressionAttributeValues": {":c": {"S": "old"}}, "Select": "COUNT",
    });
    assert_eq!(world.query(query).await["Count"], 250);
    let table = world
        .ok("DescribeTable", json!({"TableName": "again"}))
        .await["Table"]
        .clone();
    assert_eq!(table["ItemCount"], 250);
    assert_eq!(table["RestoreSummary"]["RestoreInProgress"], false);
    // Which indexes there are, and how they are paid for, can be chosen.
    let fewer = json!({
        "BackupArn": arn, "TargetTableName": "fewer", "GlobalSecondaryIndexOverride": [],
        "BillingModeOverride": "PROVISIONED",
        "ProvisionedThroughputOverride": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 4},
    });
    world.ok("RestoreTableFromBackup", fewer).await;
    active(&world, "fewer").await;
    let table = world
        .ok("DescribeTable", json!({"TableName": "fewer"}))
        .await["Table"]
        .clone();
    assert!(table["GlobalSecondaryIndexes"].is_null());
    assert_eq!(table["ProvisionedThroughput"]["WriteCapacityUnits"], 4);
    let deleted = world.ok("DeleteBackup", json!({"BackupArn": arn})).await;
    let details = &deleted["BackupDescription"]["BackupDetails"];
    assert_eq!(details["BackupStatus"], "DELETED");
    let gone = world
        .refused("DescribeBackup", json!({"BackupArn": arn}))
        .await;
    assert_eq!(gone.0, "BackupNotFoundException");
}

#[tokio::test]
async fn backups_are_listed_by_table_kind_and_time() {
    let world = World::start().await;
    let mut arns = Vec::new();
    for table in ["one", "two"] {
        world.table(json!({"TableName": table})).await;
        for name in ["first", "second"] {
            let input = json!({"TableName": table, "BackupName": name});
            let made = world.ok("CreateBackup", input).await;
            arns.push(made["BackupDetails"]["BackupArn"].clone());
            world.advance(10);
        }
    }
    let names = |page: &Json| {
        let found = page["BackupSummaries"].as_array().unwrap();
        found
            .iter()
            .map(|it| it["BackupArn"].clone())
            .collect::<Vec<_>>()
    };
    let page = world.ok("ListBackups", json!({"Limit": 3})).await;
    assert_eq!(names(&page), arns[..3]);
    let rest = json!({"ExclusiveStartBackupArn": page["LastEvaluatedBackupArn"]});
    assert_eq!(names(&world.ok("ListBackups", rest).await), arns[3..]);
    let two = world.ok("ListBackups", json!({"TableName": "two"})).await;
    assert_eq!(names(&two), arns[2..]);
    let system = world
        .ok("ListBackups", json!({"BackupType": "SYSTEM"}))
        .await;
    assert_eq!(names(&system), Vec::<Json>::new());
    let missing = json!({"TableName": "three", "BackupName": "none"});
    assert_eq!(
        world.refused("CreateBackup", missing).await.0,
        "TableNotFoundException"
    );
}

#[tokio::test]
async fn a_table_is_restored_as_it_was_at_any_moment() {
    let world = World::start().await;
    world.table(json!({})).await;
    let restore = |target: &str, at: Json| {
        with(
            json!({"SourceTableName": "test", "TargetTableName": target}),
            at,
        )
    };
    let latest = json!({"UseLatestRestorableTime": true});
    assert_eq!(
        world
            .refused(
                "RestoreTableToPointInTime",
                restore("early", latest.clone())
            )
            .await
            .0,
        "PointInTimeRecoveryUnavailableException"
    );
    world.put(key("a", 1)).await;
    enable_recovery(&world).await;
    // What each moment held: (milliseconds, range keys).
    let mut moments = vec![(world.clock.clock().now().millis(), vec![1])];
    for number in 2..6 {
        world.advance(60);
        world.put(key("a", number)).await;
        if number == 4 {
            world
                .ok(
                    "DeleteItem",
                    json!({"TableName": "test", "Key": key("a", 2)}),
                )
                .await;
        }
        let scan = world.scan(json!({})).await;
        moments.push((world.clock.clock().now().millis(), range_keys(&scan)));
    }
    world.advance(60);
    let world = world.restart().await;
    for (at, held) in moments {
        let target = format!("at-{at}");
        // Inputs of the tests have no times but through a value of their own.
        let time = json!({"RestoreDateTime": format!("t!{at}")});
        world
            .ok("RestoreTableToPointInTime", restore(&target, time))
            .await;
        active(&world, &target).await;
        let scan = world.scan(json!({"TableName": target})).await;
        assert_eq!(range_keys(&scan), held, "at {at}");
    }
    let early = json!({"RestoreDateTime": "t!1795000000000"});
    assert_eq!(
        world
            .refused("RestoreTableToPointInTime", restore("early", early))
            .await
            .0,
        "InvalidRestoreTimeException"
    );
    // A deleted table leaves a backup, and a name that is free.
    let (name, before) = (json!({"TableName": "test"}), world.scan(json!({})).await);
    world.ok("DeleteTable", name).await;
    let system = world
        .ok("ListBackups", json!({"BackupType": "SYSTEM"}))
        .await;
    let arn = system["BackupSummaries"][0]["BackupArn"].clone();
    world
        .ok(
            "RestoreTableFromBackup",
            json!({"BackupArn": arn, "TargetTableName": "test"}),
        )
        .await;
    active(&world, "test").await;
    assert_eq!(world.scan(json!({})).await["Items"], before["Items"]);
    world.advance(36 * 86_400);
    until(|| async {
        let left = world.ok("ListBackups", json!({})).await;
        left["BackupSummaries"].as_array().unwrap().is_empty()
    })
    .await;
}

#[tokio::test]
async fn an_export_is_imported_again() {
    let world = World::start().await;
    world.table(json!({})).await;
    for number in 0..150 {
        let more = json!({"blob": {"B": "b!bytes"}, "set": {"NS": ["1", "2"]}});
        world.put(with(key("a", number), more)).await;
    }
    enable_recovery(&world).await;
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/test";
    let input =
        json!({"TableArn": arn, "S3Bucket": "bucket", "S3Prefix": "out", "ClientToken": "t"});
    let export = world.ok("ExportTableToPointInTime", input.clone()).await;
    let again = world.ok("ExportTableToPointInTime", input.clone()).await;
    let export = export["ExportDescription"]["ExportArn"].clone();
    assert_eq!(again["ExportDescription"]["ExportArn"], export);
    let other = with(input, json!({"S3Prefix": "other"}));
    assert_eq!(
        world.refused("ExportTableToPointInTime", other).await.0,
        "ExportConflictException"
    );
    // What comes after is not in it.
    world.put(key("a", 1_000)).await;
    let describe = || world.ok("DescribeExport", json!({"ExportArn": export}));
    until(|| async { describe().await["ExportDescription"]["ExportStatus"] == "COMPLETED" }).await;
    let done = describe().await["ExportDescription"].clone();
    assert_eq!(done["ItemCount"], 150);
    let summary = done["ExportManifest"].as_str().unwrap();
    let objects = world.buckets.objects.lock().unwrap().clone();
    let summary: Json = serde_json::from_slice(&objects[summary]).unwrap();
    assert_eq!(summary["itemCount"], 150);
    let files = &objects[summary["manifestFilesS3Key"].as_str().unwrap()];
    let file: Json = serde_json::from_slice(files).unwrap();
    let data = file["dataFileS3Key"].as_str().unwrap();
    assert!(data.starts_with("out/AWSDynamoDB/") && data.ends_with(".json.gz"));
    let mut lines = String::new();
    flate2::read::GzDecoder::new(&*objects[data])
        .read_to_string(&mut lines)
        .unwrap();
    assert_eq!(lines.lines().count(), 150);
    assert!(lines.contains(r#""blob":{"B":"Ynl0ZXM="}"#), "{lines}");

    let import = json!({
        "S3BucketSource": {"S3Bucket": "bucket", "S3KeyPrefix": data},
        "InputFormat": "DYNAMODB_JSON", "InputCompressionType": "GZIP",
        "TableCreationParameters": with(index(), json!({
            "TableName": "imported", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
        })),
    });
    let import = world.ok("ImportTable", import).await["ImportTableDescription"].clone();
    assert_eq!(status(&world, "imported").await, "CREATING");
    active(&world, "imported").await;
    let scan = world.scan(json!({"TableName": "imported"})).await;
    assert_eq!(range_keys(&scan), (0..150).collect::<Vec<_>>());
    assert_eq!(scan["Items"][0]["blob"]["B"], "b!bytes");
    let done = world
        .ok("DescribeImport", json!({"ImportArn": import["ImportArn"]}))
        .await;
    assert_eq!(done["ImportTableDescription"]["ImportStatus"], "COMPLETED");
    assert_eq!(done["ImportTableDescription"]["ImportedItemCount"], 150);
    let listed = world
        .ok("ListImports", json!({"TableArn": "imported"}))
        .await;
    assert_eq!(
        listed["ImportSummaryList"][0]["ImportArn"],
        import["ImportArn"]
    );
    let listed = world.ok("ListExports", json!({"TableArn": arn})).await;
    assert_eq!(listed["ExportSummaries"][0]["ExportArn"], export);
}

#[tokio::test]
async fn an_incremental_export_has_what_changed() {
    let world = World::start().await;
    world.table(json!({})).await;
    enable_recovery(&world).await;
    world
        .put(with(key("a", 1), json!({"v": {"S": "first"}})))
        .await;
    world.put(key("a", 2)).await;
    world.advance(600);
    let from = world.clock.clock().now().millis();
    world.advance(600);
    for v in ["second", "third"] {
        world.put(with(key("a", 1), json!({"v": {"S": v}}))).await;
    }
    world.put(key("a", 3)).await;
    world
        .ok(
            "DeleteItem",
            json!({"TableName": "test", "Key": key("a", 3)}),
        )
        .await;
    world
        .ok(
            "DeleteItem",
            json!({"TableName": "test", "Key": key("a", 2)}),
        )
        .await;
    world.advance(600);
    let input = json!({
        "TableArn": "arn:aws:dynamodb:us-east-1:000000000000:table/test", "S3Bucket": "bucket",
        "ExportType": "INCREMENTAL_EXPORT",
        "IncrementalExportSpecification": {"ExportFromTime": format!("t!{from}")},
    });
    let export = world.ok("ExportTableToPointInTime", input).await["ExportDescription"].clone();
    let describe = || world.ok("DescribeExport", json!({"ExportArn": export["ExportArn"]}));
    until(|| async { describe().await["ExportDescription"]["ExportStatus"] == "COMPLETED" }).await;
    let objects = world.buckets.objects.lock().unwrap().clone();
    let (_, data) = objects
        .iter()
        .find(|(key, _)| key.starts_with("AWSDynamoDB/data/"))
        .unwrap();
    let mut text = String::new();
    flate2::read::GzDecoder::new(&**data)
        .read_to_string(&mut text)
        .unwrap();
    let mut lines: Vec<Json> = text
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    lines.sort_by_key(|line| line["Keys"]["sk"]["N"].to_string());
    assert_eq!(lines.len(), 2, "{text}");
    assert_eq!(lines[0]["OldImage"]["v"]["S"], "first");
    assert_eq!(lines[0]["NewImage"]["v"]["S"], "third");
    assert!(lines[1]["NewImage"].is_null() && lines[1]["OldImage"].is_object());
}

#[tokio::test]
async fn csv_is_imported_and_bad_rows_are_counted_and_logged() {
    let world = World::start().await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"a;1;one\nb;x;two\n;3;three\n").unwrap();
    {
        let mut objects = world.buckets.objects.lock().unwrap();
        objects.insert("in/1.csv.gz".into(), gzip.finish().unwrap().into());
        let mut second = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        second.write_all(b"c;3;\n").unwrap();
        objects.insert("in/2.csv.gz".into(), second.finish().unwrap().into());
    }
    let import = |bucket: &str| {
        json!({
            "S3BucketSource": {"S3Bucket": bucket, "S3KeyPrefix": "in/"},
            "InputFormat": "CSV", "InputCompressionType": "GZIP",
            "InputFormatOptions": {"Csv": {"Delimiter": ";", "HeaderList": ["pk", "sk", "note"]}},
            "TableCreationParameters": {
                "TableName": "test", "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "sk", "KeyType": "RANGE"},
                ],
                "AttributeDefinitions": [
                    {"AttributeName": "pk", "AttributeType": "S"},
                    {"AttributeName": "sk", "AttributeType": "N"},
                ],
            },
        })
    };
    // A bucket that is not there: no table is left.
    let failed = world.ok("ImportTable", import("missing")).await["ImportTableDescription"].clone();
    let described = |arn: &Json| world.ok("DescribeImport", json!({"ImportArn": arn}));
    let arn = failed["ImportArn"].clone();
    until(|| async { described(&arn).await["ImportTableDescription"]["ImportStatus"] == "FAILED" })
        .await;
    let failed = described(&arn).await["ImportTableDescription"].clone();
    assert_eq!(failed["FailureCode"], "S3NoSuchBucket");
    until(|| async { status(&world, "test").await == "ResourceNotFoundException" }).await;

    world.advance(1);
    world.ok("ImportTable", import("bucket")).await;
    active(&world, "test").await;
    assert_eq!(world.get("a", 1).await["note"]["S"], "one");
    assert_eq!(world.get("c", 3).await, key("c", 3));
    let listed = world.ok("ListImports", json!({})).await;
    let arn = listed["ImportSummaryList"][1]["ImportArn"].clone();
    let done = described(&arn).await["ImportTableDescription"].clone();
    assert_eq!(
        (
            &done["ErrorCount"],
            &done["ProcessedItemCount"],
            &done["ImportedItemCount"]
        ),
        (&json!(2), &json!(4), &json!(2))
    );
    assert_eq!(done["ImportStatus"], "FAILED");
    assert_eq!(done["FailureCode"], "ItemValidationError");
    let logged = world.buckets.logged.lock().unwrap().clone();
    assert_eq!(logged.len(), 2);
    assert!(logged[0].contains(r#""itemIndex":1"#), "{logged:?}");
}
