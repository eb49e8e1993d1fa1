//! `cargo xtask bench`: the release build, measured by the `bench` crate.

use std::process::Command;

use clap::Args;

use crate::{run, tools};

#[derive(Args)]
pub struct Bench {
    /// Only the measures whose name has this in it, such as `warm-invoke`.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
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
        bench.args(self.only);
        bench
            .env("KAGERO_BIN", release.join("kagero"))
            .env("KAGERO_BENCH_PYTHON", python);
        run::shown(&mut bench)
    }
}
