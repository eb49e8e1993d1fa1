//! Lambda on the stream of a table, through boto3 and over `kill -9`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use conformance::{Api, Script, Server, python, root, until};
use serde_json::{Value, json};

const ITEMS: usize = 40;

/// Fails always: every change is told to the queue, after it has run.
const FAILS: &str = "import time
def handler(event, context):
    time.sleep(0.02)
    raise ValueError('no')
";

#[test]
fn boto3() {
    let server = Server::start();
    let script = root().join("conformance/clients/streams.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("mapping ok\n"),
        "{}",
        transcript.stdout
    );
}

/// Some changes have been given up, some are in hand and some wait when the server dies.
#[test]
fn every_change_reaches_the_function_over_kill_9() {
    let mut server = Server::start();
    let mut api = server.api();
    let queue = api.queue("lost");
    api.python_function("fails", FAILS);
    let stream = table(&mut api);
    let mapping = json!({
        "FunctionName": "fails", "EventSourceArn": stream, "StartingPosition": "LATEST",
        "BatchSize": 1, "MaximumRetryAttempts": 0,
        "DestinationConfig": {
            "OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:lost"},
        },
    });
    let made = api.lambda("POST", "/2015-03-31/event-source-mappings", &mapping);
    assert_eq!(made.status, 202, "{}", made.text());
    for number in 0..ITEMS {
        let item = json!({"id": {"S": number.to_string()}});
        let input = json!({"TableName": "orders", "Item": item});
        call(&mut api, "PutItem", &input);
    }
    let mut seen = BTreeSet::new();
    until("the first is given up", || {
        seen.extend(receive(&mut api, &queue));
        (!seen.is_empty()).then_some(())
    });
    server.kill_and_restart(&[]);
    let mut api = server.api();
    until("every change has been given up", || {
        seen.extend(receive(&mut api, &queue));
        (seen.len() == ITEMS).then_some(())
    });
}

fn call(api: &mut Api, operation: &str, input: &Value) -> Value {
    api.json("dynamodb", operation, input).expect(200).json()
}

fn table(api: &mut Api) -> Value {
    let input = json!({
        "TableName": "orders",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "KEYS_ONLY"},
    });
    call(api, "CreateTable", &input)["TableDescription"]["LatestStreamArn"].clone()
}

/// The sequence numbers of the changes that a receive tells of.
fn receive(api: &mut Api, queue: &str) -> Vec<String> {
    let input = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1});
    let answer = api.json("sqs", "ReceiveMessage", &input).expect(200).json();
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    let number = |message: &Value| {
        let record: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
        let number = record["DDBStreamBatchInfo"]["startSequenceNumber"].clone();
        number.as_str().unwrap().to_owned()
    };
    messages.iter().map(number).collect()
}
