//! Notices changes below a hot-reload folder, for the price of one system call an invocation.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// Folders that are watched at most; a deeper tree is noticed in those that are.
const MAX_FOLDERS: usize = 8_192;
/// What no function imports, and what changes without its author's doing.
const IGNORED: [&str; 3] = [".git", "__pycache__", ".idea"];

/// Watches a folder and all below it as it was when this was made; once changed, always changed.
#[derive(Debug)]
pub(crate) struct FolderWatch {
    root: PathBuf,
    identity: (u64, u64),
    events: OwnedFd,
    changed: AtomicBool,
}

impl FolderWatch {
    /// Blocks for the time of reading the tree.
    pub(crate) fn new(root: &Path) -> io::Result<Self> {
        let events = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let identity = identity(root)?;
        let mut folders = vec![root.to_owned()];
        let mut watched = 0;
        while let Some(folder) = folders.pop() {
            if watched == MAX_FOLDERS {
                tracing::warn!(root = %root.display(), "not every folder below is watched");
                break;
            }
            inotify::add_watch(&events, &folder, changes())?;
            watched += 1;
            for entry in fs::read_dir(&folder)?.flatten() {
                let ignored = IGNORED.iter().any(|name| entry.file_name() == *name);
                if !ignored && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(entry.path());
                }
            }
        }
        Ok(Self {
            root: root.to_owned(),
            identity,
            events,
            changed: AtomicBool::new(false),
        })
    }

    /// Whether anything below the folder has changed, or the folder is another one now.
    pub(crate) fn has_changed(&self) -> bool {
        if self.changed.load(Ordering::Acquire) {
            return true;
        }
        let same = identity(&self.root).is_ok_and(|identity| identity == self.identity);
        let changed = !same || self.has_events();
        if changed {
            self.changed.store(true, Ordering::Release);
        }
        changed
    }

    fn has_events(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.events, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event
                        .file_name()
                        .map(|name| name.to_string_lossy().into_owned());
                    let ignored = name.is_some_and(|name| IGNORED.contains(&name.as_str()));
                    let ended = event.events().contains(ReadFlags::IGNORED);
                    if !ignored && !ended {
                        return true;
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }
}

fn changes() -> WatchFlags {
    WatchFlags::CLOSE_WRITE
        | WatchFlags::CREATE
        | WatchFlags::DELETE
        | WatchFlags::MOVED_FROM
        | WatchFlags::MOVED_TO
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF
        | WatchFlags::ATTRIB
}

/// Follows a link, so that one that is pointed elsewhere is a change.
fn identity(root: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(root)?;
    Ok((metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    type Change = fn(&Path) -> io::Result<()>;

    #[test]
    fn every_kind_of_change_is_seen_and_stays_seen() {
        let changes: [(&str, Change); 5] = [
            ("write", |root| fs::write(root.join("a.py"), "2")),
            ("write below", |root| fs::write(root.join("lib/b.py"), "2")),
            ("new file", |root| fs::write(root.join("lib/c.py"), "")),
            ("delete", |root| fs::remove_file(root.join("lib/b.py"))),
            ("rename", |root| {
                fs::rename(root.join("a.py"), root.join("z.py"))
            }),
        ];
        for (name, change) in changes {
            let root = tempfile::tempdir().unwrap();
            fs::create_dir(root.path().join("lib")).unwrap();
            fs::write(root.path().join("a.py"), "1").unwrap();
            fs::write(root.path().join("lib/b.py"), "1").unwrap();
            let watch = FolderWatch::new(root.path()).unwrap();
            assert!(!watch.has_changed(), "{name}");
            change(root.path()).unwrap();
            assert!(watch.has_changed() && watch.has_changed(), "{name}");
        }
    }

    #[test]
    fn reading_and_compiled_files_are_no_change() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("a.py"), "1").unwrap();
        let watch = FolderWatch::new(root.path()).unwrap();
        fs::read(root.path().join("a.py")).unwrap();
        fs::create_dir(root.path().join("__pycache__")).unwrap();
        assert!(!watch.has_changed());
    }

    #[test]
    fn a_link_that_is_pointed_elsewhere_is_a_change() {
        let root = tempfile::tempdir().unwrap();
        let link = root.path().join("current");
        for version in ["one", "two"] {
            fs::create_dir(root.path().join(version)).unwrap();
        }
        std::os::unix::fs::symlink("one", &link).unwrap();
        let watch = FolderWatch::new(&link).unwrap();
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("two", &link).unwrap();
        assert!(watch.has_changed());
    }
}
