//! `cargo xtask tidy`: the rules of the house that no compiler checks.

mod direction;
mod files;

use std::path::PathBuf;

use anyhow::bail;

/// A rule that is broken somewhere.
pub struct Finding {
    pub place: PathBuf,
    pub what: String,
}

pub fn run() -> anyhow::Result<()> {
    let mut findings = direction::check()?;
    findings.extend(files::check()?);
    for finding in &findings {
        eprintln!("{}: {}", finding.place.display(), finding.what);
    }
    if !findings.is_empty() {
        bail!("{} tidiness rules are broken", findings.len());
    }
    eprintln!("tidy: dependencies point one way, files are short and say what they are for");
    Ok(())
}
