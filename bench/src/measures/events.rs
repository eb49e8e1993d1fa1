//! Events from other services: from what caused them until the handler runs.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::unix_nanos;
use crate::functions::{CLOCKED, Package, create, json_call, sightings};
use crate::http::Connection;
use crate::server::Server;
use crate::statistics::{Samples, ms};
use crate::{Row, Tools, floors, table};

/// Events sent first, that are not measured.
const WARM_UP: usize = 20;
/// Between events. Those of a stream come one after the other, so that they are given more time.
const PAUSE: Duration = Duration::from_millis(5);

pub(super) fn sqs_to_function(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const MESSAGES: usize = 300;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    create(
        &mut connection,
        "on-message",
        &Package::python(tools, CLOCKED)?,
    )?;
    let queue = json_call(
        &mut connection,
        "sqs",
        "AmazonSQS.CreateQueue",
        &json!({"QueueName": "bench", "Attributes": {"VisibilityTimeout": "60"}}),
    )?["QueueUrl"]
        .clone();
    let mapping = json!({
        "FunctionName": "on-message",
        "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:bench",
        "BatchSize": 1,
    });
    map(&mut connection, &mapping)?;
    let mut send = |body: &str| {
        let input = json!({"QueueUrl": queue, "MessageBody": body});
        json_call(&mut connection, "sqs", "AmazonSQS.SendMessage", &input).map(drop)
    };
    let latencies = latencies(MESSAGES, PAUSE, &mut send)?;
    let seen = sightings(&mut connection, "on-message", MESSAGES + WARM_UP)?;
    let samples = differences(&latencies, seen);
    Ok(vec![Row {
        what: "SQS message sent → warm handler running",
        measured: samples.summary(),
        floor: format!(
            "1 KB fsync here: p50 {}",
            ms(floors::fsync(1_024, 200)?.p50())
        ),
        promise: "p50 ≤ 2 ms",
        kept: samples.p50() <= Duration::from_millis(2),
    }])
}

pub(super) fn s3_to_function(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const OBJECTS: usize = 300;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    create(
        &mut connection,
        "on-object",
        &Package::python(tools, CLOCKED)?,
    )?;
    connection.expect("s3", "PUT", "/bench-bucket", "", b"")?;
    let configuration = "<NotificationConfiguration><CloudFunctionConfiguration>\
        <CloudFunction>arn:aws:lambda:us-east-1:000000000000:function:on-object</CloudFunction>\
        <Event>s3:ObjectCreated:*</Event></CloudFunctionConfiguration></NotificationConfiguration>";
    connection.expect(
        "s3",
        "PUT",
        "/bench-bucket?notification",
        "",
        configuration.as_bytes(),
    )?;
    let content = vec![b'x'; 1_024];
    let mut put = |key: &str| {
        connection
            .expect("s3", "PUT", &format!("/bench-bucket/{key}"), "", &content)
            .map(drop)
    };
    let latencies = latencies(OBJECTS, PAUSE, &mut put)?;
    let seen = sightings(&mut connection, "on-object", OBJECTS + WARM_UP)?;
    let samples = differences(&latencies, seen);
    Ok(vec![Row {
        what: "S3 put → warm handler running",
        measured: samples.summary(),
        floor: format!(
            "1 KB fsync here: p50 {}",
            ms(floors::fsync(1_024, 200)?.p50())
        ),
        promise: "p50 ≤ 5 ms",
        kept: samples.p50() <= Duration::from_millis(5),
    }])
}

pub(super) fn stream_to_function(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const WRITES: usize = 300;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    create(
        &mut connection,
        "on-change",
        &Package::python(tools, CLOCKED)?,
    )?;
    let table = json!({
        "TableName": "bench", "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    });
    let created = table::call(&mut connection, "CreateTable", &table)?;
    let mapping = json!({
        "FunctionName": "on-change",
        "EventSourceArn": created["TableDescription"]["LatestStreamArn"],
        "StartingPosition": "TRIM_HORIZON",
        "BatchSize": 1,
    });
    map(&mut connection, &mapping)?;
    let content = "x".repeat(1_000);
    let mut write = |id: &str| {
        let item = json!({"id": {"S": id}, "content": {"S": content}});
        let input = json!({"TableName": "bench", "Item": item});
        table::call(&mut connection, "PutItem", &input).map(drop)
    };
    let latencies = latencies(WRITES, 4 * PAUSE, &mut write)?;
    let seen = sightings(&mut connection, "on-change", WRITES + WARM_UP)?;
    let samples = differences(&latencies, seen);
    Ok(vec![Row {
        what: "DynamoDB write → stream → warm handler running",
        measured: samples.summary(),
        floor: format!(
            "1 KB fsync here: p50 {}",
            ms(floors::fsync(1_024, 200)?.p50())
        ),
        promise: "p50 ≤ 10 ms",
        kept: samples.p50() <= Duration::from_millis(10),
    }])
}

/// Creates an event source mapping.
fn map(connection: &mut Connection, mapping: &Value) -> anyhow::Result<()> {
    let path = "/2015-03-31/event-source-mappings";
    let headers = "content-type: application/json\r\n";
    let body = mapping.to_string();
    connection
        .expect("lambda", "POST", path, headers, body.as_bytes())
        .map(drop)
}

/// Sends events one at a time, spaced so that each meets an idle system, and notes when.
fn latencies(
    count: usize,
    pause: Duration,
    send: &mut dyn FnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<HashMap<String, u64>> {
    let mut sent = HashMap::new();
    for number in 0..count + WARM_UP {
        let id = format!("event-{number}");
        let at = unix_nanos();
        send(&id)?;
        if number >= WARM_UP {
            sent.insert(id, at);
        }
        std::thread::sleep(pause);
    }
    Ok(sent)
}

fn differences(sent: &HashMap<String, u64>, seen: Vec<(String, u64)>) -> Samples {
    let spans = seen
        .into_iter()
        .filter_map(|(id, at)| Some(Duration::from_nanos(at.saturating_sub(*sent.get(&id)?))));
    Samples::new(spans.collect())
}
