//! A table and the calls that are measured on it, of Kagero or of any other server of DynamoDB's API.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::functions::json_call;
use crate::http::Connection;
use crate::measures::{counted, timed};
use crate::statistics::Samples;

pub const NAME: &str = "bench";
pub const CONNECTIONS: usize = 64;
/// How many items [`fill`] puts under one hash key.
const COLLECTION: usize = 100;

/// How much is measured.
#[derive(Clone, Copy)]
pub struct Bound {
    /// Calls on each connection, at most.
    pub each: usize,
    /// After so long no connection begins another.
    pub time: Duration,
}

/// A hash key of text, a range key of numbers.
pub fn definition() -> Value {
    json!({
        "TableName": NAME, "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "N"},
        ],
    })
}

pub fn create(connection: &mut Connection) -> anyhow::Result<()> {
    call(connection, "CreateTable", &definition()).map(drop)
}

/// Puts a hundred items under one hash key.
pub fn fill(connection: &mut Connection) -> anyhow::Result<()> {
    (0..COLLECTION).try_for_each(|number| put(connection, "all", number))
}

/// PutItem of 1 KB, each another item: calls a second, and how long each took.
pub fn put_items(port: u16, bound: Bound) -> anyhow::Result<(f64, Samples)> {
    at_once(port, bound, |connection, number| {
        put(connection, "put", number)
    })
}

/// GetItem of what [`fill`] has put.
pub fn get_items(port: u16, bound: Bound) -> anyhow::Result<(f64, Samples)> {
    at_once(port, bound, |connection, number| {
        let sort = (number % COLLECTION).to_string();
        let key = json!({"pk": {"S": "all"}, "sk": {"N": sort}});
        let input = json!({"TableName": NAME, "Key": key});
        call(connection, "GetItem", &input).map(drop)
    })
}

/// Queries of all that [`fill`] has put, one after the other.
pub fn queries(connection: &mut Connection, count: usize) -> anyhow::Result<Samples> {
    let query = json!({
        "TableName": NAME, "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": "all"}},
    });
    let samples = timed(count, || {
        let found = call(connection, "Query", &query)?;
        anyhow::ensure!(found["Count"] == COLLECTION, "a query found less");
        Ok(())
    })?;
    Ok(Samples::new(samples))
}

/// Puts an item whose sort key is this number.
pub fn put(connection: &mut Connection, hash: &str, number: usize) -> anyhow::Result<()> {
    let item = json!({
        "pk": {"S": hash}, "sk": {"N": number.to_string()}, "content": {"S": "x".repeat(1_000)},
    });
    let input = json!({"TableName": NAME, "Item": item});
    call(connection, "PutItem", &input).map(drop)
}

pub fn call(connection: &mut Connection, operation: &str, input: &Value) -> anyhow::Result<Value> {
    let target = format!("DynamoDB_20120810.{operation}");
    json_call(connection, "dynamodb", &target, input)
}

/// Runs a call so often on each of many connections, each time with another number.
fn at_once(
    port: u16,
    bound: Bound,
    work: impl Fn(&mut Connection, usize) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<(f64, Samples)> {
    let began = Instant::now();
    let samples = counted(CONNECTIONS, |thread| {
        let mut connection = Connection::open(port)?;
        let mut samples = Vec::new();
        while samples.len() < bound.each && began.elapsed() < bound.time {
            let number = thread * bound.each + samples.len();
            samples.extend(timed(1, || work(&mut connection, number))?);
        }
        Ok(samples)
    })?;
    let rate = samples.len() as f64 / began.elapsed().as_secs_f64();
    Ok((rate, Samples::new(samples)))
}
