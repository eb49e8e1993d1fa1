//! DynamoDB's calls to servers that have its tables: how many, how fast, and what is there after
//! `kill -9`.

use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use super::start::{free_port, installed, launch};
use crate::http::Connection;
use crate::measures::counted;
use crate::statistics::{Samples, ms};
use crate::table::{self, Bound, call};
use crate::{Tools, processes};

/// What a measure may take at most of a server that is slow.
const BOUND: Bound = Bound {
    each: 1_000,
    time: Duration::from_secs(5),
};
const QUERIES: usize = 100;
/// Connections that write until the server is killed, and how long they do.
const WRITERS: usize = 8;
const UNTIL_KILLED: Duration = Duration::from_secs(2);

type Start = fn(&Tools, u16, &Path) -> anyhow::Result<Command>;

const SERVERS: [(&str, Start); 4] = [
    ("Kagero", kagero),
    ("dynoxide", dynoxide),
    ("ministack", ministack),
    ("moto", moto),
];

pub fn compare(tools: &Tools) {
    println!(
        "\n| server | start | memory, then after the load | PutItem 1 KB, {} connections \
         | GetItem, as many | Query of 100 items p50 | acknowledged, lost by kill -9 |\n\
         |---|---|---|---|---|---|---|",
        table::CONNECTIONS
    );
    for (server, start) in SERVERS {
        eprintln!("measuring {server} ...");
        match measure(tools, start) {
            Ok(figures) => println!("| {server} | {figures} |"),
            Err(error) => println!("| {server} | not measured: {error:#} |"),
        }
    }
}

/// A server under measurement; ended when dropped, with every process below it.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        processes::end(&mut self.0);
    }
}

fn measure(tools: &Tools, start: Start) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let port = free_port()?;
    let (child, started_in) = launch(start(tools, port, folder.path())?, folder.path(), port)?;
    let mut peer = Peer(child);
    let memory = |peer: &Peer| processes::proportional_kib(peer.0.id()).map(processes::mib);
    let idle = memory(&peer)?;
    let mut connection = Connection::open(port)?;
    table::create(&mut connection)?;
    table::fill(&mut connection)?;
    let (puts, put) = table::put_items(port, BOUND).context("PutItem")?;
    let (gets, get) = table::get_items(port, BOUND).context("GetItem")?;
    let query = table::queries(&mut Connection::open(port)?, QUERIES)?;
    let loaded = memory(&peer)?;
    let acknowledged = write_until_killed(port, &mut peer);
    let command = start(tools, port, folder.path())?;
    let (child, _) = launch(command, folder.path(), port)?;
    peer = Peer(child);
    let lost = lost(port, &acknowledged).map_or_else(
        |_| "all, with the table".to_owned(),
        |lost| lost.to_string(),
    );
    drop(peer);
    let rate = |rate: f64, samples: &Samples| {
        format!(
            "{rate:.0}/s, p50 {}, p99 {}",
            ms(samples.p50()),
            ms(samples.quantile(0.99))
        )
    };
    Ok(format!(
        "{} | {idle}, {loaded} | {} | {} | {} | {}: {lost}",
        ms(started_in),
        rate(puts, &put),
        rate(gets, &get),
        ms(query.p50()),
        acknowledged.iter().sum::<usize>(),
    ))
}

/// Writes on some connections and kills the server meanwhile; how many writes each had acknowledged.
fn write_until_killed(port: u16, peer: &mut Peer) -> Vec<usize> {
    let counts: Vec<_> = (0..WRITERS).map(|_| AtomicUsize::new(0)).collect();
    std::thread::scope(|scope| {
        for (writer, count) in counts.iter().enumerate() {
            scope.spawn(move || {
                let Ok(mut connection) = Connection::open(port) else {
                    return;
                };
                let hash = format!("kept-{writer}");
                for number in 0.. {
                    // The server's end ends it.
                    if table::put(&mut connection, &hash, number).is_err() {
                        return;
                    }
                    count.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        std::thread::sleep(UNTIL_KILLED);
        processes::end(&mut peer.0);
    });
    counts
        .iter()
        .map(|count| count.load(Ordering::SeqCst))
        .collect()
}

/// How many of the acknowledged writes are not there.
fn lost(port: u16, acknowledged: &[usize]) -> anyhow::Result<usize> {
    let missing = counted(acknowledged.len(), |writer| {
        let mut connection = Connection::open(port)?;
        let mut missing = Vec::new();
        for number in 0..acknowledged[writer] {
            let key = json!({
                "pk": {"S": format!("kept-{writer}")}, "sk": {"N": number.to_string()},
            });
            let input = json!({"TableName": table::NAME, "Key": key});
            if !call(&mut connection, "GetItem", &input)?["Item"].is_object() {
                missing.push(number);
            }
        }
        Ok(missing)
    })?;
    Ok(missing.len())
}

#[expect(clippy::unnecessary_wraps, reason = "as the others are started")]
fn kagero(tools: &Tools, port: u16, folder: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(&tools.kagero);
    command.args(["serve", "--log", "warn", "--listen"]);
    command.arg(format!("127.0.0.1:{port}"));
    command.arg("--data-dir").arg(folder.join("data"));
    Ok(command)
}

fn dynoxide(_: &Tools, port: u16, folder: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(installed("KAGERO_BENCH_DYNOXIDE")?);
    command.arg("--db-path").arg(folder.join("data.db"));
    command.args(["--port", &port.to_string()]);
    Ok(command)
}

fn ministack(_: &Tools, port: u16, folder: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(installed("KAGERO_BENCH_MINISTACK")?);
    command.env("GATEWAY_PORT", port.to_string());
    command.env("PERSIST_STATE", "1");
    command.env("STATE_DIR", folder.join("state"));
    Ok(command)
}

/// It keeps nothing.
fn moto(_: &Tools, port: u16, _: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(installed("KAGERO_BENCH_MOTO")?);
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    Ok(command)
}
