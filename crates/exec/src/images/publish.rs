//! Makes an unpacked folder durable, and visible in one step.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::archive::Unpacked;
use crate::error::ImageError;

/// Above this, syncing the whole file system is cheaper than file by file.
const SYNC_EACH: usize = 64;

/// Returns once the folder's content is on the disk.
pub(super) fn sync(folder: &Path, unpacked: &Unpacked) -> Result<(), ImageError> {
    let sync = || -> io::Result<()> {
        fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        let folder_handle = File::open(folder)?;
        if unpacked.paths.len() > SYNC_EACH {
            return Ok(rustix::fs::syncfs(&folder_handle)?);
        }
        for path in &unpacked.paths {
            File::open(path)?.sync_all()?;
        }
        folder_handle.sync_all()
    };
    sync().map_err(ImageError::io("sync the package"))
}

/// Renames the folder to its final path, durably. Another import of the same package may have been
/// faster; then its folder stays and ours goes.
pub(super) fn publish(incoming: TempDir, path: &Path) -> Result<(), ImageError> {
    rename(incoming, path)?;
    sync_folder(path.parent().unwrap_or(Path::new("/")))
}

/// The same; it is durable when the folder around it has been synced.
pub(super) fn rename(incoming: TempDir, path: &Path) -> Result<(), ImageError> {
    match fs::rename(incoming.path(), path) {
        Ok(()) => {
            // Nothing is left under the temporary name.
            let _ = incoming.keep();
        }
        Err(error) if path.is_dir() => {
            tracing::debug!(%error, "the package was imported meanwhile");
        }
        Err(error) => return Err(ImageError::io("publish the package")(error)),
    }
    Ok(())
}

pub(super) fn sync_folder(folder: &Path) -> Result<(), ImageError> {
    let sync = File::open(folder).and_then(|folder| folder.sync_all());
    sync.map_err(ImageError::io("publish the package"))
}
