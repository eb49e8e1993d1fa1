//! DynamoDB through `kill -9` in the middle of transactions: each is there whole or not at all, it is
//! there if it was acknowledged, and the stream tells of exactly what is in the table.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use conformance::{Api, Server};
use serde_json::{Value, json};

/// When the server is killed, in each round, in milliseconds.
const ROUNDS: [u64; 5] = [900, 350, 1_400, 600, 1_100];
const CLIENTS: usize = 6;
const ACCOUNTS: usize = 4;
const BALANCE: i64 = 1_000;
const TABLE: &str = "ledger";

/// Whether a pair of items is to be there. One whose last write was not answered may be either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    There,
    Gone,
    Unsure,
}

/// What clients know of pairs and of receipts, by their names.
type Ledger = Mutex<BTreeMap<String, Known>>;

type Items = BTreeMap<String, Value>;

fn create_table(api: &mut Api) -> String {
    let input = json!({
        "TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "pair", "AttributeType": "S"},
        ],
        "GlobalSecondaryIndexes": [{
            "IndexName": "by-pair", "Projection": {"ProjectionType": "ALL"},
            "KeySchema": [{"AttributeName": "pair", "KeyType": "HASH"}],
        }],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    });
    let created = api.json("dynamodb", "CreateTable", &input).expect(200);
    let table = created.json()["TableDescription"].clone();
    for account in 0..ACCOUNTS {
        let item = json!({"id": {"S": account_id(account)}, "balance": {"N": BALANCE.to_string()}});
        let input = json!({"TableName": TABLE, "Item": item});
        let _ = api.json("dynamodb", "PutItem", &input).expect(200);
    }
    table["LatestStreamArn"].as_str().unwrap().to_owned()
}

fn account_id(account: usize) -> String {
    format!("account-{account}")
}

fn put(name: &str, side: &str) -> Value {
    let item = json!({"id": {"S": format!("{name}-{side}")}, "pair": {"S": name}});
    json!({"Put": {"TableName": TABLE, "Item": item}})
}

fn delete(name: &str, side: &str) -> Value {
    let key = json!({"id": {"S": format!("{name}-{side}")}});
    json!({"Delete": {"TableName": TABLE, "Key": key}})
}

fn pay(account: usize, amount: i64) -> Value {
    json!({"Update": {
        "TableName": TABLE, "Key": {"id": {"S": account_id(account)}},
        "UpdateExpression": "SET balance = balance + :amount",
        "ExpressionAttributeValues": {":amount": {"N": amount.to_string()}},
    }})
}

/// One client's transactions, until the server is gone: pairs that come and go, and transfers that
/// others are in the way of.
fn work(api: &mut Api, prefix: &str, ledger: &Ledger, killed: &AtomicBool) {
    for number in 0.. {
        let name = format!("{prefix}n{number}");
        let (name, actions, done) = match number % 3 {
            0 => {
                let actions = vec![put(&name, "left"), put(&name, "right")];
                (name, actions, Known::There)
            }
            1 => {
                let (from, to) = (number % ACCOUNTS, (number + 1) % ACCOUNTS);
                let receipts = [put(&name, "left"), put(&name, "right")];
                let actions = [pay(from, -1), pay(to, 1)].into_iter().chain(receipts);
                (name, actions.collect(), Known::There)
            }
            _ => {
                let earlier = format!("{prefix}n{}", number - 2);
                let actions = vec![delete(&earlier, "left"), delete(&earlier, "right")];
                (earlier, actions, Known::Gone)
            }
        };
        let before = ledger
            .lock()
            .unwrap()
            .insert(name.clone(), Known::Unsure)
            .unwrap_or(Known::Gone);
        let answer: io::Result<_> = api.try_json(
            "dynamodb",
            "TransactWriteItems",
            &json!({"TransactItems": actions}),
        );
        let now = match answer {
            Ok(answer) if answer.status == 200 => done,
            // Another transfer was in the way, and nothing is written.
            Ok(answer) => {
                assert!(
                    answer.text().contains("TransactionConflict"),
                    "{name}: {}",
                    answer.text()
                );
                before
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
        };
        ledger.lock().unwrap().insert(name, now);
    }
}

/// Everything a paged scan finds, by id.
fn scan(api: &mut Api, index: Option<&str>) -> Items {
    let mut found = Items::new();
    let mut input = json!({"TableName": TABLE});
    if let Some(index) = index {
        input["IndexName"] = json!(index);
    }
    loop {
        let page = api.json("dynamodb", "Scan", &input).expect(200).json();
        for item in page["Items"].as_array().unwrap() {
            found.insert(id(item), item.clone());
        }
        match page.get("LastEvaluatedKey") {
            Some(key) => input["ExclusiveStartKey"] = key.clone(),
            None => return found,
        }
    }
}

fn id(item: &Value) -> String {
    item["id"]["S"].as_str().unwrap().to_owned()
}

/// What the table must hold by its stream alone. Every record must follow from those before it.
fn replay(api: &mut Api, arn: &str) -> Items {
    let mut ask = |operation: &str, input: &Value| {
        let answer = api.json("dynamodbstreams", operation, input);
        answer.expect(200).json()
    };
    let described = ask("DescribeStream", &json!({"StreamArn": arn}));
    let shard = &described["StreamDescription"]["Shards"][0]["ShardId"];
    let start = json!({"StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"});
    let mut iterator = ask("GetShardIterator", &start)["ShardIterator"].clone();
    let mut state = Items::new();
    let mut last = String::new();
    loop {
        let page = ask("GetRecords", &json!({"ShardIterator": iterator}));
        let records = page["Records"].as_array().unwrap();
        if records.is_empty() {
            return state;
        }
        for record in records {
            let change = &record["dynamodb"];
            let sequence = change["SequenceNumber"].as_str().unwrap().to_owned();
            assert!(sequence > last, "{sequence} comes after {last}");
            last = sequence;
            let id = id(&change["Keys"]);
            assert_eq!(
                state.get(&id),
                change.get("OldImage"),
                "the old image of {record}"
            );
            match change.get("NewImage") {
                Some(image) => state.insert(id, image.clone()),
                None => state.remove(&id),
            };
        }
        iterator = page["NextShardIterator"].clone();
    }
}

fn check(api: &mut Api, arn: &str, ledger: &mut BTreeMap<String, Known>) {
    let items = scan(api, None);
    assert_eq!(items, replay(api, arn), "the stream differs from the table");
    let mut pairs = items.clone();
    pairs.retain(|_, item| item.get("pair").is_some());
    assert_eq!(pairs, scan(api, Some("by-pair")), "the index differs");
    let balances = items.values().filter_map(|item| item.get("balance"));
    let sum: i64 = balances
        .map(|balance| balance["N"].as_str().unwrap().parse::<i64>().unwrap())
        .sum();
    assert_eq!(sum, BALANCE * ACCOUNTS as i64, "half a transfer is there");
    for (name, known) in ledger {
        let side = |side: &str| items.contains_key(&format!("{name}-{side}"));
        assert_eq!(side("left"), side("right"), "half of {name} is there");
        let found = if side("left") {
            Known::There
        } else {
            Known::Gone
        };
        assert!(
            *known == found || *known == Known::Unsure,
            "{name} is {found:?}, and was to be {known:?}"
        );
        // A write that no one answered is decided now.
        *known = found;
    }
}

#[test]
fn transactions_are_whole_and_the_stream_is_exact_after_kill_9() {
    let mut server = Server::start();
    let arn = create_table(&mut server.api());
    let ledger = Ledger::default();
    for (round, time) in ROUNDS.into_iter().enumerate() {
        let known_before = ledger.lock().unwrap().len();
        let killed = &AtomicBool::new(false);
        std::thread::scope(|scope| {
            for client in 0..CLIENTS {
                let (mut api, ledger) = (server.api(), &ledger);
                let prefix = format!("r{round}c{client}");
                scope.spawn(move || work(&mut api, &prefix, ledger, killed));
            }
            std::thread::sleep(Duration::from_millis(time));
            // Said first, so that no client takes the kill for a failure.
            killed.store(true, Ordering::SeqCst);
            server.kill();
        });
        server.kill_and_restart(&[]);
        let mut ledger = ledger.lock().unwrap();
        println!("round {round}: {} pairs so far", ledger.len());
        assert!(ledger.len() > known_before, "nothing was done");
        check(&mut server.api(), &arn, &mut ledger);
    }
}
