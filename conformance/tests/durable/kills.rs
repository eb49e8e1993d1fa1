//! `kill -9` between any two checkpoints: what was acknowledged is used, and not done again.

use std::collections::BTreeMap;

use conformance::{Api, Server, until};
use serde_json::{Value, json};

use crate::support::{begin, durable, ended, history, kinds, layer};

/// Each step counts itself where the count outlives the server. What `hold` names does not go on the
/// first time, so that the kill finds it exactly there.
const SOURCE: &str = r#"
import boto3, time, uuid
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration

table = None

def count(event, name):
    global table
    table = table or boto3.client("dynamodb")
    runs = table.update_item(
        TableName="runs", Key={"id": {"S": f"{event['name']} {name}"}}, ReturnValues="UPDATED_NEW",
        UpdateExpression="ADD runs :one", ExpressionAttributeValues={":one": {"N": "1"}})
    if event["hold"] == name and runs["Attributes"]["runs"]["N"] == "1":
        time.sleep(600)

def counted(event, name):
    def run(step):
        count(event, name)
        return str(uuid.uuid4())
    return run

@durable_execution
def handler(event, context):
    results = []
    for number in range(event["steps"]):
        name = f"step-{number}"
        results.append(context.step(counted(event, name), name=name))
        if number % 2 == 1:
            name = f"wait-{number}"
            long = event["hold"] == name
            context.wait(Duration.from_seconds(4 if long else 1), name=name)
    count(event, "end")
    return results
"#;

const STEPS: usize = 6;

/// The results of the steps that have been acknowledged.
fn acknowledged(api: &mut Api, arn: &str) -> BTreeMap<String, Value> {
    let events = history(api, arn);
    let done = events
        .iter()
        .filter(|event| event["EventType"] == "StepSucceeded");
    done.map(|event| {
        let result = event["StepSucceededDetails"]["Result"]["Payload"].clone();
        (event["Name"].as_str().unwrap().to_owned(), result)
    })
    .collect()
}

/// How often something has run.
fn runs(api: &mut Api, execution: &str, name: &str) -> usize {
    let key = json!({"id": {"S": format!("{execution} {name}")}});
    let input = json!({"TableName": "runs", "Key": key, "ConsistentRead": true});
    let answer = api.json("dynamodb", "GetItem", &input).expect(200).json();
    let runs = answer["Item"]["runs"]["N"].as_str();
    runs.map_or(0, |runs| runs.parse().unwrap())
}

/// Every place between two checkpoints: in each step, in each wait, and before the end. Beside it,
/// how many steps have been acknowledged there.
fn boundaries() -> Vec<(String, usize)> {
    let mut all = Vec::new();
    for number in 0..STEPS {
        all.push((format!("step-{number}"), number));
        if number % 2 == 1 {
            all.push((format!("wait-{number}"), number + 1));
        }
    }
    all.push(("end".to_owned(), STEPS));
    all
}

#[test]
fn at_every_boundary() {
    let mut server = Server::start();
    let mut api = server.api();
    let layer = layer(&mut api, "python");
    durable(&mut api, "walk", "walk.py", SOURCE, &layer, &json!({}));
    let table = json!({
        "TableName": "runs",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    });
    let _ = api.json("dynamodb", "CreateTable", &table).expect(200);
    for (hold, done) in boundaries() {
        let name = format!("killed at {hold}");
        let event = json!({"name": name, "hold": hold, "steps": STEPS});
        let arn = begin(&mut api, "walk", &event);
        let is_wait = hold.starts_with("wait");
        until("the boundary is reached", || {
            let is_there = if is_wait {
                let events = history(&mut api, &arn);
                let begun =
                    |it: &Value| it["EventType"] == "WaitStarted" && it["Name"] == hold.as_str();
                events.iter().any(begun)
            } else {
                runs(&mut api, &name, &hold) == 1
            };
            is_there.then_some(())
        });
        let before = acknowledged(&mut api, &arn);
        // A wait ends by itself, however slow this machine is.
        let is_exact = before.len() == done || is_wait && before.len() > done;
        assert!(is_exact, "{hold}: {before:?}");
        server.kill_and_restart(&[]);
        api = server.api();
        let got = ended(&mut api, &arn);
        assert_eq!(got["Status"], "SUCCEEDED", "{hold}: {got}");
        let after = acknowledged(&mut api, &arn);
        assert_eq!(after.len(), STEPS);
        for (step, result) in &before {
            assert_eq!(after[step], *result, "{hold}: {step} has another result");
        }
        for step in after.keys().map(String::as_str).chain(["end"]) {
            // Only what was under way, and had not been acknowledged, has run again.
            let expected = if step == hold { 2 } else { 1 };
            assert_eq!(runs(&mut api, &name, step), expected, "{hold}: {step}");
        }
        // Each recorded result is used, once and in its place.
        let results: Vec<String> = serde_json::from_str(got["Result"].as_str().unwrap()).unwrap();
        let recorded: Vec<String> = after
            .values()
            .map(|result| serde_json::from_str(result.as_str().unwrap()).unwrap())
            .collect();
        assert_eq!(results, recorded, "{hold}");
        // Nor is there a second event of any step or wait.
        let events = history(&mut api, &arn);
        let kinds = kinds(&events);
        let count = |kind: &str| kinds.iter().filter(|it| **it == kind).count();
        assert_eq!(count("StepSucceeded"), STEPS, "{hold}: {kinds:?}");
        for kind in ["WaitStarted", "WaitSucceeded"] {
            assert_eq!(count(kind), STEPS / 2, "{hold}: {kinds:?}");
        }
    }
}
