//! Measures what docs/promises.md promises, beside its floors, in one run: `cargo xtask bench`.
//!
//! Load goes to loopback only, in bounded counts, and the servers measured are started and ended
//! here.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the table is the result"
)]

mod floors;
mod functions;
mod http;
mod measures;
mod peers;
mod processes;
mod server;
mod statistics;
mod table;

use std::path::PathBuf;

use anyhow::Context;

/// What the benches run with.
pub struct Tools {
    /// The release build under measurement.
    pub kagero: PathBuf,
    /// A Python with awslambdaric, for the floors.
    pub python: PathBuf,
    /// A release build of bench/fixtures/rust-hello.
    pub program: PathBuf,
}

/// One line of the table.
pub struct Row {
    pub what: &'static str,
    pub measured: String,
    pub floor: String,
    pub promise: &'static str,
    pub kept: bool,
}

fn main() -> anyhow::Result<()> {
    let path = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .with_context(|| format!("{name} is not set; start this through `cargo xtask bench`"))
    };
    let tools = Tools {
        kagero: path("KAGERO_BIN")?,
        python: path("KAGERO_BENCH_PYTHON")?,
        program: path("KAGERO_BENCH_PROGRAM")?,
    };
    let chosen = std::env::args().nth(1);
    if chosen.as_deref() == Some("--peers") {
        let of = std::env::args().nth(2);
        let is_chosen = |name: &str| of.as_deref().is_none_or(|of| name.contains(of));
        if is_chosen("functions") {
            peers::compare(&tools);
        }
        if is_chosen("dynamodb") {
            peers::compare_tables(&tools);
        }
        return Ok(());
    }
    println!("| what | measured | floor, same run | promise | kept |\n|---|---|---|---|---|");
    let chosen = chosen.as_deref();
    let all = measures::ALL.into_iter();
    let all = all.filter(|(name, _)| chosen.is_none_or(|chosen| name.contains(chosen)));
    let long = measures::LONG.into_iter();
    let long = long.filter(|(name, _)| chosen == Some(*name));
    for (name, measure) in all.chain(long) {
        eprintln!("measuring {name} ...");
        // At once, so that a later measure that fails takes nothing away.
        for row in measure(&tools).with_context(|| format!("measure {name}"))? {
            row.print();
        }
    }
    Ok(())
}

impl Row {
    fn print(&self) {
        let Self {
            what,
            measured,
            floor,
            promise,
            kept,
        } = self;
        let kept = if *kept { "yes" } else { "no" };
        println!("| {what} | {measured} | {floor} | {promise} | {kept} |");
    }
}
