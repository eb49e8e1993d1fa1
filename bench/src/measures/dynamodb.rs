//! DynamoDB: durable writes, reads, and queries, over HTTP.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{counted, timed};
use crate::functions::json_call;
use crate::http::Connection;
use crate::server::Server;
use crate::statistics::{Samples, ms};
use crate::{Row, Tools, floors};

const CONNECTIONS: usize = 64;

pub(super) fn durable_put_item(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const EACH: usize = 500;
    let server = with_table(tools)?;
    let (rate, samples) = at_once(server.port, EACH, |connection, number| {
        call(
            connection,
            "PutItem",
            &json!({"TableName": "bench", "Item": item("put", number)}),
        )
    })?;
    Ok(vec![Row {
        what: "durable PutItem of 1 KB, 64 connections",
        measured: format!("{rate:.0}/s; {}", samples.summary()),
        floor: format!(
            "1 KB fsync, one by one: p50 {}",
            ms(floors::fsync(1_024, 200)?.p50())
        ),
        promise: "≥ 8,000/s",
        kept: rate >= 8_000.0,
    }])
}

pub(super) fn get_item(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const EACH: usize = 1_000;
    let server = with_collection(tools)?;
    let (rate, samples) = at_once(server.port, EACH, |connection, number| {
        let key = json!({"pk": {"S": "all"}, "sk": {"N": (number % 100).to_string()}});
        call(
            connection,
            "GetItem",
            &json!({"TableName": "bench", "Key": key}),
        )
    })?;
    Ok(vec![Row {
        what: "GetItem of 1 KB, 64 connections",
        measured: format!("{rate:.0}/s; {}", samples.summary()),
        floor: String::new(),
        promise: "≥ 15,000/s",
        kept: rate >= 15_000.0,
    }])
}

pub(super) fn query_100(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    let server = with_collection(tools)?;
    let mut connection = server.connect()?;
    let query = json!({
        "TableName": "bench", "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "all"}},
    });
    let samples = Samples::new(timed(500, || call(&mut connection, "Query", &query))?);
    Ok(vec![Row {
        what: "Query of 100 items of 1 KB, one connection",
        measured: samples.summary(),
        floor: String::new(),
        promise: "p50 ≤ 2 ms",
        kept: samples.p50() <= Duration::from_millis(2),
    }])
}

/// Runs a call so often on each of many connections, each time with another number.
fn at_once(
    port: u16,
    each: usize,
    work: impl Fn(&mut Connection, usize) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<(f64, Samples)> {
    let began = Instant::now();
    let samples = counted(CONNECTIONS, |thread| {
        let mut connection = Connection::open(port)?;
        let mut number = thread * each;
        timed(each, || {
            number += 1;
            work(&mut connection, number)
        })
    })?;
    let rate = samples.len() as f64 / began.elapsed().as_secs_f64();
    Ok((rate, Samples::new(samples)))
}

fn with_table(tools: &Tools) -> anyhow::Result<Server> {
    let server = Server::start(&tools.kagero)?;
    let table = json!({
        "TableName": "bench", "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
    });
    call(&mut server.connect()?, "CreateTable", &table)?;
    Ok(server)
}

/// A table with a hundred items of one hash key.
fn with_collection(tools: &Tools) -> anyhow::Result<Server> {
    let server = with_table(tools)?;
    let mut connection = server.connect()?;
    for number in 0..100 {
        let input = json!({"TableName": "bench", "Item": item("all", number)});
        call(&mut connection, "PutItem", &input)?;
    }
    Ok(server)
}

fn item(hash: &str, number: usize) -> Value {
    json!({
        "pk": {"S": hash}, "sk": {"N": number.to_string()}, "content": {"S": "x".repeat(1_000)},
    })
}

fn call(connection: &mut Connection, operation: &str, input: &Value) -> anyhow::Result<()> {
    let target = format!("DynamoDB_20120810.{operation}");
    json_call(connection, "dynamodb", &target, input).map(drop)
}
