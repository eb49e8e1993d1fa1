//! Whose folder it is: a living server holds a lock on its own, which the kernel releases when the
//! server ends, in whatever way.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::files;
use crate::SandboxError;

/// Another server that starts holds the lock while it removes a folder: some milliseconds.
const ATTEMPTS: u32 = 100;
const PAUSE: Duration = Duration::from_millis(2);

/// Makes `parent/instance`, if need be, and holds it until the file is closed. The lock is shared:
/// a server may open its own name twice.
pub(super) fn hold(folder: &Path) -> Result<File, SandboxError> {
    let parent = folder.parent().unwrap_or(folder);
    for _ in 0..ATTEMPTS {
        files::create(parent)?;
        if let Some(held) = try_hold(folder).map_err(|e| files::failed("hold", folder, e))? {
            return Ok(held);
        }
        thread::sleep(PAUSE);
    }
    let busy = io::Error::from(io::ErrorKind::ResourceBusy);
    Err(files::failed("hold", folder, busy))
}

/// `None` if another server is removing the folder at this moment.
fn try_hold(folder: &Path) -> io::Result<Option<File>> {
    let open = || {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        File::open(folder)
    };
    let file = match open() {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(is_still_there(folder, &file).then_some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Between opening and locking it, the folder may have been removed and made anew.
fn is_still_there(folder: &Path, file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(named), Ok(held)) = (fs::metadata(folder), file.metadata()) else {
        return false;
    };
    named.ino() == held.ino()
}

/// Removes the folders of servers that were killed. Leaves alone what a living server holds, and
/// kills nothing: a folder with processes in it stays for a later start.
pub(super) fn sweep(parent: &Path) {
    for folder in files::children(parent) {
        let Ok(file) = File::open(&folder) else {
            continue;
        };
        if file.try_lock().is_err() {
            continue;
        }
        // The kernel refuses to remove a group that has processes.
        for group in files::children(&folder) {
            let _ = fs::remove_dir(group);
        }
        let _ = fs::remove_dir(&folder);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in a control group, where folders are removed though the kernel keeps files in them: here
    /// they hold nothing, and a file stands for a process.
    #[test]
    fn only_what_nobody_holds_and_nothing_is_in_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let at = |path: &str| parent.path().join(path);
        for path in ["dead/e0", "dead/e1", "busy/e0", "living/e0"] {
            fs::create_dir_all(at(path)).unwrap();
        }
        fs::write(at("busy/e0/process"), "").unwrap();
        let held = hold(&at("living")).unwrap();
        let again = hold(&at("living")).unwrap();
        sweep(parent.path());
        assert!(!at("dead").exists());
        assert!(at("busy/e0").exists() && at("living/e0").exists());
        drop((held, again));
        sweep(parent.path());
        assert!(!at("living").exists());
    }

    #[test]
    fn folders_made_while_others_are_swept_are_whole() {
        let parent = tempfile::tempdir().unwrap();
        thread::scope(|scope| {
            for number in 0..4 {
                let parent = parent.path();
                scope.spawn(move || {
                    let folder = parent.join(number.to_string());
                    for _ in 0..200 {
                        let held = hold(&folder).unwrap();
                        sweep(parent);
                        // Gone, if anybody had taken it for a dead server's.
                        fs::create_dir(folder.join("e0")).unwrap();
                        sweep(parent);
                        fs::remove_dir(folder.join("e0")).unwrap();
                        drop(held);
                    }
                });
            }
        });
    }
}
