//! `cargo xtask test`: fetch the real clients, build the binary, run every test, count them.

mod ordinary_user;
mod totals;
mod vm;

use std::process::Command;
use std::time::Instant;

use anyhow::ensure;
use clap::Args;

use crate::{run, tools};
use totals::Totals;

#[derive(Args)]
pub struct Test {
    /// Only the tests of this package; may be given more than once.
    #[arg(long, short, value_name = "NAME")]
    package: Vec<String>,
    /// Only the tests of sandboxes and functions in a virtual machine: Debian's kernel, control
    /// groups of version 2.
    #[arg(long, conflicts_with = "package")]
    vm: bool,
    /// Only the soak: 10,000 cold starts in the release profile, counted before and after.
    #[arg(long, conflicts_with_all = ["package", "vm"])]
    soak: bool,
    /// With --vm, only the tests whose names contain this.
    #[arg(value_name = "FILTER", requires = "vm")]
    filter: Option<String>,
}

impl Test {
    pub fn run(self) -> anyhow::Result<()> {
        if self.vm {
            return in_guest(self.filter.as_deref());
        }
        if self.soak {
            return soak();
        }
        run_packages(&self.package)
    }
}

/// How many environments the soak starts.
const SOAK: &str = "10000";

fn soak() -> anyhow::Result<()> {
    let began = Instant::now();
    let mut totals = Totals::default();
    let mut command = Command::new(run::cargo());
    command
        .args(["test", "--release", "--package=exec", "--test=soak"])
        .args(["--", "--nocapture"])
        .env("KAGERO_SOAK", SOAK);
    let success = totals.run(&mut command)?;
    report(&totals, success, began)
}

/// The tests that a kernel with control groups of version 2 makes a difference to.
pub fn in_guest(filter: Option<&str>) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut totals = Totals::default();
    let success = vm::run(filter, &mut totals)?;
    report(&totals, success, began)
}

/// Every test of the workspace.
pub fn all() -> anyhow::Result<()> {
    run_packages(&[])
}

/// All packages, if none is named.
fn run_packages(packages: &[String]) -> anyhow::Result<()> {
    let began = Instant::now();
    if packages.is_empty() || packages.iter().any(|name| name == "conformance") {
        eprintln!("1/4 clients that the conformance tests use");
        tools::run()?;
        eprintln!("2/4 the kagero binary, which they run");
        run::shown(Command::new(run::cargo()).args(["build", "--quiet", "--package", "cli"]))?;
    }
    eprintln!("3/4 the tests");
    let mut totals = Totals::default();
    let mut command = Command::new(run::cargo());
    command.args(["test", "--no-fail-fast"]);
    match packages {
        [] => command.arg("--workspace"),
        some => command.args(some.iter().map(|name| format!("--package={name}"))),
    };
    command.args(["--", "--show-output"]);
    let mut success = totals.run(&mut command)?;
    eprintln!("4/4 once more as an ordinary user, where that makes a difference");
    success &= ordinary_user::run(packages, &mut totals)?;
    report(&totals, success, began)
}

fn report(totals: &Totals, success: bool, began: Instant) -> anyhow::Result<()> {
    let Totals {
        passed,
        failed,
        skipped,
        ..
    } = totals;
    println!(
        "\nall suites together, in {:.0} s:",
        began.elapsed().as_secs_f64()
    );
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    ensure!(
        success,
        "some tests failed; the lines above that say FAILED name them"
    );
    Ok(())
}
