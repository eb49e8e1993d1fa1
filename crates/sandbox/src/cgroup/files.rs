//! Reading and writing control group files, removing folders, and finding where they are mounted.

use std::fs;
use std::io;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::SandboxError;

/// A group whose last process has just ended stays busy for a moment.
const REMOVE_ATTEMPTS: u32 = 50;
const REMOVE_PAUSE: Duration = Duration::from_millis(2);

pub(super) fn write(path: &Path, value: &str) -> Result<(), SandboxError> {
    try_write(path, value).map_err(|source| failed("configure", path, source))
}

/// One `write`, since the kernel takes each as a whole command; creates nothing.
pub(super) fn try_write(path: &Path, value: &str) -> io::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .open(path)?
        .write_all(value.as_bytes())
}

pub(super) fn read(path: &Path) -> Result<String, SandboxError> {
    fs::read_to_string(path).map_err(|source| failed("read", path, source))
}

pub(super) fn read_number(path: &Path) -> Result<u64, SandboxError> {
    Ok(read(path)?.trim().parse().unwrap_or(0))
}

/// The value of one key in a file of `key value` lines.
pub(super) fn field(text: &str, key: &str) -> Option<u64> {
    let value = |line: &str| {
        line.strip_prefix(key)?
            .strip_prefix(' ')?
            .trim()
            .parse()
            .ok()
    };
    text.lines().find_map(value)
}

/// Makes a group's folder; one that is there already is as good.
pub(super) fn create(path: &Path) -> Result<(), SandboxError> {
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(failed("create", path, error))
        }
        _ => Ok(()),
    }
}

/// Removes a group's folder as soon as it is no longer busy.
pub(super) fn remove(path: &Path) -> Result<(), SandboxError> {
    for attempt in 1.. {
        match fs::remove_dir(path) {
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                if attempt == REMOVE_ATTEMPTS {
                    return Err(failed("remove", path, error));
                }
                thread::sleep(REMOVE_PAUSE);
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", path, error));
            }
            _ => break,
        }
    }
    Ok(())
}

/// The folders of the groups inside this one.
pub(super) fn children(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

/// Whether this user may write to a file or a folder.
pub(super) fn is_writable(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let Ok(path) = std::ffi::CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: a valid C string.
    unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::W_OK, libc::AT_EACCESS) == 0 }
}

pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> SandboxError {
    SandboxError::Cgroup {
        action,
        path: path.to_owned(),
        source,
    }
}

/// Mount point and options of every mount of this kind (`cgroup` or `cgroup2`).
pub(super) fn mounts(kind: &str) -> Vec<(PathBuf, String)> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mount = |line: &str| {
        let mut fields = line.split(' ').skip(1);
        let (place, found, options) = (fields.next()?, fields.next()?, fields.next()?);
        (found == kind).then(|| (PathBuf::from(place), options.to_owned()))
    };
    mounts.lines().filter_map(mount).collect()
}

/// This server's own group: below the mount point of the named controller, or of version 2
/// where the name is empty.
pub(super) fn own_group(controller: &str) -> Option<String> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let group = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let named = controllers.split(',').any(|one| one == controller);
        named.then(|| path.trim_start_matches('/').to_owned())
    };
    groups.lines().find_map(group)
}
