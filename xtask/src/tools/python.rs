//! Virtual environments, and the one with boto3 and AWS's own runtime client.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use super::{debian, fetching, folder};
use crate::run;

/// What the tests and benches use from Python.
const CLIENTS: [&str; 3] = ["boto3", "awslambdaric", "websockets"];

/// The interpreter of a virtual environment that has them.
pub fn ensure() -> anyhow::Result<PathBuf> {
    let home = folder().join("python");
    let interpreter = home.join("bin/python");
    let imports = "import boto3, awslambdaric, websockets";
    if run::quiet(Command::new(&interpreter).args(["-c", imports])).is_ok() {
        return Ok(interpreter);
    }
    fetching("boto3, awslambdaric and websockets", || {
        venv(&home, &CLIENTS)
    })
}

/// Makes a virtual environment with these packages and returns its interpreter.
pub fn venv(home: &Path, packages: &[&str]) -> anyhow::Result<PathBuf> {
    let _ = fs::remove_dir_all(home);
    // Without pip, because Debian keeps what would install it in a package of its own.
    run::quiet(
        Command::new(host_python()?)
            .args(["-m", "venv", "--without-pip"])
            .arg(home),
    )?;
    let interpreter = home.join("bin/python");
    if run::quiet(Command::new(&interpreter).args(["-m", "ensurepip"])).is_ok() {
        install(Command::new(&interpreter).args(["-m", "pip"]), packages)?;
    } else {
        install(
            Command::new(&interpreter).arg(pip_wheel()?.join("pip")),
            packages,
        )?;
    }
    Ok(interpreter)
}

fn install(pip: &mut Command, packages: &[&str]) -> anyhow::Result<()> {
    let flags = ["install", "--quiet", "--disable-pip-version-check"];
    run::quiet(pip.args(flags).args(packages)).map(drop)
}

/// Debian's pip as a wheel, which runs without being installed.
fn pip_wheel() -> anyhow::Result<PathBuf> {
    let package = folder().join("pip");
    let wheels = package.join("usr/share/python-wheels");
    if !wheels.exists() {
        debian::unpack("python3-pip-whl", &package)?;
    }
    fs::read_dir(&wheels)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("python3-pip-whl holds no wheel")
}

/// The real interpreter behind whatever `python3` is, installed first where there is none. The
/// system's comes first: every user can reach it, unlike one in somebody's home.
fn host_python() -> anyhow::Result<PathBuf> {
    let ask = || {
        ["/usr/bin/python3", "python3"]
            .into_iter()
            .map(|python| {
                run::quiet(
                    Command::new(python).args(["-c", "import venv, sys; print(sys.executable)"]),
                )
            })
            .find_map(Result::ok)
            .map(|path| PathBuf::from(path.trim()))
    };
    if let Some(python) = ask() {
        return Ok(python);
    }
    debian::install(&["python3"]).context("python3 is missing")?;
    ask().context("python3 is installed and does not run")
}
