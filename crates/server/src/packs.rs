//! What `kagero runtime install` installs, for the command.

use std::path::PathBuf;

pub use exec::packs::{Pack, install};

/// Where this user's packs are; `None` if nothing says where that may be.
pub fn folder() -> Option<PathBuf> {
    exec::packs::folder(|name| std::env::var_os(name))
}
