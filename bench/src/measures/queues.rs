//! SQS as a consumer meets it: received and deleted one by one, and by a function in tens.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};

use super::counted;
use crate::functions::{NO_OP, Package, create, json_call};
use crate::http::Connection;
use crate::server::Server;
use crate::{Row, Tools};

const CONNECTIONS: usize = 64;
const DELETE: &str =
    "content-type: application/x-amz-json-1.0\r\nx-amz-target: AmazonSQS.DeleteMessage\r\n";

fn sqs(connection: &mut Connection, operation: &str, input: &Value) -> anyhow::Result<Value> {
    json_call(connection, "sqs", &format!("AmazonSQS.{operation}"), input)
}

fn create_queue(connection: &mut Connection) -> anyhow::Result<Value> {
    let input = json!({"QueueName": "bench", "Attributes": {"VisibilityTimeout": "120"}});
    Ok(sqs(connection, "CreateQueue", &input)?["QueueUrl"].clone())
}

/// Fills a queue with so many messages of 1 KB, a multiple of the connections and ten.
fn fill(port: u16, queue: &Value, messages: usize) -> anyhow::Result<()> {
    let entry = |id: usize| json!({"Id": id.to_string(), "MessageBody": "x".repeat(1_024)});
    let entries: Vec<_> = (0..10).map(entry).collect();
    let input = json!({"QueueUrl": queue, "Entries": entries});
    counted(CONNECTIONS, |_| {
        let mut connection = Connection::open(port)?;
        for _ in 0..messages / CONNECTIONS / 10 {
            let answer = sqs(&mut connection, "SendMessageBatch", &input)?;
            let failed = answer["Failed"].as_array();
            ensure!(failed.is_none_or(Vec::is_empty), "{answer}");
        }
        Ok(vec![()])
    })?;
    Ok(())
}

pub(super) fn receive_and_delete(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const MESSAGES: usize = 32_000;
    let server = Server::start(&tools.kagero)?;
    let queue = create_queue(&mut server.connect()?)?;
    fill(server.port, &queue, MESSAGES)?;
    let receive = json!({"QueueUrl": queue});
    let began = Instant::now();
    let done = counted(CONNECTIONS, |_| {
        let mut connection = Connection::open(server.port)?;
        let mut done = Vec::new();
        loop {
            let answer = sqs(&mut connection, "ReceiveMessage", &receive)?;
            let Some(message) = answer["Messages"].get(0) else {
                return Ok(done);
            };
            let handle = &message["ReceiptHandle"];
            let delete = json!({"QueueUrl": queue, "ReceiptHandle": handle});
            let body = delete.to_string();
            // The answer is empty.
            connection.expect("sqs", "POST", "/", DELETE, body.as_bytes())?;
            done.push(());
        }
    })?;
    let rate = done.len() as f64 / began.elapsed().as_secs_f64();
    ensure!(done.len() == MESSAGES, "{} of {MESSAGES}", done.len());
    Ok(vec![Row {
        what: "ReceiveMessage and DeleteMessage of 1 KB, one by one, 64 connections",
        measured: format!("{rate:.0} messages/s"),
        floor: "-".to_owned(),
        promise: "≥ 8,000/s",
        kept: rate >= 8_000.0,
    }])
}

pub(super) fn through_a_function(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const MESSAGES: usize = 32_000;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    create(&mut connection, "no-op", &Package::python(tools, NO_OP)?)?;
    let queue = create_queue(&mut connection)?;
    let mapping = json!({
        "FunctionName": "no-op",
        "EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:bench",
        "BatchSize": 10,
    });
    let path = "/2015-03-31/event-source-mappings";
    let id = lambda(&mut connection, "POST", path, &mapping)?["UUID"].clone();
    let path = format!("{path}/{}", id.as_str().context("an id")?);
    // Environments start for these.
    fill(server.port, &queue, 1_280)?;
    until_empty(&mut connection, &queue)?;
    set_enabled(&mut connection, &path, false)?;
    fill(server.port, &queue, MESSAGES)?;
    let began = Instant::now();
    set_enabled(&mut connection, &path, true)?;
    until_empty(&mut connection, &queue)?;
    let rate = MESSAGES as f64 / began.elapsed().as_secs_f64();
    Ok(vec![Row {
        what: "SQS through a no-op Python function, ten at a time",
        measured: format!("{rate:.0} messages/s, enabling the mapping among it"),
        floor: "-".to_owned(),
        promise: "≥ 5,000/s",
        kept: rate >= 5_000.0,
    }])
}

fn lambda(
    connection: &mut Connection,
    method: &str,
    path: &str,
    input: &Value,
) -> anyhow::Result<Value> {
    let headers = "content-type: application/json\r\n";
    let body = input.to_string();
    let answer = connection.expect("lambda", method, path, headers, body.as_bytes())?;
    Ok(serde_json::from_slice(&answer)?)
}

fn set_enabled(connection: &mut Connection, path: &str, enabled: bool) -> anyhow::Result<()> {
    lambda(connection, "PUT", path, &json!({"Enabled": enabled}))?;
    let wanted = if enabled { "Enabled" } else { "Disabled" };
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = connection.expect("lambda", "GET", path, "", b"")?;
        let mapping: Value = serde_json::from_slice(&answer)?;
        if mapping["State"] == wanted {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the mapping is {} and not {wanted}", mapping["State"]);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn until_empty(connection: &mut Connection, queue: &Value) -> anyhow::Result<()> {
    let names = [
        "ApproximateNumberOfMessages",
        "ApproximateNumberOfMessagesNotVisible",
    ];
    let input = json!({"QueueUrl": queue, "AttributeNames": names});
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let answer = sqs(connection, "GetQueueAttributes", &input)?;
        let left = |name: &str| answer["Attributes"][name] != "0";
        if !names.into_iter().any(left) {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("messages are left: {answer}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
