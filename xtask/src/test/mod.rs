//! `cargo xtask test`: fetch the real clients, build the binary, run every test, count them.

mod ordinary_user;
mod totals;

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
}

impl Test {
    pub fn run(self) -> anyhow::Result<()> {
        run_packages(&self.package)
    }
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
