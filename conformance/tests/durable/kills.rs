//! `kill -9` between any two checkpoints: what was acknowledged is used, and not done again.

use std::collections::BTreeMap;

use conformance::{Api, Server, until};
use serde_json::{Value, json};

use crate::support::{begin, durable, ended, history, layer};

/// Each step counts itself where the count outlives the server.
const SOURCE: &str = r#"
import boto3, uuid
from aws_durable_execution_sdk_python import durable_execution
from aws_durable_execution_sdk_python.config import Duration

table = None

def counted(execution, number):
    def run(step):
        global table
        table = table or boto3.client("dynamodb")
        table.update_item(
            TableName="runs", Key={"id": {"S": f"{execution}-{number}"}},
            UpdateExpression="ADD runs :one", ExpressionAttributeValues={":one": {"N": "1"}})
        return str(uuid.uuid4())
    return run

@durable_execution
def handler(event, context):
    results = []
    for number in range(event["steps"]):
        results.append(context.step(counted(event["name"], number), name=f"step-{number}"))
        if number % 2 == 1:
            context.wait(Duration.from_seconds(1), name=f"wait-{number}")
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

fn runs(api: &mut Api, name: &str, step: &str) -> Value {
    let number = step.trim_start_matches("step-");
    let key = json!({"id": {"S": format!("{name}-{number}")}});
    let input = json!({"TableName": "runs", "Key": key, "ConsistentRead": true});
    let answer = api.json("dynamodb", "GetItem", &input).expect(200).json();
    answer["Item"]["runs"]["N"].clone()
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
    for boundary in 0..=STEPS {
        let name = format!("kill-{boundary}");
        let arn = begin(&mut api, "walk", &json!({"name": name, "steps": STEPS}));
        let before = until("the boundary is reached", || {
            let done = acknowledged(&mut api, &arn);
            (done.len() >= boundary).then_some(done)
        });
        let counts: Vec<Value> = before
            .keys()
            .map(|step| runs(&mut api, &name, step))
            .collect();
        server.kill_and_restart(&[]);
        api = server.api();
        let got = ended(&mut api, &arn);
        assert_eq!(got["Status"], "SUCCEEDED", "{got}");
        let after = acknowledged(&mut api, &arn);
        assert_eq!(after.len(), STEPS);
        for ((step, result), count) in before.iter().zip(&counts) {
            assert_eq!(after[step], *result, "{step} has another result");
            assert_eq!(runs(&mut api, &name, step), *count, "{step} ran again");
        }
        // Each recorded result is used, once and in its place.
        let results: Vec<String> = serde_json::from_str(got["Result"].as_str().unwrap()).unwrap();
        let recorded: Vec<String> = after
            .values()
            .map(|result| serde_json::from_str(result.as_str().unwrap()).unwrap())
            .collect();
        assert_eq!(results, recorded);
        // Nor is there a second event of any step.
        let events = history(&mut api, &arn);
        let succeeded = events
            .iter()
            .filter(|it| it["EventType"] == "StepSucceeded");
        assert_eq!(succeeded.count(), STEPS);
    }
}
