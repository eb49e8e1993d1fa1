//! Reading and writing control group files, removing folders, and finding where they are mounted.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::SandboxError;

/// A group whose last process has just ended stays busy for a moment.
const REMOVE_ATTEMPTS: u32 = 50;
const REMOVE_PAUSE: Duration = Duration::from_millis(2);

/// The server's folder in one tree. It is kept open, and groups are found from there: the way from the
/// root takes the kernel longer than reading one of their files.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    open: File,
}

impl Folder {
    /// Of a folder that is open as such.
    pub(super) fn new(path: PathBuf, open: File) -> Self {
        Self { path, open }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file of a group, or the group itself where the file has no name.
    pub(super) fn open(&self, group: &str, file: &str, flags: i32) -> Result<File, SandboxError> {
        self.try_open(group, file, flags)
            .map_err(|source| self.failed("open", group, file, source))
    }

    pub(super) fn write(&self, group: &str, file: &str, value: &str) -> Result<(), SandboxError> {
        self.try_write(group, file, value)
            .map_err(|source| self.failed("configure", group, file, source))
    }

    /// One `write`, since the kernel takes each as a whole command; creates nothing.
    pub(super) fn try_write(&self, group: &str, file: &str, value: &str) -> io::Result<()> {
        self.try_open(group, file, libc::O_WRONLY)?
            .write_all(value.as_bytes())
    }

    pub(super) fn read(&self, group: &str, file: &str) -> Result<String, SandboxError> {
        let read = || -> io::Result<String> {
            let mut text = String::with_capacity(512);
            // Not by the size that the kernel says they have, which is none.
            let mut file = self.try_open(group, file, libc::O_RDONLY)?.take(1 << 20);
            file.read_to_string(&mut text)?;
            Ok(text)
        };
        read().map_err(|source| self.failed("read", group, file, source))
    }

    /// A file that is one number.
    pub(super) fn read_number(&self, group: &str, file: &str) -> Result<u64, SandboxError> {
        let mut text = [0; 24];
        let read = self
            .try_open(group, file, libc::O_RDONLY)
            .and_then(|mut file| file.read(&mut text));
        let read = read.map_err(|source| self.failed("read", group, file, source))?;
        let text = std::str::from_utf8(&text[..read]).unwrap_or_default();
        Ok(text.trim().parse().unwrap_or(0))
    }

    /// Makes a group; one that is there already is as good.
    pub(super) fn create(&self, group: &str) -> Result<(), SandboxError> {
        create(&self.path.join(group))
    }

    /// Removes a group as soon as it is no longer busy.
    pub(super) fn remove(&self, group: &str) -> Result<(), SandboxError> {
        remove(&self.path.join(group))
    }

    fn try_open(&self, group: &str, file: &str, flags: i32) -> io::Result<File> {
        let path = CString::new([group, "/", file].concat())?;
        let flags = flags | libc::O_CLOEXEC;
        // SAFETY: a live descriptor and a string that ends.
        let fd = unsafe { libc::openat(self.open.as_raw_fd(), path.as_ptr(), flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a fresh descriptor that nobody else owns.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) }.into())
    }

    pub(super) fn failed(
        &self,
        action: &'static str,
        group: &str,
        file: &str,
        source: io::Error,
    ) -> SandboxError {
        failed(action, &self.path.join(group).join(file), source)
    }
}

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
