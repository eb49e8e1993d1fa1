//! DynamoDB: durable writes, reads, and queries, over HTTP.

use std::time::Duration;

use crate::server::Server;
use crate::statistics::ms;
use crate::table::{self, Bound};
use crate::{Row, Tools, floors};

const TIME: Duration = Duration::from_mins(1);

pub(super) fn durable_put_item(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    let server = with_table(tools)?;
    let bound = Bound {
        each: 500,
        time: TIME,
    };
    let (rate, samples) = table::put_items(server.port, bound)?;
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
    let server = with_table(tools)?;
    table::fill(&mut server.connect()?)?;
    let bound = Bound {
        each: 1_000,
        time: TIME,
    };
    let (rate, samples) = table::get_items(server.port, bound)?;
    Ok(vec![Row {
        what: "GetItem of 1 KB, 64 connections",
        measured: format!("{rate:.0}/s; {}", samples.summary()),
        floor: String::new(),
        promise: "≥ 15,000/s",
        kept: rate >= 15_000.0,
    }])
}

pub(super) fn query_100(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    let server = with_table(tools)?;
    let mut connection = server.connect()?;
    table::fill(&mut connection)?;
    let samples = table::queries(&mut connection, 500)?;
    Ok(vec![Row {
        what: "Query of 100 items of 1 KB, one connection",
        measured: samples.summary(),
        floor: String::new(),
        promise: "p50 ≤ 2 ms",
        kept: samples.p50() <= Duration::from_millis(2),
    }])
}

fn with_table(tools: &Tools) -> anyhow::Result<Server> {
    let server = Server::start(&tools.kagero)?;
    table::create(&mut server.connect()?)?;
    Ok(server)
}
