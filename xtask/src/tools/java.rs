//! What tests of the Java runtime skip without: a compiler, and Maven, which fetches AWS's client.

use std::path::PathBuf;

use super::debian;
use crate::run;

/// What there is of them, after installing the rest where root asks.
pub fn ensure() -> anyhow::Result<Vec<PathBuf>> {
    let (programs, packages) = (["javac", "mvn"], ["openjdk-17-jdk-headless", "maven"]);
    let missing: Vec<&str> = programs
        .iter()
        .zip(packages)
        .filter(|(program, _)| run::on_path(program).is_none())
        .map(|(_, package)| package)
        .collect();
    if !missing.is_empty() && run::is_root()? {
        debian::install(&missing)?;
    }
    Ok(programs.into_iter().filter_map(run::on_path).collect())
}
