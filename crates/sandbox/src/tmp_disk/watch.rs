//! Keeps environments from filling the host's disk, and gives back what they no longer use.
//!
//! Images are sparse, and together promise more than the disk has. A thread looks at the room that
//! is left, the sooner the less it is; when only the reserve remains, every `/tmp` is closed for
//! writing, so that functions get ENOSPC while the server itself can still write.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::image::Disk;
use super::{Space, kernel};
use crate::SandboxError;

/// Left to the server and its host: this much, or a twentieth of a small disk.
const RESERVE: u64 = 1 << 30;
const RESERVE_PART: u64 = 20;

/// Faster than functions can write, together.
const FASTEST_BYTES_A_SECOND: u64 = 4 << 30;
const SHORTEST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);
/// While closed, until there is room again.
const WHILE_CLOSED: Duration = Duration::from_millis(250);

/// An image this much larger than its contents is trimmed.
const SLACK: u64 = 128 << 20;

#[derive(Debug)]
pub(super) struct DiskWatch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    folder: File,
    watched: Mutex<Watched>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Watched {
    disks: Vec<Arc<Disk>>,
    closed: bool,
    ended: bool,
}

impl DiskWatch {
    pub(super) fn start(folder: &Path) -> Result<Self, SandboxError> {
        let start = || -> io::Result<Self> {
            let shared = Arc::new(Shared {
                folder: File::open(folder)?,
                watched: Mutex::default(),
                changed: Condvar::new(),
            });
            let watching = Arc::clone(&shared);
            let thread = thread::Builder::new()
                .name(String::from("disk-watch"))
                .spawn(move || watching.keep_watch())?;
            Ok(Self {
                shared,
                thread: Some(thread),
            })
        };
        start().map_err(SandboxError::host("watch the host's disk"))
    }

    pub(super) fn add(&self, disk: &Arc<Disk>) {
        let mut watched = self.shared.watched();
        close(disk, watched.closed);
        watched.disks.push(Arc::clone(disk));
        if watched.disks.len() == 1 {
            self.shared.changed.notify_one();
        }
    }

    pub(super) fn remove(&self, disk: &Arc<Disk>) {
        let mut watched = self.shared.watched();
        watched.disks.retain(|other| !Arc::ptr_eq(other, disk));
    }
}

impl Shared {
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_watch(&self) {
        loop {
            let mut watched = self.watched();
            while watched.disks.is_empty() && !watched.ended {
                let woken = self.changed.wait(watched);
                watched = woken.unwrap_or_else(PoisonError::into_inner);
            }
            if watched.ended {
                return;
            }
            let disks = watched.disks.clone();
            drop(watched);
            let owed = disks.iter().map(|disk| look_at(disk)).sum();
            drop(disks);
            let space = match kernel::space(&self.folder) {
                Ok(space) => space,
                Err(error) => {
                    tracing::error!(%error, "the host's disk is no longer watched");
                    return;
                }
            };
            let mut watched = self.watched();
            let (closed, patience) = decide(&space, owed, watched.closed);
            if closed != watched.closed {
                tracing::warn!(
                    closed,
                    "the host's disk: /tmp is closed for writing, or open again"
                );
                watched.closed = closed;
                watched.disks.iter().for_each(|disk| close(disk, closed));
            }
            // Only an end is waited for; a new environment changes nothing about the room.
            let _ = self
                .changed
                .wait_timeout_while(watched, patience, |watched| !watched.ended);
        }
    }
}

/// Bytes that a disk has accepted and the host has not stored yet; on the way, trims it.
fn look_at(disk: &Disk) -> u64 {
    let (Ok(used), Ok(allocated)) = (disk.used(), disk.allocated()) else {
        return 0;
    };
    if allocated > used + SLACK
        && let Err(error) = disk.trim()
    {
        tracing::debug!(%error, "trim a /tmp on disk");
    }
    used.saturating_sub(allocated)
}

fn close(disk: &Disk, closed: bool) {
    if let Err(error) = disk.close(closed) {
        tracing::warn!(%error, "close a /tmp on disk, or open it");
    }
}

/// Whether nothing more may be written, and when to look again.
fn decide(space: &Space, owed: u64, was_closed: bool) -> (bool, Duration) {
    let reserve = RESERVE.min(space.total_bytes / RESERVE_PART);
    let room = space.available_bytes.saturating_sub(owed + reserve);
    // Opened again only once it is worth it, so as not to swing.
    let needed = if was_closed { reserve / 4 } else { 0 };
    if room <= needed {
        return (true, WHILE_CLOSED);
    }
    let millis = room.saturating_mul(1000) / FASTEST_BYTES_A_SECOND;
    let patience = Duration::from_millis(millis).clamp(SHORTEST, LONGEST);
    (false, patience)
}

impl Drop for DiskWatch {
    fn drop(&mut self) {
        self.shared.watched().ended = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It does not panic; and if it did, there is nothing left to watch.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(total_bytes: u64, available_bytes: u64) -> Space {
        Space {
            kind: 0,
            total_bytes,
            free_bytes: available_bytes,
            available_bytes,
        }
    }

    #[test]
    fn looks_the_sooner_the_less_is_left_and_closes_at_the_reserve() {
        let disk = 100 << 30;
        let far = decide(&space(disk, 50 << 30), 0, false);
        assert_eq!(far, (false, LONGEST));
        let near = decide(&space(disk, 3 << 30), 0, false);
        assert_eq!(near, (false, Duration::from_millis(500)));
        let at = decide(&space(disk, RESERVE), 0, false);
        assert_eq!(at, (true, WHILE_CLOSED));
    }

    #[test]
    fn what_is_only_in_the_page_cache_counts() {
        let (closed, _) = decide(&space(100 << 30, 5 << 30), 4 << 30, false);
        assert!(closed);
    }

    #[test]
    fn opens_again_only_with_some_room() {
        let disk = 100 << 30;
        assert!(decide(&space(disk, RESERVE + RESERVE / 8), 0, true).0);
        assert!(!decide(&space(disk, RESERVE + RESERVE / 2), 0, true).0);
    }

    #[test]
    fn a_small_disk_has_a_small_reserve() {
        assert!(!decide(&space(1 << 30, 100 << 20), 0, false).0);
        assert!(decide(&space(1 << 30, 40 << 20), 0, false).0);
    }
}
