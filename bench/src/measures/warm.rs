//! Warm calls: how long one takes, and how many there are in a second.

use std::time::{Duration, Instant};

use super::{counted, timed};
use crate::floors::Rounds;
use crate::functions::{NO_OP, Package, create, invoke};
use crate::http::Connection;
use crate::server::Server;
use crate::statistics::{Samples, ms};
use crate::{Row, Tools, floors};

pub(super) fn warm_invoke(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const ROUNDS: usize = 5;
    const CALLS: usize = 2_000;
    let server = Server::start(&tools.kagero)?;
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
    // The rate limit of a function is ten times its concurrency.
    let server = Server::start_with(&tools.kagero, &["--concurrency", "10000"])?;
    let mut connection = server.connect()?;
    let languages = [
        (
            "warm Python no-op, 8 connections",
            Package::python(tools, NO_OP)?,
            8_000.0,
            "≥ 8,000/s",
        ),
        (
            "warm Rust no-op (lambda_runtime), 8 connections",
            Package::program(tools)?,
            9_000.0,
            "≥ 9,000/s",
        ),
    ];
    let mut rows = Vec::new();
    for (number, (what, package, promised, promise)) in languages.into_iter().enumerate() {
        let name = format!("busy-{number}");
        create(&mut connection, &name, &package)?;
        rows.push(throughput(server.port, &name, what, promised, promise)?);
    }
    Ok(rows)
}

fn throughput(
    port: u16,
    name: &str,
    what: &'static str,
    promised: f64,
    promise: &'static str,
) -> anyhow::Result<Row> {
    const ROUNDS: usize = 3;
    load(port, name, 100)?;
    let (mut rates, mut samples, mut ceilings) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (rate, latencies) = load(port, name, 2_000)?;
        rates.push(rate);
        samples.extend(latencies);
        ceilings.push(floors::answering(|port| load(port, name, 2_000))?.0);
    }
    let rate = median(rates);
    Ok(Row {
        what,
        measured: format!("{rate:.0}/s; {}", Samples::new(samples).summary()),
        floor: format!(
            "the same client and threads that answer at once: {:.0}/s",
            median(ceilings)
        ),
        promise,
        kept: rate >= promised,
    })
}

/// So many calls on each of eight connections at once: calls in a second, and how long each took.
fn load(port: u16, name: &str, calls: usize) -> anyhow::Result<(f64, Vec<Duration>)> {
    const CONNECTIONS: usize = 8;
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
