//! A table of ten million items: how soon it is there after a crash, and what it weighs.

use std::fmt::Write;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::{Value, json};

use super::timed;
use crate::http::Connection;
use crate::server::Server;
use crate::statistics::{Samples, ms};
use crate::table::{self, call};
use crate::{Row, Tools};

const ITEMS: usize = 10_000_000;
/// Items in each object that the table is filled from.
const STEP: usize = 100_000;
const CONTENT: usize = 100;
const FILL_LIMIT: Duration = Duration::from_hours(1);
const BUCKET: &str = "/bench-import";
/// Single items read, and pages of 1 MB scanned, before memory is looked at.
const READS: usize = 5_000;
const PAGES: usize = 50;

/// Fills the table by ImportTable, kills the server, and starts it again.
pub(super) fn ten_million_items(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    let mut server = Server::start(&tools.kagero)?;
    let began = Instant::now();
    upload(&mut server.connect()?)?;
    import(&mut server.connect()?)?;
    let (filled_in, filled_peak) = (began.elapsed(), server.peak_kib()?);
    server.kill_and_restart()?;
    let began = Instant::now();
    let mut connection = server.connect()?;
    get(&mut connection, ITEMS - 1)?;
    let opened_in = server.started_in + began.elapsed();
    let opened = server.resident_kib()?;
    let mut number = 0;
    let reads = timed(READS, || {
        // A large prime, so that the reads are all over the table.
        number = (number + 7_368_787) % ITEMS;
        get(&mut connection, number)
    })?;
    scan(&mut connection)?;
    for number in 0..READS {
        table::put(&mut connection, &format!("later-{number}"), 0)?;
    }
    let peak = server.peak_kib()?;
    Ok(vec![
        Row {
            what: "start with a table of 10 million items, after kill -9, to its first item",
            measured: format!(
                "{}; then one item p50 {}; filled in {:.0} s",
                ms(opened_in),
                ms(Samples::new(reads).p50()),
                filled_in.as_secs_f64()
            ),
            floor: "-".to_owned(),
            promise: "≤ 1 s",
            kept: opened_in <= Duration::from_secs(1),
        },
        Row {
            what: "server with that table, the most resident over reads, a scan, and writes",
            measured: format!(
                "{}, just opened {}; while it was filled {}",
                mb(peak),
                mb(opened),
                mb(filled_peak)
            ),
            floor: "-".to_owned(),
            promise: "≤ 200 MB",
            kept: peak * 1_024 <= 200_000_000,
        },
    ])
}

/// Puts the items into a bucket, as objects of a size that a client can make in memory.
fn upload(connection: &mut Connection) -> anyhow::Result<()> {
    connection.expect("s3", "PUT", BUCKET, "", b"")?;
    let content = "x".repeat(CONTENT);
    for begin in (0..ITEMS).step_by(STEP) {
        let mut lines = String::from("pk,sk,content\n");
        for number in begin..begin + STEP {
            writeln!(lines, "{},0,{content}", hash(number))?;
        }
        let path = format!("{BUCKET}/items-{begin:08}.csv");
        connection.expect("s3", "PUT", &path, "", lines.as_bytes())?;
    }
    Ok(())
}

fn import(connection: &mut Connection) -> anyhow::Result<()> {
    let input = json!({
        "S3BucketSource": {"S3Bucket": BUCKET.trim_start_matches('/')},
        "InputFormat": "CSV",
        "TableCreationParameters": table::definition(),
    });
    let started = call(connection, "ImportTable", &input)?;
    let arn = &started["ImportTableDescription"]["ImportArn"];
    let deadline = Instant::now() + FILL_LIMIT;
    loop {
        let described = call(connection, "DescribeImport", &json!({"ImportArn": arn}))?;
        let import = &described["ImportTableDescription"];
        match import["ImportStatus"].as_str() {
            Some("IN_PROGRESS") if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(500));
            }
            Some("COMPLETED") if import["ImportedItemCount"] == ITEMS => return Ok(()),
            _ => bail!("the import came to {import}"),
        }
    }
}

fn get(connection: &mut Connection, number: usize) -> anyhow::Result<()> {
    let key = json!({"pk": {"S": hash(number)}, "sk": {"N": "0"}});
    let found = call(
        connection,
        "GetItem",
        &json!({"TableName": table::NAME, "Key": key}),
    )?;
    anyhow::ensure!(found["Item"].is_object(), "item {number} is not there");
    Ok(())
}

fn scan(connection: &mut Connection) -> anyhow::Result<()> {
    let mut input = json!({"TableName": table::NAME});
    for _ in 0..PAGES {
        let page = call(connection, "Scan", &input)?;
        anyhow::ensure!(page["LastEvaluatedKey"] != Value::Null, "the scan ended");
        input["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
    }
    Ok(())
}

fn hash(number: usize) -> String {
    format!("item-{number:08}")
}

fn mb(kib: u64) -> String {
    format!("{:.1} MB", kib as f64 * 1_024.0 / 1e6)
}
