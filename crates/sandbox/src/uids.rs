//! The pool of host uids: as root, every live environment has one of its own.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::SandboxError;
use crate::skeleton;

/// First uid of all pools; above what distributions, systemd and subordinate ids hand out.
pub(crate) const FIRST: u32 = 1_900_000_000;
/// Uids of one server; as many environments can live at once.
const POOL: u32 = 16_384;
/// Servers on one host that do not share a uid, as far as their names' hashes differ.
const POOLS: u32 = 4_096;
/// Last uid that any server's pool may hold.
pub(crate) const LAST: u32 = FIRST + POOL * POOLS - 1;

/// Files of uids that were given back, kept for the next ones. A new file is dear where many are
/// removed: ext4 looks at each inode that was free for less than five seconds, and passes it by.
const SPARE_FILES: usize = 256;

/// Uids that no live environment has.
#[derive(Debug)]
pub(crate) struct Uids {
    free: Arc<Mutex<Free>>,
    passwd_dir: Arc<Path>,
}

#[derive(Debug)]
struct Free {
    /// Never used: these come first, so that a uid rests as long as possible.
    fresh: std::ops::Range<u32>,
    /// Used before, longest unused first.
    returned: VecDeque<u32>,
    /// Each `/etc/passwd` that nobody sees any more.
    files: Vec<PathBuf>,
}

/// A uid, given back when dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) uid: u32,
    free: Arc<Mutex<Free>>,
    /// Its `/etc/passwd`, if that was needed.
    passwd: PathBuf,
}

impl Uids {
    /// The pool of the server with this name, which keeps each uid's `/etc/passwd` in this folder.
    pub(crate) fn of(instance: &str, passwd_dir: &Path) -> Self {
        // FNV-1a: the same after a restart.
        let hash = instance.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let first = FIRST + (hash % POOLS) * POOL;
        let free = Free {
            fresh: first..first + POOL,
            returned: VecDeque::new(),
            files: Vec::new(),
        };
        Self {
            free: Arc::new(Mutex::new(free)),
            passwd_dir: passwd_dir.into(),
        }
    }

    pub(crate) fn take(&self) -> Result<Lease, SandboxError> {
        let mut free = lock(&self.free);
        let uid = free.fresh.next().or_else(|| free.returned.pop_front());
        let uid = uid.ok_or(SandboxError::UidsExhausted { size: POOL })?;
        Ok(Lease {
            uid,
            free: Arc::clone(&self.free),
            passwd: self.passwd_dir.join(uid.to_string()),
        })
    }

    /// Writes this uid's `/etc/passwd`, and returns where; a leased uid takes it along when it is
    /// given back.
    pub(crate) fn write_passwd(&self, uid: u32, gid: u32) -> io::Result<PathBuf> {
        let path = self.passwd_dir.join(uid.to_string());
        let text = skeleton::passwd(uid, gid);
        let spare = lock(&self.free).spare_file(&path);
        // In place: to empty and fill a file, ext4 would write it to the disk at once.
        let is_rewritten = spare.is_some_and(|spare| {
            fs::rename(spare, &path).is_ok() && rewrite(&path, &text).unwrap_or(false)
        });
        if !is_rewritten {
            skeleton::file(&path, text.as_bytes())?;
        }
        Ok(path)
    }
}

impl Free {
    /// A file to become this one; itself, if it is there already.
    fn spare_file(&mut self, path: &Path) -> Option<PathBuf> {
        let count = self.files.len();
        self.files.retain(|file| file != path);
        if self.files.len() < count {
            return Some(path.to_owned());
        }
        self.files.pop()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let passwd = std::mem::take(&mut self.passwd);
        let mut free = lock(&self.free);
        free.returned.push_back(self.uid);
        if free.files.len() < SPARE_FILES {
            free.files.push(passwd);
            return;
        }
        drop(free);
        // Uids come round again only after thousands of others, whose files would pile up.
        let _ = fs::remove_file(passwd);
    }
}

/// Writes over what is as long; false if it is not.
fn rewrite(path: &Path, text: &str) -> io::Result<bool> {
    let file = File::options().write(true).open(path)?;
    if file.metadata()?.len() != text.len() as u64 {
        return Ok(false);
    }
    file.write_all_at(text.as_bytes(), 0).map(|()| true)
}

fn lock(free: &Mutex<Free>) -> MutexGuard<'_, Free> {
    free.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(instance: &str) -> Uids {
        Uids::of(instance, Path::new("/nowhere"))
    }

    #[test]
    fn the_file_of_a_uid_that_is_given_back_becomes_the_next_ones() {
        let folder = tempfile::tempdir().unwrap();
        let uids = Uids::of("one", folder.path());
        let first = uids.take().unwrap();
        let passwd = uids.write_passwd(first.uid, first.uid).unwrap();
        drop(first);
        let second = uids.take().unwrap();
        let others = uids.write_passwd(second.uid, second.uid).unwrap();
        let expected = skeleton::passwd(second.uid, second.uid);
        assert_eq!(fs::read_to_string(&others).unwrap(), expected);
        assert!(!passwd.exists());
        // Of another length.
        let fixed = uids.write_passwd(7, 70_000).unwrap();
        assert_eq!(
            fs::read_to_string(fixed).unwrap(),
            skeleton::passwd(7, 70_000)
        );
        drop(second);
        let short = uids.write_passwd(8, 8).unwrap();
        assert_eq!(fs::read_to_string(short).unwrap(), skeleton::passwd(8, 8));
    }

    #[test]
    fn a_file_in_use_becomes_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let uids = Uids::of("one", folder.path());
        let lease = uids.take().unwrap();
        let passwd = uids.write_passwd(lease.uid, lease.uid).unwrap();
        let uid = lease.uid;
        drop(lease);
        // The same uid once more, and the file with it.
        uids.write_passwd(uid, uid).unwrap();
        let other = uids.take().unwrap();
        uids.write_passwd(other.uid, other.uid).unwrap();
        assert_eq!(
            fs::read_to_string(passwd).unwrap(),
            skeleton::passwd(uid, uid)
        );
    }

    #[test]
    fn files_of_uids_that_were_given_back_do_not_pile_up() {
        let folder = tempfile::tempdir().unwrap();
        let uids = Uids::of("one", folder.path());
        let leases: Vec<Lease> = (0..SPARE_FILES + 3)
            .map(|_| uids.take().unwrap())
            .inspect(|lease| {
                uids.write_passwd(lease.uid, lease.uid).unwrap();
            })
            .collect();
        drop(leases);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), SPARE_FILES);
    }

    #[test]
    fn a_uid_is_used_again_only_when_all_others_are_taken() {
        let uids = of("one");
        let first = uids.take().unwrap();
        let reused = first.uid;
        drop(first);
        let mut leases: Vec<Lease> = (1..POOL).map(|_| uids.take().unwrap()).collect();
        assert!(
            leases
                .iter()
                .all(|lease| lease.uid != reused && lease.uid <= LAST)
        );
        leases.push(uids.take().unwrap());
        assert_eq!(leases.last().unwrap().uid, reused);
        assert!(matches!(
            uids.take(),
            Err(SandboxError::UidsExhausted { .. })
        ));
    }

    #[test]
    fn servers_of_different_names_have_different_uids() {
        assert_ne!(of("one").take().unwrap().uid, of("two").take().unwrap().uid);
    }
}
