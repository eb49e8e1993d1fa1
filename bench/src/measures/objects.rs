//! S3: small objects, durable one by one; a large one beside a plain copy to the same disk.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
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
    let md5 = md5(tools)?;
    Ok(vec![Row {
        what: "S3 PUT of 64 MiB beside a plain copy with fsync",
        measured: format!(
            "p50 {}, {:.0} % of the copy's speed",
            ms(put),
            share * 100.0
        ),
        floor: format!(
            "64 MiB copied and synced: p50 {}; OpenSSL's MD5 of them alone: {}",
            ms(copy),
            ms(md5)
        ),
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

/// What no server can be faster than that makes an ETag: MD5 by the fastest implementation that is
/// widely used, OpenSSL's, in whichever of five runs met the least else.
fn md5(tools: &Tools) -> anyhow::Result<Duration> {
    const PROGRAM: &str = "import hashlib, time
body = bytes([7]) * (64 << 20)
def once():
    began = time.perf_counter_ns()
    hashlib.md5(body, usedforsecurity=False).digest()
    return time.perf_counter_ns() - began
print(min(once() for _ in range(5)))";
    let output = Command::new(&tools.python).args(["-c", PROGRAM]).output()?;
    let nanos = String::from_utf8(output.stdout)?;
    Ok(Duration::from_nanos(nanos.trim().parse()?))
}

pub(super) fn large_get(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const ROUNDS: usize = 7;
    const BYTES: usize = 64 << 20;
    let server = with_bucket(tools)?;
    let body = vec![7_u8; BYTES];
    let mut connection = server.connect()?;
    let path = format!("{BUCKET}/large");
    connection.expect("s3", "PUT", &path, "", &body)?;
    let (mut gets, mut copies) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        copies.push(sent_from_a_file(&body)?);
        gets.extend(timed(1, || {
            connection.expect("s3", "GET", &path, "", b"").map(drop)
        })?);
    }
    let (get, copy) = (Samples::new(gets).p50(), Samples::new(copies).p50());
    let share = copy.as_secs_f64() / get.as_secs_f64();
    Ok(vec![Row {
        what: "S3 GET of 64 MiB beside the same file read and sent over a socket",
        measured: format!("p50 {}, {:.0} % of that speed", ms(get), share * 100.0),
        floor: format!("64 MiB read and sent, 256 KiB at a time: p50 {}", ms(copy)),
        promise: "≥ 60 %",
        kept: share >= 0.6,
    }])
}

/// Reads a file on one thread and sends it to another, which keeps it all, as the client does.
fn sent_from_a_file(bytes: &[u8]) -> anyhow::Result<Duration> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("object");
    fs::write(&path, bytes)?;
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let mut receiver = TcpStream::connect(listener.local_addr()?)?;
    let (mut sender, _) = listener.accept()?;
    let began = Instant::now();
    let sending = std::thread::spawn(move || -> std::io::Result<()> {
        let mut file = File::open(path)?;
        let mut chunk = vec![0; 256 << 10];
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(()),
                read => sender.write_all(&chunk[..read])?,
            }
        }
    });
    let mut received = vec![0; bytes.len()];
    receiver.read_exact(&mut received)?;
    let took = began.elapsed();
    sending.join().expect("a sender does not panic")?;
    Ok(took)
}
