//! Length, purpose and unfinished marks of our source files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Finding;
use crate::run;

/// A file this long has a seam somewhere.
const MAX_LINES: usize = 1_000;

pub fn check() -> anyhow::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for file in tracked_rust_files()? {
        let text = fs::read_to_string(run::root().join(&file))?;
        if text.contains("@generated") && is_generated(&file) {
            continue;
        }
        findings.extend(complaints(&text).into_iter().map(|what| Finding {
            place: file.clone(),
            what,
        }));
    }
    Ok(findings)
}

fn complaints(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines = text.lines().count();
    if lines > MAX_LINES {
        found.push(format!(
            "{lines} lines; the limit is {MAX_LINES}, the aim 400"
        ));
    }
    let says_purpose = text
        .lines()
        .find(|line| !line.starts_with("#!"))
        .is_some_and(|line| line.starts_with("//!"));
    if !says_purpose {
        found.push("does not open with a //! line of purpose".to_owned());
    }
    // Written apart, so that this file does not complain about itself.
    for mark in [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("unimpl", "emented!"),
        concat!("to", "do!("),
    ] {
        if text.contains(mark) {
            found.push(format!("has the unfinished mark {mark}"));
        }
    }
    found
}

fn is_generated(file: &Path) -> bool {
    file.file_stem()
        .is_some_and(|stem| stem.to_string_lossy().starts_with("generated"))
}

fn tracked_rust_files() -> anyhow::Result<Vec<PathBuf>> {
    let listed = run::quiet(
        Command::new("git")
            .args([
                "ls-files",
                "--cached",
                "--others",
                "--exclude-standard",
                "*.rs",
            ])
            .current_dir(run::root()),
    )?;
    Ok(listed
        .lines()
        .map(PathBuf::from)
        .filter(|file| run::root().join(file).exists())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::complaints;

    #[test]
    fn purpose_and_marks() {
        assert!(complaints("//! Purpose.\n").is_empty());
        assert_eq!(complaints("use std;\n").len(), 1);
        assert_eq!(complaints(concat!("//! P.\n// FIX", "ME later\n")).len(), 1);
    }
}
