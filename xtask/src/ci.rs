//! `cargo xtask ci`: all that a change must pass, the quick checks first.

use std::process::Command;

use crate::{codegen, readme, run, test, tidy};

pub fn run() -> anyhow::Result<()> {
    step("formatting", || {
        run::shown(Command::new(run::cargo()).args(["fmt", "--all", "--check"]))
    })?;
    step("tidiness", tidy::run)?;
    step("generated code is fresh", codegen::check)?;
    step("the README's table is fresh", readme::check)?;
    step("lints", || {
        run::shown(Command::new(run::cargo()).args([
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))
    })?;
    step("tests", test::all)?;
    step("tests on a kernel with control groups of version 2", || {
        test::in_guest(None)
    })
}

fn step(what: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let began = std::time::Instant::now();
    eprintln!("== {what}");
    work()?;
    eprintln!(
        "== {what}: good, after {:.0} s",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
