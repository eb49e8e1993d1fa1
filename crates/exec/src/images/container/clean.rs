//! Paths of archives nobody vouches for, and folders that every user may enter.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use crate::error::ImageError;

const MAX_NAME: usize = 255;
const MAX_PATH: usize = 3_072;

/// A path of an archive, relative to the image's root.
pub(super) fn path(name: &[u8]) -> Result<PathBuf, ImageError> {
    if name.contains(&0) {
        return Err(refuse(name, "its name holds a NUL byte"));
    }
    let mut path = PathBuf::new();
    for component in Path::new(OsStr::from_bytes(name)).components() {
        match component {
            Component::Normal(part) if part.len() <= MAX_NAME => path.push(part),
            Component::Normal(_) => return Err(refuse(name, "its name is too long")),
            // An absolute path is meant below the image's own root.
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            Component::ParentDir => return Err(refuse(name, "its path climbs with '..'")),
        }
    }
    if path.as_os_str().len() > MAX_PATH {
        return Err(refuse(name, "its path is too long"));
    }
    Ok(path)
}

pub(super) fn refuse(name: &[u8], reason: &'static str) -> ImageError {
    ImageError::UnsafeEntry {
        name: String::from_utf8_lossy(name).into_owned(),
        reason,
    }
}

pub(super) fn folder(path: &Path) -> io::Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => made?,
    }
    open_up(path)
}

/// Whatever the server's umask.
pub(super) fn open_up(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// Takes away what is at a path, if anything is; a link is not followed.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(there) if there.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leaves_the_root() {
        let clean = |name: &str| path(name.as_bytes()).ok();
        assert_eq!(clean("./usr/bin/"), Some("usr/bin".into()));
        assert_eq!(clean("/etc/passwd"), Some("etc/passwd".into()));
        assert_eq!(clean("./"), Some(PathBuf::new()));
        for bad in ["../etc", "usr/../../etc", "a\0b", &"x".repeat(256)] {
            assert_eq!(clean(bad), None, "{bad}");
        }
    }
}
