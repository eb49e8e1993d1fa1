//! The same calls to other servers, side by side with ours: to those that run functions without
//! containers, and to those that have DynamoDB's tables.
//!
//! Each server is started here on loopback and ended here with all that it started. Every wait is
//! bounded; a server that cannot be measured gets a row that says why.

mod start;
mod tables;

use std::time::{Duration, Instant};

use crate::http::Connection;
use crate::processes;
use crate::statistics::{Samples, ms};
use crate::{Tools, functions::invoke};

use start::Running;
pub use tables::compare as compare_tables;

/// Functions of each runtime, each of which has one first call.
const COLD: usize = 10;
/// How long each of the warm measures calls at most.
const WARM: Duration = Duration::from_secs(3);
const WARM_CALLS: usize = 5_000;

const RUNTIMES: [&str; 2] = ["python", "node"];

type Start = fn(&Tools) -> anyhow::Result<Running>;

const SERVERS: [(&str, Start); 3] = [
    ("Kagero", start::kagero),
    ("ministack", start::ministack),
    ("serverless-offline", start::serverless_offline),
];

pub fn compare(tools: &Tools) {
    println!(
        "\n| server | function | start | memory after start | cold p50 | warm p50 | 1 connection \
         | 8 connections |\n|---|---|---|---|---|---|---|---|"
    );
    for (server, start) in SERVERS {
        eprintln!("measuring {server} ...");
        let mut running = match start(tools) {
            Ok(running) => running,
            Err(error) => {
                println!("| {server} | not measured: {error:#} |");
                continue;
            }
        };
        std::thread::sleep(Duration::from_secs(1));
        let memory = processes::proportional_kib(running.pid()).map(processes::mib);
        let beginning = format!(
            "{} | {}",
            ms(running.started_in),
            memory.unwrap_or_else(|error| error.to_string())
        );
        if let Err(error) = running.deploy(tools) {
            println!("| {server} | not measured: {error:#} |");
            continue;
        }
        for runtime in RUNTIMES {
            match measure(&running, runtime) {
                Ok(figures) => println!("| {server} | {runtime} | {beginning} | {figures} |"),
                Err(error) => println!("| {server} | {runtime} | {beginning} | {error:#} |"),
            }
        }
    }
}

/// The name of a function within its server.
pub fn function(runtime: &str, number: usize) -> String {
    format!("peer-{runtime}-{number}")
}

fn measure(running: &Running, runtime: &str) -> anyhow::Result<String> {
    let mut connection = Connection::open(running.invoke_port)?;
    let mut cold = Vec::new();
    for number in 0..COLD {
        let name = running.name(&function(runtime, number));
        let began = Instant::now();
        invoke(&mut connection, &name)?;
        cold.push(began.elapsed());
        // What the server does afterwards is not the next call's.
        std::thread::sleep(Duration::from_millis(100));
    }
    let name = running.name(&function(runtime, 0));
    let (alone, warm) = load(running.invoke_port, &name, 1)?;
    let (together, _) = load(running.invoke_port, &name, 8)?;
    Ok(format!(
        "{} | {} | {alone:.0}/s | {together:.0}/s",
        ms(Samples::new(cold).p50()),
        ms(Samples::new(warm).p50())
    ))
}

/// Calls on so many connections for a while: calls in a second, and how long each took.
fn load(port: u16, name: &str, connections: usize) -> anyhow::Result<(f64, Vec<Duration>)> {
    // The first calls are not measured: each connection may need an environment of its own.
    callers(port, name, connections, 10)?;
    let began = Instant::now();
    let samples = callers(port, name, connections, WARM_CALLS)?;
    Ok((
        samples.len() as f64 / began.elapsed().as_secs_f64(),
        samples,
    ))
}

fn callers(
    port: u16,
    name: &str,
    connections: usize,
    calls: usize,
) -> anyhow::Result<Vec<Duration>> {
    let deadline = Instant::now() + WARM;
    crate::measures::counted(connections, |_| {
        let mut connection = Connection::open(port)?;
        let mut samples = Vec::new();
        while samples.len() < calls && Instant::now() < deadline {
            let began = Instant::now();
            invoke(&mut connection, name)?;
            samples.push(began.elapsed());
        }
        Ok(samples)
    })
}
