//! Warm calls: how long one takes, and how many there are in a second.

use std::path::Path;
use std::time::{Duration, Instant};

use super::{counted, timed};
use crate::floors::{Rounds, RuntimeClient};
use crate::functions::{NO_OP, Package, create, invoke};
use crate::http::Connection;
use crate::server::{MANY_INVOCATIONS, Server};
use crate::statistics::{Samples, ms};
use crate::{Row, Tools, floors};

/// At once, for what is done in a second.
const CONNECTIONS: usize = 8;

pub(super) fn warm_invoke(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const ROUNDS: usize = 5;
    const CALLS: usize = 2_000;
    let server = Server::start_with(&tools.kagero, MANY_INVOCATIONS)?;
    let mut connection = server.connect()?;
    create(&mut connection, "warm", &Package::python(tools, NO_OP)?)?;
    for _ in 0..100 {
        invoke(&mut connection, "warm")?;
    }
    // In turns, so that what else the machine does falls on all of them.
    let (mut ours, mut rates) = (Vec::new(), Vec::new());
    let (mut behind_http, mut alone) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        behind_http.push(floors::awslambdaric_behind_http(tools, CALLS)?);
        let began = Instant::now();
        ours.extend(timed(CALLS, || invoke(&mut connection, "warm"))?);
        rates.push(CALLS as f64 / began.elapsed().as_secs_f64());
        alone.push(floors::awslambdaric(tools, CALLS)?);
    }
    let ours = Samples::new(ours);
    let rate = median(rates);
    let compared = |what, floor: &[Rounds]| {
        let floor_rate = median(floor.iter().map(|round| round.per_second).collect());
        Row {
            what,
            measured: format!("{rate:.0}/s, {:.2} ×", rate / floor_rate),
            floor: format!("{floor_rate:.0}/s, p50 {}", ms(p50(floor))),
            promise: "≥ 1.5 ×",
            kept: rate / floor_rate >= 1.5,
        }
    };
    Ok(vec![
        Row {
            what: "warm Python invoke, 1 connection",
            measured: ours.summary(),
            floor: format!(
                "awslambdaric behind a minimal server: p50 {}",
                ms(p50(&behind_http))
            ),
            promise: "p50 ≤ 0.35 ms",
            kept: ours.p50() <= Duration::from_micros(350),
        },
        compared(
            "throughput beside awslambdaric behind a minimal HTTP server",
            &behind_http,
        ),
        compared(
            "throughput beside awslambdaric alone, with nobody calling by HTTP",
            &alone,
        ),
    ])
}

pub(super) fn warm_throughput(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    let server = Server::start_with(&tools.kagero, MANY_INVOCATIONS)?;
    let mut connection = server.connect()?;
    create(&mut connection, "python", &Package::python(tools, NO_OP)?)?;
    create(&mut connection, "rust", &Package::program(tools)?)?;
    let python = Throughput::measure(server.port, "python", |folder, port| {
        RuntimeClient::python(tools, folder, port)
    })?;
    let rust = Throughput::measure(server.port, "rust", |folder, port| {
        RuntimeClient::rust(tools, folder, port)
    })?;
    Ok(vec![
        python.row("warm Python no-op, 8 connections", 8_000.0, "≥ 8,000/s"),
        rust.row(
            "warm Rust no-op (lambda_runtime), 8 connections",
            9_000.0,
            "≥ 9,000/s",
        ),
    ])
}

/// Rates are the rounds' medians, in calls a second.
struct Throughput {
    ours: f64,
    latency: Samples,
    /// AWS's own runtime client behind the least server.
    runtime_client: f64,
    /// Threads that answer at once, for the same client.
    ceiling: f64,
}

impl Throughput {
    fn measure(
        port: u16,
        name: &str,
        start: impl Fn(&Path, u16) -> anyhow::Result<RuntimeClient>,
    ) -> anyhow::Result<Self> {
        const ROUNDS: usize = 3;
        const CALLS: usize = 2_000;
        load(port, name, 100)?;
        let (mut ours, mut samples) = (Vec::new(), Vec::new());
        let (mut runtime_client, mut ceiling) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let (rate, latencies) = load(port, name, CALLS)?;
            ours.push(rate);
            samples.extend(latencies);
            let calls = |port| load(port, name, CALLS);
            runtime_client.push(floors::behind_http(CONNECTIONS, &start, calls)?.0);
            ceiling.push(floors::answering(calls)?.0);
        }
        Ok(Self {
            ours: median(ours),
            latency: Samples::new(samples),
            runtime_client: median(runtime_client),
            ceiling: median(ceiling),
        })
    }

    fn row(&self, what: &'static str, promised: f64, promise: &'static str) -> Row {
        let (ours, runtime_client) = (self.ours, self.runtime_client);
        Row {
            what,
            measured: format!(
                "{ours:.0}/s, {:.2} × AWS's runtime client behind a minimal server; {}",
                ours / runtime_client,
                self.latency.summary()
            ),
            floor: format!(
                "AWS's runtime client behind a minimal server: {runtime_client:.0}/s; \
                 the same caller and threads that answer at once: {:.0}/s",
                self.ceiling
            ),
            promise,
            kept: ours >= promised,
        }
    }
}

/// So many calls on each of the connections at once: calls in a second, and how long each took.
fn load(port: u16, name: &str, calls: usize) -> anyhow::Result<(f64, Vec<Duration>)> {
    let began = Instant::now();
    let samples = counted(CONNECTIONS, |_| {
        let mut connection = Connection::open(port)?;
        timed(calls, || invoke(&mut connection, name))
    })?;
    let rate = (CONNECTIONS * calls) as f64 / began.elapsed().as_secs_f64();
    Ok((rate, samples))
}

/// The median of what the rounds' medians are.
fn p50(rounds: &[Rounds]) -> Duration {
    Samples::new(rounds.iter().map(|round| round.latency.p50()).collect()).p50()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}
