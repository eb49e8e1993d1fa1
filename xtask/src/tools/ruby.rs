//! A Ruby, which tests of its runtime skip without.

use std::path::PathBuf;

use super::debian;
use crate::run;

/// `None` where there is none and an ordinary user cannot install one.
pub fn ensure() -> anyhow::Result<Option<PathBuf>> {
    if run::on_path("ruby").is_none() && run::is_root()? {
        debian::install(&["ruby"])?;
    }
    Ok(run::on_path("ruby"))
}
