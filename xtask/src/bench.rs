//! `cargo xtask bench`: the release build, measured by the `bench` crate.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::{run, tools};

#[derive(Args)]
pub struct Bench {
    /// Only the measures whose name has this in it, such as `warm-invoke`; of the peers, only
    /// `functions` or `dynamodb`. What takes many minutes (`ten-million-items`) runs only by its name.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,

    /// Compare with ministack, serverless-offline, moto and dynoxide instead; installs them into
    /// target/tools.
    #[arg(long)]
    peers: bool,
}

impl Bench {
    pub fn run(self) -> anyhow::Result<()> {
        let python = tools::python_clients()?;
        eprintln!("• the release build of kagero and of the benches (minutes the first time)");
        run::shown(Command::new(run::cargo()).args([
            "build",
            "--release",
            "--package=cli",
            "--package=bench",
        ]))?;
        let release = run::target().join("release");
        let mut bench = Command::new(release.join("bench"));
        bench
            .env("KAGERO_BIN", release.join("kagero"))
            .env("KAGERO_BENCH_PYTHON", python)
            .env("KAGERO_BENCH_PROGRAM", rust_function()?);
        if self.peers {
            bench.arg("--peers");
            // One that cannot be had does not keep the others from being measured.
            give(&mut bench, "KAGERO_BENCH_MINISTACK", tools::ministack());
            give(&mut bench, "KAGERO_BENCH_SERVERLESS", tools::serverless());
            give(&mut bench, "KAGERO_BENCH_MOTO", tools::moto());
            give(&mut bench, "KAGERO_BENCH_DYNOXIDE", tools::dynoxide());
        }
        bench.args(self.only);
        run::shown(&mut bench)
    }
}

fn give(bench: &mut Command, variable: &str, program: anyhow::Result<PathBuf>) {
    match program {
        Ok(program) => {
            bench.env(variable, program);
        }
        Err(error) => {
            bench.env_remove(variable);
            eprintln!("  {error:#}");
        }
    }
}

/// Builds the function on AWS's Rust client, which is no part of the workspace.
fn rust_function() -> anyhow::Result<PathBuf> {
    let target = run::target().join("bench-fixtures");
    let manifest = run::root().join("bench/fixtures/rust-hello/Cargo.toml");
    run::shown(
        Command::new(run::cargo())
            .args(["build", "--release", "--locked", "--manifest-path"])
            .args([Path::new(&manifest), Path::new("--target-dir"), &target]),
    )?;
    Ok(target.join("release/bootstrap"))
}
