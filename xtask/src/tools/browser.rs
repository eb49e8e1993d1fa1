//! A browser without a window, for tests of pages; they skip without.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use super::debian::{self, Present};
use super::{fetching, folder};
use crate::run;

/// Debian's package of it.
const PACKAGE: &str = "chromium-headless-shell";
/// Where the package puts the program.
const PROGRAM: &str = "usr/lib/chromium/chromium-headless-shell";

/// The program, unpacked beside the libraries that this machine lacks: neither root nor a change to
/// the system is needed. `None`, and the reason said, where it is not to be had.
pub fn ensure() -> Option<PathBuf> {
    let home = folder().join("browser");
    let program = home.join(PROGRAM);
    if program.exists() {
        return Some(program);
    }
    let fetched = fetching("a headless browser", || {
        let part = folder().join("browser-part");
        let _ = fs::remove_dir_all(&part);
        fs::create_dir_all(&part)?;
        let archives = tempfile::tempdir_in(folder())?;
        for file in debian::download(&[PACKAGE], Present::Installed, archives.path())? {
            run::quiet(Command::new("dpkg").arg("-x").arg(&file).arg(&part))?;
        }
        let _ = fs::remove_dir_all(&home);
        fs::rename(&part, &home).context("keep the browser")
    });
    match fetched {
        Ok(()) => Some(program).filter(|program| program.exists()),
        Err(error) => {
            eprintln!("  tests of pages will be skipped: {error:#}");
            None
        }
    }
}
