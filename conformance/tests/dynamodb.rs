//! DynamoDB through boto3, through the AWS CLI, and through `kill -9`.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use conformance::{Api, Script, Server, python, root};
use serde_json::{Value, json};

#[test]
fn boto3() {
    run("dynamodb.py");
}

#[test]
fn copies_and_policies() {
    run("dynamodb_copies.py");
}

fn run(script: &str) {
    let server = Server::start();
    let script = root().join("conformance/clients").join(script);
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("end ok\n"),
        "{}",
        transcript.stdout
    );
}

#[test]
fn aws_cli() {
    let server = Server::start();
    let aws = |arguments: &[&str]| {
        let all: Vec<&str> = [&["dynamodb"], arguments].concat();
        Script::aws(&server, &all).run().expect_success()
    };
    aws(&[
        "create-table",
        "--table-name",
        "music",
        "--billing-mode",
        "PAY_PER_REQUEST",
        "--attribute-definitions",
        "AttributeName=artist,AttributeType=S",
        "--key-schema",
        "AttributeName=artist,KeyType=HASH",
    ]);
    aws(&["wait", "table-exists", "--table-name", "music"]);
    let item = r#"{"artist": {"S": "Kagero"}, "plays": {"N": "41"}}"#;
    aws(&["put-item", "--table-name", "music", "--item", item]);
    let updated = aws(&[
        "update-item",
        "--table-name",
        "music",
        "--key",
        r#"{"artist": {"S": "Kagero"}}"#,
        "--update-expression",
        "ADD plays :one",
        "--return-values",
        "UPDATED_NEW",
        "--expression-attribute-values",
        r#"{":one": {"N": "1"}}"#,
    ]);
    assert_eq!(updated.json()["Attributes"]["plays"]["N"], "42");
}

/// When the server is killed, in each round.
const ROUNDS: [Duration; 2] = [Duration::from_millis(900), Duration::from_millis(1_700)];
const CLIENTS: usize = 6;

fn create_table(api: &mut Api) -> String {
    let created = api.json(
        "dynamodb",
        "CreateTable",
        &json!({
            "TableName": "pairs", "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [
                {"AttributeName": "id", "AttributeType": "S"},
                {"AttributeName": "pair", "AttributeType": "S"},
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by-pair", "Projection": {"ProjectionType": "ALL"},
                "KeySchema": [{"AttributeName": "pair", "KeyType": "HASH"}],
            }],
            "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"},
        }),
    );
    let table = created.expect(200).json()["TableDescription"].clone();
    table["LatestStreamArn"].as_str().unwrap().to_owned()
}

/// Two items that belong together.
fn write_pair(name: &str) -> Value {
    let put = |side: &str| {
        let item = json!({"id": {"S": format!("{name}-{side}")}, "pair": {"S": name}});
        json!({"Put": {"TableName": "pairs", "Item": item}})
    };
    json!({"TransactItems": [put("left"), put("right")]})
}

/// Everything a paged read finds.
fn all(api: &mut Api, operation: &str, input: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    let mut input = input.clone();
    loop {
        let page = api.json("dynamodb", operation, &input).expect(200).json();
        found.extend(page["Items"].as_array().unwrap().iter().cloned());
        match page.get("LastEvaluatedKey") {
            Some(key) => input["ExclusiveStartKey"] = key.clone(),
            None => return found,
        }
    }
}

/// How many items each pair has.
fn pairs(items: &[Value]) -> BTreeMap<String, usize> {
    let mut pairs = BTreeMap::new();
    for item in items {
        *pairs
            .entry(item["pair"]["S"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    pairs
}

fn stream_images(api: &mut Api, arn: &str) -> Vec<Value> {
    let described = api.json(
        "dynamodbstreams",
        "DescribeStream",
        &json!({"StreamArn": arn}),
    );
    let described = described.expect(200).json();
    let shard = &described["StreamDescription"]["Shards"][0]["ShardId"];
    let start = json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
    let start = api
        .json("dynamodbstreams", "GetShardIterator", &start)
        .expect(200)
        .json();
    let mut iterator = start["ShardIterator"].clone();
    let mut images = Vec::new();
    loop {
        let input = json!({"ShardIterator": iterator});
        let page = api
            .json("dynamodbstreams", "GetRecords", &input)
            .expect(200)
            .json();
        let records = page["Records"].as_array().unwrap();
        if records.is_empty() {
            return images;
        }
        images.extend(
            records
                .iter()
                .map(|record| record["dynamodb"]["NewImage"].clone()),
        );
        iterator = page["NextShardIterator"].clone();
    }
}

/// A transaction is there whole or not at all, in the table, in its index and in its stream; and it
/// is there if it was acknowledged.
#[test]
fn transactions_are_whole_after_kill_9() {
    let mut server = Server::start();
    let arn = create_table(&mut server.api());
    let acknowledged: Mutex<Vec<String>> = Mutex::default();
    for (round, time) in ROUNDS.iter().enumerate() {
        let killed = &AtomicBool::new(false);
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (mut api, acknowledged) = (server.api(), &acknowledged);
                scope.spawn(move || {
                    for number in 0.. {
                        let name = format!("r{round}c{client}n{number}");
                        let input = write_pair(&name);
                        match api.try_json("dynamodb", "TransactWriteItems", &input) {
                            Ok(answer) => {
                                assert_eq!(answer.status, 200, "{name}: {}", answer.text());
                                acknowledged.lock().unwrap().push(name);
                            }
                            Err(error) => {
                                // What is on the wire when the server dies fails before we know why.
                                std::thread::sleep(Duration::from_millis(100));
                                assert!(
                                    killed.load(Ordering::SeqCst),
                                    "{name} failed alone: {error}"
                                );
                                return;
                            }
                        }
                    }
                });
            }
            std::thread::sleep(*time);
            // Said first, so that no client takes the kill for a failure.
            killed.store(true, Ordering::SeqCst);
            server.kill();
        });
        server.kill_and_restart(&[]);
        let mut api = server.api();
        let in_table = pairs(&all(&mut api, "Scan", &json!({"TableName": "pairs"})));
        let index = json!({"TableName": "pairs", "IndexName": "by-pair"});
        assert_eq!(
            in_table,
            pairs(&all(&mut api, "Scan", &index)),
            "the index differs"
        );
        assert_eq!(
            in_table,
            pairs(&stream_images(&mut api, &arn)),
            "the stream differs"
        );
        assert!(
            in_table.values().all(|count| *count == 2),
            "half a transaction is there"
        );
        let acknowledged = acknowledged.lock().unwrap();
        println!("round {round}: {} acknowledged so far", acknowledged.len());
        assert!(!acknowledged.is_empty());
        for name in acknowledged.iter() {
            assert!(in_table.contains_key(name), "{name} is lost");
        }
    }
}
