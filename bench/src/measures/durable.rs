//! Acknowledged means on the disk: what that costs.

use std::time::{Duration, Instant};

use serde_json::json;

use super::timed;
use crate::functions::json_call;
use crate::http::Connection;
use crate::server::Server;
use crate::statistics::{Samples, ms};
use crate::{Row, Tools, floors};

pub(super) fn durable_send(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const CONNECTIONS: usize = 64;
    const EACH: usize = 500;
    let server = Server::start(&tools.kagero)?;
    let create = json!({"QueueName": "bench"});
    let queue = json_call(
        &mut server.connect()?,
        "sqs",
        "AmazonSQS.CreateQueue",
        &create,
    )?["QueueUrl"]
        .clone();
    let input = json!({"QueueUrl": queue, "MessageBody": "x".repeat(1_024)});
    let port = server.port;
    let began = Instant::now();
    let senders: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let input = input.clone();
            std::thread::spawn(move || -> anyhow::Result<Vec<Duration>> {
                let mut connection = Connection::open(port)?;
                timed(EACH, || {
                    json_call(&mut connection, "sqs", "AmazonSQS.SendMessage", &input).map(drop)
                })
            })
        })
        .collect();
    let mut samples = Vec::new();
    for sender in senders {
        samples.extend(sender.join().expect("a sender does not panic")?);
    }
    let rate = samples.len() as f64 / began.elapsed().as_secs_f64();
    Ok(vec![Row {
        what: "durable SendMessage of 1 KB, 64 connections",
        measured: format!("{rate:.0}/s; {}", Samples::new(samples).summary()),
        floor: format!(
            "1 KB fsync, one by one: p50 {}",
            ms(floors::fsync(1_024, 200)?.p50())
        ),
        promise: "≥ 10,000/s",
        kept: rate >= 10_000.0,
    }])
}
