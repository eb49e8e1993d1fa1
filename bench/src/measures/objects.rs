//! S3: small objects, durable one by one; a large one beside a plain copy to the same disk.

use std::fs::{self, File};
use std::time::{Duration, Instant};

use super::{counted, timed};
use crate::http::Connection;
use crate::server::Server;
use crate::statistics::{Samples, ms};
use crate::{Row, Tools, floors};

const BUCKET: &str = "/bench-objects";

fn with_bucket(tools: &Tools) -> anyhow::Result<Server> {
    let server = Server::start(&tools.kagero)?;
    server.connect()?.expect("s3", "PUT", BUCKET, "", b"")?;
    Ok(server)
}

pub(super) fn durable_put(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const CONNECTIONS: usize = 64;
    const EACH: usize = 300;
    const BYTES: usize = 4 * 1_024;
    let server = with_bucket(tools)?;
    let (port, body) = (server.port, vec![7_u8; BYTES]);
    let began = Instant::now();
    let samples = counted(CONNECTIONS, |thread| {
        let mut connection = Connection::open(port)?;
        let mut number = 0;
        timed(EACH, || {
            number += 1;
            let path = format!("{BUCKET}/{thread}/{number}");
            connection.expect("s3", "PUT", &path, "", &body).map(drop)
        })
    })?;
    let rate = samples.len() as f64 / began.elapsed().as_secs_f64();
    Ok(vec![Row {
        what: "durable S3 PUT of 4 KiB, 64 connections",
        measured: format!("{rate:.0}/s; {}", Samples::new(samples).summary()),
        floor: format!(
            "4 KiB fsync, one by one: p50 {}",
            ms(floors::fsync(BYTES, 200)?.p50())
        ),
        promise: "≥ 3,000/s",
        kept: rate >= 3_000.0,
    }])
}

pub(super) fn large_put(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const ROUNDS: usize = 5;
    const BYTES: usize = 64 << 20;
    let server = with_bucket(tools)?;
    let body = vec![7_u8; BYTES];
    let mut connection = server.connect()?;
    let (mut puts, mut copies) = (Vec::new(), Vec::new());
    // In turns, so that both meet the same disk.
    for _ in 0..ROUNDS {
        copies.push(plain_copy(&body)?);
        let path = format!("{BUCKET}/large");
        puts.extend(timed(1, || {
            connection.expect("s3", "PUT", &path, "", &body).map(drop)
        })?);
    }
    let (put, copy) = (Samples::new(puts).p50(), Samples::new(copies).p50());
    let share = copy.as_secs_f64() / put.as_secs_f64();
    Ok(vec![Row {
        what: "S3 PUT of 64 MiB beside a plain copy with fsync",
        measured: format!(
            "p50 {}, {:.0} % of the copy's speed",
            ms(put),
            share * 100.0
        ),
        floor: format!("64 MiB copied and synced: p50 {}", ms(copy)),
        promise: "≥ 60 %",
        kept: share >= 0.6,
    }])
}

/// Copies a file of these bytes to the disk that servers keep their data on.
fn plain_copy(bytes: &[u8]) -> anyhow::Result<Duration> {
    let folder = tempfile::tempdir()?;
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    fs::write(&from, bytes)?;
    let began = Instant::now();
    fs::copy(&from, &to)?;
    File::open(&to)?.sync_all()?;
    Ok(began.elapsed())
}
