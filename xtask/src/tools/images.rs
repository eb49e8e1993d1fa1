//! What makes and pushes container images without Docker; tests of them skip without.

use std::path::PathBuf;

use super::debian;

/// Debian's packages, each of one program.
const PACKAGES: [&str; 2] = ["umoci", "skopeo"];

/// The programs that are there: an ordinary user cannot install what is missing.
pub fn ensure() -> anyhow::Result<Vec<PathBuf>> {
    debian::programs(&PACKAGES)
}
