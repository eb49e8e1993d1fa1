//! Cold starts by what they start from. Each call is a function's first, and each row says how many
//! of them started as meant, by what `kagero ps` tells.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};

use super::{counted, timed};
use crate::functions::{
    NO_OP, NO_OP_NODE, Package, create, create_with, environments, invoke, wait_until_parked,
};
use crate::http::Connection;
use crate::server::Server;
use crate::statistics::{Samples, ms};
use crate::{Row, Tools, floors};

/// How each function's environment was started.
pub(super) fn tiers(connection: &mut Connection) -> anyhow::Result<HashMap<String, String>> {
    let live = environments(connection)?;
    let tier = |entry: &Value| {
        let of = |name: &str| entry[name].as_str().map(str::to_owned);
        Some((of("function")?, of("start")?))
    };
    Ok(live.iter().filter_map(tier).collect())
}

pub(super) fn by_exec(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const FUNCTIONS: usize = 30;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    let interpreter = interpreter(tools, "python3.12")?;
    let package = Package::python(tools, NO_OP)?;
    // The interpreter reads this when it starts, so that no generic one will do.
    let own = json!({"Environment": {"Variables": {"PYTHONHASHSEED": "0"}}});
    let names = names(FUNCTIONS);
    for name in &names {
        create_with(&mut connection, name, &package, &own)?;
    }
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for name in &names {
        ours.extend(timed(1, || invoke(&mut connection, name))?);
        bare.push(floors::start(&interpreter, &["-c", "pass"], 1)?.p50());
    }
    let (ours, bare) = (Samples::new(ours), Samples::new(bare));
    let ratio = ours.p50().as_secs_f64() / bare.p50().as_secs_f64();
    let started = Started::count(&mut connection, &names, "exec")?;
    Ok(vec![Row {
        what: "cold Python invoke by exec, request to response",
        measured: format!("{}; {ratio:.2} ×; {started}", ours.summary()),
        floor: format!("bare interpreter start and end: p50 {}", ms(bare.p50())),
        promise: "≤ 2 ×",
        kept: ratio <= 2.0 && started.as_meant(),
    }])
}

pub(super) fn python(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    let (ours, bare, started) = parked(
        tools,
        &Package::python(tools, NO_OP)?,
        ("python3.12", "-c", "pass"),
    )?;
    Ok(vec![Row {
        what: "cold Python hello, parked, request to response",
        measured: format!("{}; {started}", ours.summary()),
        floor: format!("bare interpreter start and end: p50 {}", ms(bare.p50())),
        promise: "p50 ≤ 3 ms, p99 ≤ 10 ms",
        kept: ours.p50() <= Duration::from_millis(3)
            && ours.quantile(0.99) <= Duration::from_millis(10)
            && started.as_meant(),
    }])
}

pub(super) fn node(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (runtime, what) in [
        ("nodejs20.x", "cold Node.js 20 hello, parked"),
        ("nodejs22.x", "cold Node.js 22 hello, parked"),
    ] {
        let package = Package::node(tools, runtime, NO_OP_NODE)?;
        let (ours, bare, started) = parked(tools, &package, (runtime, "-e", "0"))?;
        rows.push(Row {
            what,
            measured: format!("{}; {started}", ours.summary()),
            floor: format!(
                "{} start and end: p50 {}",
                interpreter(tools, runtime)?,
                ms(bare.p50())
            ),
            promise: "p50 ≤ 6 ms",
            kept: ours.p50() <= Duration::from_millis(6) && started.as_meant(),
        });
    }
    Ok(rows)
}

/// First calls of functions, one at a time, each with a parked runtime there; beside bare starts of
/// the same interpreter.
fn parked(
    tools: &Tools,
    package: &Package,
    (runtime, flag, script): (&str, &str, &str),
) -> anyhow::Result<(Samples, Samples, Started)> {
    const FUNCTIONS: usize = 60;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    let interpreter = interpreter(tools, runtime)?;
    let names = names(FUNCTIONS);
    for name in &names {
        create(&mut connection, name, package)?;
    }
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for name in &names {
        bare.push(floors::start(&interpreter, &[flag, script], 1)?.p50());
        wait_until_parked(&mut connection)?;
        ours.extend(timed(1, || invoke(&mut connection, name))?);
    }
    let started = Started::count(&mut connection, &names, "parked")?;
    Ok((Samples::new(ours), Samples::new(bare), started))
}

pub(super) fn rust(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const FUNCTIONS: usize = 60;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    let package = Package::program(tools)?;
    let names = names(FUNCTIONS);
    for name in &names {
        create(&mut connection, name, &package)?;
    }
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for name in &names {
        ours.extend(timed(1, || invoke(&mut connection, name))?);
        bare.push(floors::program(tools)?);
    }
    let (ours, bare) = (Samples::new(ours), Samples::new(bare));
    let started = Started::count(&mut connection, &names, "exec")?;
    Ok(vec![Row {
        what: "cold Rust hello (lambda_runtime), request to response",
        measured: format!("{}; {started}", ours.summary()),
        floor: format!(
            "the program started bare, to its first response: p50 {}",
            ms(bare.p50())
        ),
        promise: "p50 ≤ 6 ms",
        kept: ours.p50() <= Duration::from_millis(6) && started.as_meant(),
    }])
}

/// As many callers as there are processors, each with one first call after another, and no pause in
/// which a line of parked runtimes could fill up.
pub(super) fn burst(tools: &Tools) -> anyhow::Result<Vec<Row>> {
    const FUNCTIONS: usize = 120;
    let server = Server::start(&tools.kagero)?;
    let mut connection = server.connect()?;
    let package = Package::python(tools, NO_OP)?;
    let names = names(FUNCTIONS);
    for name in &names {
        create(&mut connection, name, &package)?;
    }
    wait_until_parked(&mut connection)?;
    let callers = std::thread::available_parallelism().map_or(2, usize::from);
    let calls = counted(callers, |number| {
        let mut connection = Connection::open(server.port)?;
        let own = names.iter().skip(number).step_by(callers);
        own.map(|name| Ok((name, timed(1, || invoke(&mut connection, name))?[0])))
            .collect()
    })?;
    let tiers = tiers(&mut connection)?;
    let forked = |(name, took): &(&String, Duration)| {
        (tiers.get(*name).map(String::as_str) == Some("zygote")).then_some(*took)
    };
    let ours: Vec<_> = calls.iter().filter_map(forked).collect();
    let beyond = ours.len();
    let ours = Samples::new(ours);
    Ok(vec![Row {
        what: "cold Python hello in a burst beyond what is parked (zygote)",
        measured: format!(
            "{}; {beyond} of {FUNCTIONS} by zygote, {callers} callers",
            ours.summary()
        ),
        floor: format!(
            "bare fork of an interpreter, to its end: p50 {}",
            ms(floors::fork(tools, 200)?.p50())
        ),
        promise: "p50 ≤ 8 ms",
        kept: beyond > 0 && ours.p50() <= Duration::from_millis(8),
    }])
}

/// How many of a measure's functions started as they were meant to.
struct Started {
    how: &'static str,
    count: usize,
    all: usize,
}

impl Started {
    fn count(
        connection: &mut Connection,
        names: &[String],
        how: &'static str,
    ) -> anyhow::Result<Self> {
        let tiers = tiers(connection)?;
        let as_meant = |name: &&String| tiers.get(*name).is_some_and(|tier| tier == how);
        Ok(Self {
            how,
            count: names.iter().filter(as_meant).count(),
            all: names.len(),
        })
    }

    /// Nine of ten: one that came a moment too early spoils no median.
    fn as_meant(&self) -> bool {
        self.count * 10 >= self.all * 9
    }
}

impl std::fmt::Display for Started {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} of {} by {}", self.count, self.all, self.how)
    }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("cold-{number}")).collect()
}

/// The interpreter that functions of a runtime run on here.
pub(super) fn interpreter(tools: &Tools, runtime: &str) -> anyhow::Result<String> {
    let output = std::process::Command::new(&tools.kagero)
        .args(["runtime", "list", "--json"])
        .output()
        .context("ask for the runtimes")?;
    let runtimes: Value = serde_json::from_slice(&output.stdout)?;
    runtimes
        .as_array()
        .into_iter()
        .flatten()
        .find(|known| known["identifier"] == runtime)
        .and_then(|known| known["interpreter"].as_str())
        .map(str::to_owned)
        .with_context(|| format!("no interpreter for {runtime}"))
}
