//! The folder of a server that keeps nothing (`--ephemeral`): one of a few fixed names below the
//! system's temporary folder, held by a lock and removed at the end.
//!
//! A server that is killed cannot remove its folder. The next one does, of as many as were killed, and takes
//! over the first name: so it also is, to all that goes by the folder's name (control groups, for
//! one), the same server again, and clears what the other left there.

use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Servers of one user at once.
const MOST: u32 = 1_000;
/// How often the folder of a name may be removed by others while it is being taken.
const ATTEMPTS: u32 = 100;

/// Nobody else's until it is dropped, or its process has ended.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Of the folder itself. Given up when it has been removed.
    _lock: File,
}

impl Folder {
    /// Takes the first name that is free, and removes the folders of servers that were killed.
    pub(crate) fn take() -> io::Result<Self> {
        Self::take_in(&std::env::temp_dir())
    }

    fn take_in(parent: &Path) -> io::Result<Self> {
        let user = rustix::process::geteuid().as_raw();
        let prefix = format!("kagero-ephemeral-{user}-");
        let mut taken = None;
        for number in 0..MOST {
            taken = Self::claim(&parent.join(format!("{prefix}{number}")), user)?;
            if taken.is_some() {
                break;
            }
        }
        let taken = taken.ok_or_else(|| {
            let text = format!("{MOST} servers have one in {}", parent.display());
            io::Error::new(ErrorKind::ResourceBusy, text)
        })?;
        for entry in fs::read_dir(parent)? {
            let entry = entry?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix(&prefix));
            if number.is_some_and(|number| number.parse::<u32>().is_ok())
                && entry.path() != taken.path
            {
                // Removed by being dropped, if nobody has it.
                drop(Self::hold(&entry.path(), user)?);
            }
        }
        Ok(taken)
    }

    /// The folder of this name, empty; `None` if it is another's.
    fn claim(path: &Path, user: u32) -> io::Result<Option<Self>> {
        for _ in 0..ATTEMPTS {
            match DirBuilder::new().mode(0o700).create(path) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            match Self::hold(path, user)? {
                Held::Ours(folder) => {
                    folder.clear()?;
                    return Ok(Some(folder));
                }
                Held::Others => return Ok(None),
                // By who takes it for that of a server that was killed.
                Held::Removed => {}
            }
        }
        Ok(None)
    }

    /// Takes hold of a folder as it is.
    fn hold(path: &Path, user: u32) -> io::Result<Held> {
        // Anybody may have put anything there.
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let opened = File::options()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(path);
        let lock = match opened {
            Ok(folder) => folder,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Held::Removed),
            Err(_) => return Ok(Held::Others),
        };
        let found = lock.metadata()?;
        if found.uid() != user || found.mode() & 0o077 != 0 || lock.try_lock().is_err() {
            return Ok(Held::Others);
        }
        // Removed by who had the lock before, it is no longer what the name stands for.
        match fs::symlink_metadata(path) {
            Ok(now) if (now.dev(), now.ino()) == (found.dev(), found.ino()) => {
                let path = path.to_owned();
                Ok(Held::Ours(Self { path, _lock: lock }))
            }
            _ => Ok(Held::Removed),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn clear(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, folder = %self.path.display(), "remove the temporary folder");
        }
    }
}

/// What has become of a folder that was to be held.
#[derive(Debug)]
enum Held {
    Ours(Folder),
    /// A server's that is alive, another user's, or no folder.
    Others,
    Removed,
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(parent: &Path) -> Vec<String> {
        let entries = fs::read_dir(parent).unwrap().flatten();
        let mut names: Vec<_> = entries
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    fn name(number: u32) -> String {
        let user = rustix::process::geteuid().as_raw();
        format!("kagero-ephemeral-{user}-{number}")
    }

    /// What a server that was killed leaves.
    fn leave(parent: &Path, number: u32) -> PathBuf {
        let folder = parent.join(name(number));
        DirBuilder::new().mode(0o700).create(&folder).unwrap();
        fs::create_dir_all(folder.join("exec/deep")).unwrap();
        fs::write(folder.join("exec/deep/file"), "x").unwrap();
        symlink("/", folder.join("link")).unwrap();
        folder
    }

    #[test]
    fn nothing_is_left_of_it_at_the_end() {
        let parent = tempfile::tempdir().unwrap();
        let folder = Folder::take_in(parent.path()).unwrap();
        assert_eq!(names(parent.path()), [name(0)]);
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        drop(folder);
        assert!(names(parent.path()).is_empty());
    }

    #[test]
    fn servers_that_are_alive_keep_theirs() {
        let parent = tempfile::tempdir().unwrap();
        let first = Folder::take_in(parent.path()).unwrap();
        fs::write(first.path().join("kept"), "x").unwrap();
        let second = Folder::take_in(parent.path()).unwrap();
        let third = Folder::take_in(parent.path()).unwrap();
        fs::write(third.path().join("kept"), "x").unwrap();
        drop(second);
        let fourth = Folder::take_in(parent.path()).unwrap();
        assert!(fourth.path().ends_with(name(1)));
        assert_eq!(names(parent.path()), [name(0), name(1), name(2)]);
        assert_eq!(names(first.path()), ["kept"]);
        assert_eq!(names(third.path()), ["kept"]);
    }

    #[test]
    fn what_killed_servers_left_is_removed_and_the_first_name_taken_over() {
        let parent = tempfile::tempdir().unwrap();
        for number in [0, 1, 7] {
            leave(parent.path(), number);
        }
        let folder = Folder::take_in(parent.path()).unwrap();
        assert_eq!(names(parent.path()), [name(0)]);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn what_is_no_servers_is_left_alone() {
        let parent = tempfile::tempdir().unwrap();
        let open = leave(parent.path(), 0);
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        symlink(&open, parent.path().join(name(1))).unwrap();
        fs::write(parent.path().join(name(2)), "a file").unwrap();
        let named = parent.path().join("kagero-ephemeral-data");
        fs::create_dir(&named).unwrap();
        let folder = Folder::take_in(parent.path()).unwrap();
        assert!(folder.path().ends_with(name(3)));
        drop(folder);
        let left = [name(0), name(1), name(2), "kagero-ephemeral-data".into()];
        assert_eq!(names(parent.path()), left);
        assert_eq!(names(&open), ["exec", "link"]);
    }

    #[test]
    fn many_at_once_have_one_each() {
        let parent = tempfile::tempdir().unwrap();
        let barrier = std::sync::Barrier::new(16);
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        barrier.wait();
                        let folder = Folder::take_in(parent.path()).unwrap();
                        // Fails if another has the same.
                        File::create_new(folder.path().join("mine")).unwrap();
                        barrier.wait();
                        assert_eq!(names(folder.path()), ["mine"]);
                    }
                });
            }
        });
        assert!(names(parent.path()).is_empty());
    }
}
