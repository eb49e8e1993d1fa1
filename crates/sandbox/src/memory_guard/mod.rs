//! Holds a function to its memory where the kernel does not: where `/tmp` lies in memory and is not to
//! count, and where there is no control group.
//!
//! The kernel charges a tmpfs to whoever fills it, and cannot tell it from memory. So the group's
//! hard limit is memory and `/tmp` together, and this thread kills an environment whose memory
//! alone is above its own limit. It looks closely only at a group that has reached the lowest usage
//! at which that can be; page cache, which the kernel could take back, is not counted. Version 2
//! reports that by itself. Version 1 is polled, while an environment is not frozen, and so are the
//! processes of one without a group. Where no freezer holds them either, they are looked at now and then
//! while they are stopped.

mod gauge;
mod looks;
mod sharing;
mod vigil;

use std::collections::HashMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use self::gauge::{GroupGauge, Weight};
use self::looks::Looks;
use crate::SandboxError;
use crate::cgroup::MemoryGroup;
use crate::eventfd;
use crate::process::Pidfd;

/// How often version 1 is asked: a microsecond or two each, so a function gets a few dozen megabytes
/// past its limit at most. Of a thousand, less often: a round may take one part in `ROUNDS` of the time.
const POLL: Duration = Duration::from_millis(20);
const ROUNDS: u32 = 50;

/// The key of the descriptor that wakes the thread.
const WAKE: u64 = 0;

/// One environment under guard.
#[derive(Debug)]
pub(crate) struct Guarded {
    /// Where its memory is counted; `None` where only its processes can be asked.
    pub(crate) group: Option<MemoryGroup>,
    /// Its pid 1, to be killed, and whose `/tmp` is measured.
    pub(crate) init: Pidfd,
    pub(crate) pid: u32,
    pub(crate) memory_bytes: u64,
    pub(crate) tmp_bytes: u64,
    pub(crate) seen: Arc<Seen>,
}

/// What the guard has found out about one environment.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// It was killed for its memory.
    pub(crate) exceeded: AtomicBool,
    /// The most that its processes had in memory, without a group and as far as it was looked.
    pub(crate) peak_bytes: AtomicU64,
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
    posts: Mutex<Posts>,
}

#[derive(Debug, Default)]
struct Posts {
    by_key: HashMap<u64, Post>,
    /// The thread takes no rounds, for nobody is to be asked, but looks now and then at those that are
    /// stopped.
    is_drowsy: bool,
}

/// An environment and how its memory is learnt.
#[derive(Debug)]
struct Post {
    guarded: Guarded,
    gauge: Gauge,
    activity: Activity,
}

#[derive(Debug)]
enum Gauge {
    Group(GroupGauge),
    /// By looks, which the thread keeps.
    Processes,
}

/// What an environment may be doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activity {
    Running,
    /// Nothing that matters: it is frozen, or nobody's yet.
    Resting,
    /// Nothing, if it does as it was told at this time: no freezer makes it.
    Stopped(Instant),
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

    /// Guards an environment that has just been made, and may have no process yet.
    pub(crate) fn watch(&self, mut guarded: Guarded) -> Result<Watch, SandboxError> {
        let gauge = match guarded.group.take() {
            Some(group) => Gauge::Group(GroupGauge::new(group, guarded.memory_bytes)?),
            None => Gauge::Processes,
        };
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let watch = Watch {
            key,
            shared: Arc::clone(&self.shared),
        };
        let event = gauge.event();
        let post = Post {
            guarded,
            gauge,
            activity: Activity::Running,
        };
        self.shared.posts().by_key.insert(key, post);
        match event {
            Some((fd, events)) => eventfd::add(&self.shared.epoll, fd, events, key)
                .map_err(SandboxError::host("watch a memory alarm"))?,
            None => self.shared.wake_if_drowsy(),
        }
        Ok(watch)
    }
}

impl Shared {
    fn keep_watch(&self) {
        let mut due = Instant::now();
        let mut looks = Looks::default();
        while !self.ended.load(Ordering::Acquire) {
            let next = self.next_round(due, &looks);
            let patience = next.map_or(-1, |next| {
                let left = next.saturating_duration_since(Instant::now());
                // Rounded up, or the last part of a millisecond would be spent awake.
                i32::try_from(left.as_micros().div_ceil(1_000)).unwrap_or(i32::MAX)
            });
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
            // Whoever wakes this thread is no reason to ask all others.
            let polls = next.is_some_and(|next| begun >= next);
            let mut full = Vec::new();
            self.posts().by_key.retain(|key, post| {
                if !(keys.contains(key) || polls && post.has_reached_its_mark()) {
                    return true;
                }
                let weight = post.weigh();
                let goes_on = !matches!(weight, Weight::Unknown);
                if let Weight::Exceeds(group, bytes) = weight {
                    full.push((*key, group, bytes));
                }
                goes_on
            });
            for (key, group, bytes) in full {
                self.make_room_or_end(key, &group, bytes);
            }
            looks.forget(self);
            if polls {
                let spent = begun.elapsed() + looks.take(self);
                due = begun + POLL.max(spent * ROUNDS);
            }
        }
    }

    /// Without the lock: the kernel takes its time. What is over leaves the map, and with its descriptor
    /// the epoll set.
    fn make_room_or_end(&self, key: u64, group: &MemoryGroup, bytes: u64) {
        if let Err(error) = group.make_room(bytes) {
            tracing::debug!(%error, "make room in a control group");
        }
        let mut posts = self.posts();
        let Some(post) = posts.by_key.get_mut(&key) else {
            return;
        };
        match post.weigh() {
            Weight::Fits => return,
            Weight::Exceeds(..) => post.guarded.kill_for_memory(),
            Weight::Unknown => {}
        }
        posts.by_key.remove(&key);
    }

    /// When somebody is to be asked or looked at; `None` when nobody is until this thread is woken.
    fn next_round(&self, due: Instant, looks: &Looks) -> Option<Instant> {
        let mut posts = self.posts();
        posts.is_drowsy = !posts.by_key.values().any(Post::is_polled);
        let due = (!posts.is_drowsy).then_some(due);
        let stopped = posts.by_key.iter().filter_map(|(key, post)| {
            let Activity::Stopped(since) = post.activity else {
                return None;
            };
            Some(looks.next(*key, since))
        });
        stopped.chain(due).min()
    }

    /// A thread that takes rounds sees what has changed in the next.
    fn wake_if_drowsy(&self) {
        if self.posts().is_drowsy {
            eventfd::ring(&self.wake);
        }
    }

    fn posts(&self) -> MutexGuard<'_, Posts> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Post {
    fn is_polled(&self) -> bool {
        self.gauge.event().is_none() && self.activity == Activity::Running
    }

    fn has_reached_its_mark(&self) -> bool {
        match &self.gauge {
            Gauge::Group(gauge) => {
                self.activity != Activity::Resting && gauge.has_reached_its_mark()
            }
            Gauge::Processes => false,
        }
    }

    fn weigh(&mut self) -> Weight {
        match &mut self.gauge {
            Gauge::Group(gauge) => gauge.weigh(&self.guarded),
            Gauge::Processes => Weight::Fits,
        }
    }
}

impl Gauge {
    fn event(&self) -> Option<(RawFd, u32)> {
        match self {
            Self::Group(gauge) => gauge.event(),
            Self::Processes => None,
        }
    }
}

impl Guarded {
    fn kill_for_memory(&self) {
        // One that has ended meanwhile was not killed for its memory, whoever has its number now.
        if !self.init.has_ended().unwrap_or(false) {
            self.seen.exceeded.store(true, Ordering::Release);
            self.kill();
        }
    }

    fn kill(&self) {
        if let Err(error) = self.init.signal(libc::SIGKILL) {
            tracing::warn!(%error, pid = self.pid, "kill an environment under guard");
        }
    }

    /// Bytes in the environment's `/tmp`; all of it where that cannot be found out.
    fn tmp_used(&self) -> u64 {
        let path = format!("/proc/{}/root/tmp", self.pid);
        let path = CString::new(path).expect("digits hold no NUL");
        // SAFETY: a valid C string, and zeroed is a valid statfs that the kernel fills in.
        let (result, stat) = unsafe {
            let mut stat: libc::statfs = std::mem::zeroed();
            (libc::statfs(path.as_ptr(), &raw mut stat), stat)
        };
        if result != 0 || stat.f_type != libc::TMPFS_MAGIC {
            return self.tmp_bytes;
        }
        (stat.f_blocks - stat.f_bfree) * stat.f_bsize.cast_unsigned()
    }
}

impl Watch {
    /// Guards other limits from now on, of an environment that was nobody's and now is.
    pub(crate) fn change(&self, memory_bytes: u64, tmp_bytes: u64) -> Result<(), SandboxError> {
        let mut posts = self.shared.posts();
        let Some(post) = posts.by_key.get_mut(&self.key) else {
            return Ok(());
        };
        (post.guarded.memory_bytes, post.guarded.tmp_bytes) = (memory_bytes, tmp_bytes);
        if let Gauge::Group(gauge) = &mut post.gauge {
            gauge.move_to(memory_bytes)?;
        }
        drop(posts);
        self.sees(Activity::Running);
        Ok(())
    }

    /// Says what the environment may be doing from now on.
    pub(crate) fn sees(&self, activity: Activity) {
        let mut posts = self.shared.posts();
        let Some(post) = posts.by_key.get_mut(&self.key) else {
            return;
        };
        post.activity = activity;
        if post.is_polled() || matches!(activity, Activity::Stopped(_)) {
            drop(posts);
            self.shared.wake_if_drowsy();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let post = self.shared.posts().by_key.remove(&self.key);
        let is_known = |post: Post| {
            matches!(
                (post.gauge, post.activity),
                (Gauge::Group(_), Activity::Running | Activity::Resting)
            )
        };
        if !post.is_some_and(is_known) {
            // The thread may hold something of its own for it.
            eventfd::ring(&self.shared.wake);
        }
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
