//! Holds a function to its memory without counting `/tmp` against it.
//!
//! The kernel charges a tmpfs to whoever fills it, and cannot tell it from memory. So the group's
//! hard limit is memory and `/tmp` together, and this thread kills an environment whose memory
//! alone is above its own limit. It sleeps until the kernel reports that a group has reached the
//! lowest usage at which that can be; page cache, which the kernel could take back, is not counted.

use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::SandboxError;
use crate::cgroup::{MemoryAlarm, MemoryGroup};
use crate::eventfd;
use crate::process::Pidfd;

/// A group that has less room than this left is looked at again only after this much more.
const LEAST_STEP: u64 = 1 << 20;

/// The key of the descriptor that ends the thread.
const STOP: u64 = 0;

/// One environment under guard.
#[derive(Debug)]
pub(crate) struct Guarded {
    pub(crate) group: MemoryGroup,
    /// Its pid 1, to be killed, and whose `/tmp` is measured.
    pub(crate) init: Pidfd,
    pub(crate) pid: u32,
    pub(crate) memory_bytes: u64,
    pub(crate) tmp_bytes: u64,
    /// Set when it was killed for its memory.
    pub(crate) exceeded: Arc<AtomicBool>,
}

/// Handle to the guarding thread, which ends with it.
#[derive(Debug)]
pub(crate) struct MemoryGuard {
    shared: Arc<Shared>,
    next: AtomicU64,
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    epoll: OwnedFd,
    posts: Mutex<HashMap<u64, Post>>,
}

/// An environment and its alarm, which leaves the epoll set when it is closed.
#[derive(Debug)]
struct Post {
    guarded: Guarded,
    alarm: MemoryAlarm,
}

/// Ends the guard of one environment when dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    key: u64,
    shared: Arc<Shared>,
}

impl MemoryGuard {
    pub(crate) fn start() -> Result<Self, SandboxError> {
        let failed = SandboxError::host("start the memory guard");
        let start = || -> io::Result<Self> {
            let shared = Arc::new(Shared {
                epoll: eventfd::epoll()?,
                posts: Mutex::default(),
            });
            let stop = eventfd::create()?;
            eventfd::add(&shared.epoll, stop.as_raw_fd(), libc::EPOLLIN as u32, STOP)?;
            let watched = Arc::clone(&shared);
            let thread = thread::Builder::new()
                .name(String::from("memory-guard"))
                .spawn(move || watched.keep_watch())?;
            Ok(Self {
                shared,
                next: AtomicU64::new(STOP + 1),
                stop,
                thread: Some(thread),
            })
        };
        start().map_err(failed)
    }

    /// Guards an environment whose group has just been made.
    pub(crate) fn watch(&self, guarded: Guarded) -> Result<Watch, SandboxError> {
        let alarm = guarded.group.alarm_at(guarded.memory_bytes)?;
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let (fd, events) = (alarm.fd.as_raw_fd(), alarm.events);
        self.shared.posts().insert(key, Post { guarded, alarm });
        let watch = Watch {
            key,
            shared: Arc::clone(&self.shared),
        };
        eventfd::add(&self.shared.epoll, fd, events, key)
            .map_err(SandboxError::host("watch a memory alarm"))?;
        Ok(watch)
    }
}

impl Shared {
    fn keep_watch(&self) {
        loop {
            let keys = match eventfd::wait(&self.epoll) {
                Ok(keys) => keys,
                Err(error) => {
                    tracing::error!(%error, "the memory guard cannot wait; hard limits remain");
                    return;
                }
            };
            if keys.contains(&STOP) {
                return;
            }
            for key in keys {
                let mut posts = self.posts();
                let Some(post) = posts.get(&key) else {
                    continue;
                };
                if post.is_over() {
                    // Out of the set first: an alarm that stays would ring on.
                    posts.remove(&key);
                }
            }
        }
    }

    fn posts(&self) -> MutexGuard<'_, HashMap<u64, Post>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Post {
    /// Kills, or sets the next alarm; true when there is nothing more to guard.
    fn is_over(&self) -> bool {
        let Guarded {
            group,
            init,
            memory_bytes,
            exceeded,
            ..
        } = &self.guarded;
        let Ok(memory) = group.memory() else {
            return true;
        };
        let working = memory
            .used
            .saturating_sub(memory.reclaimable + self.tmp_used());
        if working > *memory_bytes {
            exceeded.store(true, Ordering::Release);
            if let Err(error) = init.signal(libc::SIGKILL) {
                tracing::warn!(%error, pid = self.guarded.pid, "kill an environment for its memory");
            }
            return true;
        }
        let room = (memory_bytes - working).max(LEAST_STEP);
        match group.set_alarm(&self.alarm, memory.used + room) {
            Ok(()) => false,
            Err(error) => {
                tracing::warn!(%error, "set a memory alarm; the hard limit remains");
                true
            }
        }
    }

    /// Bytes in the environment's `/tmp`; all of it where that cannot be found out.
    fn tmp_used(&self) -> u64 {
        let path = format!("/proc/{}/root/tmp", self.guarded.pid);
        let path = CString::new(path).expect("digits hold no NUL");
        // SAFETY: a valid C string, and zeroed is a valid statfs that the kernel fills in.
        let (result, stat) = unsafe {
            let mut stat: libc::statfs = std::mem::zeroed();
            (libc::statfs(path.as_ptr(), &raw mut stat), stat)
        };
        if result != 0 || stat.f_type != libc::TMPFS_MAGIC {
            return self.guarded.tmp_bytes;
        }
        (stat.f_blocks - stat.f_bfree) * stat.f_bsize.cast_unsigned()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.posts().remove(&self.key);
    }
}

impl Drop for MemoryGuard {
    fn drop(&mut self) {
        eventfd::ring(&self.stop);
        if let Some(thread) = self.thread.take() {
            // It does not panic; and if it did, there is nothing left to guard.
            let _ = thread.join();
        }
    }
}
