//! Asynchronous invocation and what follows it, through boto3.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use conformance::{Api, Request, Script, Server, python, root, until};
use serde_json::{Value, json};

const EVENTS: usize = 40;
const REGION: &str = "us-east-1";

#[test]
fn boto3() {
    let server = Server::start();
    let script = root().join("conformance/clients/event_invoke.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .run()
        .expect_success();
    assert!(
        transcript.stdout.ends_with("configurations ok\n"),
        "{}",
        transcript.stdout
    );
}

/// Some events wait, some run and some have been recorded when the server dies.
#[test]
fn every_acknowledged_event_has_its_record_after_kill_9() {
    let mut server = Server::start();
    let mut api = server.api();
    let queue = api.queue("done");
    api.python_function("slow", SLOW);
    let destination = format!("arn:aws:sqs:{REGION}:000000000000:done");
    let config = json!({"DestinationConfig": {"OnSuccess": {"Destination": destination}}});
    let path = "/2019-09-25/functions/slow/event-invoke-config";
    let put = api.lambda("PUT", path, &config);
    assert_eq!(put.status, 200, "{}", put.text());
    for number in 0..EVENTS {
        send(&mut api, number);
    }
    until("a record is there", || {
        let records = count(&mut api, &queue);
        (records > 0).then_some(())
    });
    server.kill_and_restart(&[]);
    let mut api = server.api();
    let mut seen = BTreeSet::new();
    until("every event has its record", || {
        seen.extend(receive(&mut api, &queue));
        (seen.len() == EVENTS).then_some(())
    });
}

const SLOW: &str = "import time
def handler(event, context):
    time.sleep(0.02)
";

fn send(api: &mut Api, number: usize) {
    let body = json!({"n": number}).to_string();
    let path = "/2015-03-31/functions/slow/invocations";
    let request = Request::new("lambda", "POST", path)
        .header("x-amz-invocation-type", "Event")
        .body(body.as_bytes());
    assert_eq!(api.send(&request).status, 202);
}

fn count(api: &mut Api, queue: &str) -> u64 {
    let input = json!({"QueueUrl": queue, "AttributeNames": ["ApproximateNumberOfMessages"]});
    let answer = api.json("sqs", "GetQueueAttributes", &input).expect(200);
    let count = answer.json()["Attributes"]["ApproximateNumberOfMessages"].clone();
    count.as_str().unwrap().parse().unwrap()
}

/// The numbers of the events whose records a receive brings.
fn receive(api: &mut Api, queue: &str) -> Vec<u64> {
    let input = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1});
    let answer = api.json("sqs", "ReceiveMessage", &input).expect(200).json();
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    let number = |message: &Value| {
        let record: Value = serde_json::from_str(message["Body"].as_str().unwrap()).unwrap();
        record["requestPayload"]["n"].as_u64().unwrap()
    };
    messages.iter().map(number).collect()
}
