//! The suites whose subject depends on who runs it, run as an ordinary user when root started us.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use serde_json::Value;

use super::totals::Totals;
use crate::run;

/// Sandboxes are made differently with and without privileges.
const SUITES: [&str; 3] = ["sandbox", "exec", "conformance"];

/// A compiled test binary and the folder cargo would run it in.
pub struct Suite {
    /// What cargo calls it.
    pub name: String,
    pub program: PathBuf,
    folder: PathBuf,
}

/// Runs the suites once more without privileges. Returns whether all of them passed.
pub fn run(packages: &[String], totals: &mut Totals) -> anyhow::Result<bool> {
    if !run::is_root()? {
        eprintln!("  an ordinary user ran the tests already");
        return Ok(true);
    }
    let chosen: Vec<&str> = SUITES
        .into_iter()
        .filter(|name| packages.is_empty() || packages.iter().any(|package| package == name))
        .collect();
    if chosen.is_empty() {
        return Ok(true);
    }
    let suites = suites(&chosen)?;
    if let Some(closed) =
        closed_to_others(&run::root()).or_else(|| closed_to_others(&run::target()))
    {
        eprintln!(
            "  skipped {} suites: only root can enter {}",
            suites.len(),
            closed.display()
        );
        totals.skipped += suites.len() as u64;
        return Ok(true);
    }
    let uid = unused_uid()?;
    let home = tempfile::Builder::new().prefix("kagero-test-").tempdir()?;
    chown(home.path(), Some(uid), Some(uid))?;
    let mut success = true;
    for suite in &suites {
        println!("     Running as uid {uid}: {}", suite.program.display());
        success &= totals.run(&mut suite.command(uid, home.path()))?;
    }
    Ok(success)
}

/// Builds the test binaries and asks cargo where they are.
pub fn suites(packages: &[&str]) -> anyhow::Result<Vec<Suite>> {
    let messages = run::quiet(
        Command::new(run::cargo())
            .args(["test", "--no-run", "--message-format=json"])
            .args(packages.iter().map(|name| format!("--package={name}"))),
    )?;
    let suites = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["profile"]["test"] == true)
        .filter_map(|message| {
            let manifest = Path::new(message["manifest_path"].as_str()?);
            Some(Suite {
                name: message["target"]["name"].as_str()?.to_owned(),
                program: PathBuf::from(message["executable"].as_str()?),
                folder: manifest.parent()?.to_owned(),
            })
        })
        .collect();
    Ok(suites)
}

impl Suite {
    fn command(&self, uid: u32, home: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command
            .arg(format!("--reuid={uid}"))
            .arg(format!("--regid={uid}"))
            .arg("--clear-groups")
            .arg("--")
            .arg(&self.program)
            .arg("--show-output")
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", path_for_others())
            .env("HOME", home)
            .env("TMPDIR", home)
            .env("CARGO_MANIFEST_DIR", &self.folder);
        for kept in [
            "LANG",
            "CARGO_TARGET_DIR",
            "RUST_BACKTRACE",
            "RUST_TEST_THREADS",
        ] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command
    }
}

/// Our PATH without the folders that only root can enter.
fn path_for_others() -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let open = std::env::split_paths(&path).filter(|dir| closed_to_others(dir).is_none());
    std::env::join_paths(open).expect("parts of a PATH can be joined again")
}

/// The first folder on the way to `path` that others may not enter.
fn closed_to_others(path: &Path) -> Option<PathBuf> {
    let mut ancestors: Vec<&Path> = path.ancestors().collect();
    ancestors.reverse();
    ancestors
        .into_iter()
        .find(|dir| fs::metadata(dir).is_ok_and(|found| found.mode() & 0o001 == 0))
        .map(Path::to_owned)
}

/// A uid that no account has.
fn unused_uid() -> anyhow::Result<u32> {
    let accounts = fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
    let taken: BTreeSet<u32> = accounts
        .lines()
        .filter_map(|line| line.split(':').nth(2)?.parse().ok())
        .collect();
    (50_000..60_000)
        .find(|uid| !taken.contains(uid))
        .context("an unused uid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_may_not_enter_is_named() {
        use std::os::unix::fs::PermissionsExt;
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir(&inner).unwrap();
        fs::set_permissions(outer.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(closed_to_others(&inner).as_deref(), Some(outer.path()));
        fs::set_permissions(outer.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(closed_to_others(&inner), None);
    }
}
