//! A Go, which tests of functions in Go skip without.

use std::path::PathBuf;

use super::debian;
use crate::run;

/// `None` where there is none and an ordinary user cannot install one.
pub fn ensure() -> anyhow::Result<Option<PathBuf>> {
    if run::on_path("go").is_none() && run::is_root()? {
        debian::install(&["golang-go"])?;
    }
    Ok(run::on_path("go"))
}
