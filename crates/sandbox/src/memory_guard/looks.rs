//! Looks at the processes of environments: at their memory where no control group counts it, and at
//! whether they keep still where no freezer holds them.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::sharing::Sharing;
use super::vigil::{Sight, Vigil};
use super::{Activity, Gauge, POLL, Post, ROUNDS, Shared};
use crate::process_memory::{Found, ProcessMemory};

/// Looks at all that are stopped take at most one part in this many of the time, once they have been
/// so for a while.
const STOPPED_ROUNDS: u32 = 200;

/// One that runs is looked at this often at least, however many processes it has.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// What the thread knows of each environment that it has looked at.
#[derive(Debug, Default)]
pub(super) struct Looks(HashMap<u64, Look>);

/// At the processes of one environment.
#[derive(Debug)]
struct Look {
    processes: ProcessMemory,
    sharing: Sharing,
    vigil: Option<Vigil>,
    next: Instant,
    /// How much sooner it may be, when the thread is awake anyway.
    leeway: Duration,
}

/// What is to be looked at.
#[derive(Debug, Clone, Copy)]
struct Object {
    key: u64,
    pid: u32,
    /// Of its memory, in bytes; `None` where a control group counts.
    limit: Option<u64>,
    activity: Activity,
}

/// Why an environment is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offence {
    Memory,
    Freeze,
}

impl Looks {
    /// When one that is stopped is looked at next.
    pub(super) fn next(&self, key: u64, since: Instant) -> Instant {
        let look = self.0.get(&key);
        let look = look.filter(|look| look.is_of(Some(since)));
        look.map_or_else(|| Vigil::first_look(since), |look| look.next)
    }

    /// Those at environments that have ended, of which each holds a mount.
    pub(super) fn forget(&mut self, shared: &Shared) {
        if !self.0.is_empty() {
            let posts = shared.posts();
            self.0.retain(|key, _| posts.by_key.contains_key(key));
        }
    }

    /// Without the lock, for which starts and freezes wait: a look may take as long as an environment
    /// has processes. Returns how much of the time that took is everybody's to wait for.
    pub(super) fn take(&mut self, shared: &Shared) -> Duration {
        let now = Instant::now();
        let objects: Vec<Object> = {
            let posts = shared.posts();
            let objects = posts.by_key.iter();
            objects
                .filter_map(|(key, post)| post.object(*key))
                .collect()
        };
        let stopped = objects.iter().filter(|one| one.since().is_some()).count();
        let stopped = u32::try_from(stopped).unwrap_or(u32::MAX);
        let mut spent = Duration::ZERO;
        for object in objects {
            let look = self.at(&object, now);
            if look.next > now + look.leeway {
                continue;
            }
            let begun = Instant::now();
            let (found, offence, mut pause) = look.take(&object);
            let took = begun.elapsed();
            look.leeway = Duration::ZERO;
            if object.since().is_some() && pause >= Vigil::LONGEST {
                pause = pause.max(took * STOPPED_ROUNDS.saturating_mul(stopped));
                look.leeway = pause / 4;
            }
            look.next = begun + pause;
            spent += took.min(POLL / ROUNDS);
            shared.conclude(&object, found, offence);
        }
        spent
    }

    fn at(&mut self, object: &Object, now: Instant) -> &mut Look {
        let since = object.since();
        let look = self.0.entry(object.key).or_insert_with(|| Look {
            processes: ProcessMemory::of(object.pid),
            sharing: Sharing::default(),
            vigil: None,
            next: now,
            leeway: Duration::ZERO,
        });
        if !look.is_of(since) {
            look.vigil = since.map(Vigil::since);
            look.next = since.map_or(now, Vigil::first_look);
            look.leeway = Duration::ZERO;
        }
        look
    }
}

impl Look {
    /// Whether it knows that the environment runs, or since when it is stopped.
    fn is_of(&self, since: Option<Instant>) -> bool {
        self.vigil.as_ref().map(|vigil| vigil.since) == since
    }

    /// What is found, and the pause until the next look.
    fn take(&mut self, object: &Object) -> (Found, Option<Offence>, Duration) {
        let begun = Instant::now();
        let watched = self.vigil.as_mut();
        let watched = watched.map(|vigil| vigil.judge(self.processes.bustle()));
        if let Some((sight, pause)) = watched
            && sight != Sight::Stirs
        {
            let broken = (sight == Sight::Broken).then_some(Offence::Freeze);
            // One that kept still has taken no memory either.
            return (Found::default(), broken, pause);
        }
        let Some(limit) = object.limit else {
            let pause = watched.map_or(LONGEST_PAUSE, |(_, pause)| pause);
            return (Found::default(), None, pause);
        };
        let found = self.processes.look();
        // Whose looks are dear is looked at less often; the others are not.
        let pause = watched.map_or_else(
            || (begun.elapsed() * ROUNDS).min(LONGEST_PAUSE),
            |(_, pause)| pause,
        );
        let is_beyond = found.anonymous > limit && self.sharing.is_beyond(&self.processes, limit);
        (found, is_beyond.then_some(Offence::Memory), pause)
    }
}

impl Object {
    fn since(&self) -> Option<Instant> {
        match self.activity {
            Activity::Stopped(since) => Some(since),
            Activity::Running | Activity::Resting => None,
        }
    }
}

impl Post {
    fn object(&self, key: u64) -> Option<Object> {
        let limit = match self.gauge {
            Gauge::Processes => Some(self.guarded.memory_bytes),
            Gauge::Group(_) => None,
        };
        let is_one = match self.activity {
            Activity::Running => limit.is_some(),
            Activity::Resting => false,
            Activity::Stopped(_) => true,
        };
        is_one.then_some(Object {
            key,
            pid: self.guarded.pid,
            limit,
            activity: self.activity,
        })
    }
}

impl Shared {
    fn conclude(&self, object: &Object, found: Found, offence: Option<Offence>) {
        let mut posts = self.posts();
        let Some(post) = posts.by_key.get(&object.key) else {
            return;
        };
        let peak = &post.guarded.seen.peak_bytes;
        peak.fetch_max(found.resident, Ordering::Relaxed);
        // It may have become a function's meanwhile, or frozen, or been thawed.
        let is_the_same = post
            .object(object.key)
            .is_some_and(|now| now.activity == object.activity && now.limit == object.limit);
        let Some(offence) = offence.filter(|_| is_the_same) else {
            return;
        };
        match offence {
            Offence::Memory => post.guarded.kill_for_memory(),
            Offence::Freeze => {
                let pid = object.pid;
                tracing::warn!(pid, "an environment was stopped and ran on; it is ended");
                post.guarded.kill();
            }
        }
        posts.by_key.remove(&object.key);
    }
}
