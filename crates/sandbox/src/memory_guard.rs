//! Holds a function to its memory without counting `/tmp` against it, where that lies in memory.
//!
//! The kernel charges a tmpfs to whoever fills it, and cannot tell it from memory. So the group's
//! hard limit is memory and `/tmp` together, and this thread kills an environment whose memory
//! alone is above its own limit. It looks closely only at a group that has reached the lowest usage
//! at which that can be; page cache, which the kernel could take back, is not counted. Version 2
//! reports that by itself. Version 1 is polled, while an environment is not frozen.

use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::SandboxError;
use crate::cgroup::{MemoryAlarm, MemoryGroup};
use crate::eventfd;
use crate::process::Pidfd;

/// A group that has less room than this left is looked at again only after this much more.
const LEAST_STEP: u64 = 1 << 20;

/// How often version 1 is asked: a microsecond or two each, so a function gets a few dozen megabytes
/// past its limit at most. Of a thousand, less often: a round may take one part in `ROUNDS` of the time.
const POLL: Duration = Duration::from_millis(20);
const ROUNDS: u32 = 50;

/// The key of the descriptor that wakes the thread.
const WAKE: u64 = 0;

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
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    epoll: OwnedFd,
    wake: OwnedFd,
    ended: AtomicBool,
    posts: Mutex<HashMap<u64, Post>>,
}

/// An environment and its alarm, which leaves the epoll set when it is closed.
#[derive(Debug)]
struct Post {
    guarded: Guarded,
    alarm: MemoryAlarm,
    /// Memory in use at which to look closely.
    mark: u64,
    /// Frozen, and so without any change.
    paused: bool,
}

/// Ends the guard of one environment when dropped.
#[derive(Debug)]
pub(crate) struct Watch {
    key: u64,
    shared: Arc<Shared>,
}

impl MemoryGuard {
    pub(crate) fn start() -> Result<Self, SandboxError> {
        let start = || -> io::Result<Self> {
            let shared = Arc::new(Shared {
                epoll: eventfd::epoll()?,
                wake: eventfd::create()?,
                ended: AtomicBool::new(false),
                posts: Mutex::default(),
            });
            let events = libc::EPOLLIN as u32;
            eventfd::add(&shared.epoll, shared.wake.as_raw_fd(), events, WAKE)?;
            let watched = Arc::clone(&shared);
            let thread = thread::Builder::new()
                .name(String::from("memory-guard"))
                .spawn(move || watched.keep_watch())?;
            Ok(Self {
                shared,
                next: AtomicU64::new(WAKE + 1),
                thread: Some(thread),
            })
        };
        start().map_err(SandboxError::host("start the memory guard"))
    }

    /// Guards an environment whose group has just been made.
    pub(crate) fn watch(&self, guarded: Guarded) -> Result<Watch, SandboxError> {
        let mark = guarded.memory_bytes;
        let alarm = guarded.group.alarm_at(mark)?;
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let watch = Watch {
            key,
            shared: Arc::clone(&self.shared),
        };
        let event = match &alarm {
            MemoryAlarm::Event { fd, events } => Some((fd.as_raw_fd(), *events)),
            MemoryAlarm::Polled { .. } => None,
        };
        let post = Post {
            guarded,
            alarm,
            mark,
            paused: false,
        };
        self.shared.posts().insert(key, post);
        match event {
            Some((fd, events)) => eventfd::add(&self.shared.epoll, fd, events, key)
                .map_err(SandboxError::host("watch a memory alarm"))?,
            None => eventfd::ring(&self.shared.wake),
        }
        Ok(watch)
    }
}

impl Shared {
    fn keep_watch(&self) {
        let mut due = Instant::now();
        while !self.ended.load(Ordering::Acquire) {
            let patience = if self.posts().values().any(Post::is_polled) {
                let left = due.saturating_duration_since(Instant::now());
                // Rounded up, or the last part of a millisecond would be spent awake.
                left.as_micros().div_ceil(1_000) as i32
            } else {
                -1
            };
            let keys = match eventfd::wait(&self.epoll, patience) {
                Ok(keys) => keys,
                Err(error) => {
                    tracing::error!(%error, "the memory guard cannot wait; hard limits remain");
                    return;
                }
            };
            if keys.contains(&WAKE) {
                eventfd::silence(&self.wake);
            }
            let begun = Instant::now();
            // Whoever starts or freezes wakes this thread, which is no reason to ask all others.
            let polls = begun >= due;
            // What is over leaves the map, and with its descriptor the epoll set.
            self.posts().retain(|key, post| {
                let to_look_at = keys.contains(key) || polls && post.has_reached_its_mark();
                !(to_look_at && post.is_over())
            });
            if polls {
                due = begun + POLL.max(begun.elapsed() * ROUNDS);
            }
        }
    }

    fn posts(&self) -> MutexGuard<'_, HashMap<u64, Post>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Post {
    fn is_polled(&self) -> bool {
        matches!(self.alarm, MemoryAlarm::Polled { .. }) && !self.paused
    }

    fn has_reached_its_mark(&self) -> bool {
        let MemoryAlarm::Polled { usage } = &self.alarm else {
            return false;
        };
        let mut text = [0_u8; 24];
        let read = if self.paused {
            0
        } else {
            usage.read_at(&mut text, 0).unwrap_or(0)
        };
        let digits = text[..read].iter().take_while(|byte| byte.is_ascii_digit());
        let used = digits.fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        used >= self.mark
    }

    /// Kills, or sets the next mark; true when there is nothing more to guard.
    fn is_over(&mut self) -> bool {
        let Guarded {
            group,
            init,
            memory_bytes,
            exceeded,
            pid,
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
                tracing::warn!(%error, pid, "kill an environment for its memory");
            }
            return true;
        }
        self.mark = memory.used + (memory_bytes - working).max(LEAST_STEP);
        match group.move_alarm(&self.alarm, self.mark) {
            Ok(()) => false,
            Err(error) => {
                tracing::warn!(%error, pid, "move a memory alarm; the hard limit remains");
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

impl Watch {
    /// Guards other limits from now on, of an environment that was nobody's and now is.
    pub(crate) fn change(&self, memory_bytes: u64, tmp_bytes: u64) -> Result<(), SandboxError> {
        let mut posts = self.shared.posts();
        let Some(post) = posts.get_mut(&self.key) else {
            return Ok(());
        };
        (post.guarded.memory_bytes, post.guarded.tmp_bytes) = (memory_bytes, tmp_bytes);
        post.mark = memory_bytes;
        post.guarded.group.move_alarm(&post.alarm, post.mark)?;
        post.paused = false;
        if post.is_polled() {
            drop(posts);
            eventfd::ring(&self.shared.wake);
        }
        Ok(())
    }

    /// Says that the environment is frozen, or no longer.
    pub(crate) fn pause(&self, paused: bool) {
        let mut posts = self.shared.posts();
        let Some(post) = posts.get_mut(&self.key) else {
            return;
        };
        post.paused = paused;
        if post.is_polled() {
            drop(posts);
            eventfd::ring(&self.shared.wake);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.posts().remove(&self.key);
    }
}

impl Drop for MemoryGuard {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        eventfd::ring(&self.shared.wake);
        if let Some(thread) = self.thread.take() {
            // It does not panic; and if it did, there is nothing left to guard.
            let _ = thread.join();
        }
    }
}
