//! What waits for the functions of one recipe, and how much should.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use sandbox::Zygote;
use tokio::sync::Notify;

use super::{Nursery, Parking, Recipe};
use crate::environment::Body;
use crate::info::SpareInfo;

/// Starts this recent say how many there will be.
const RECENT: Duration = Duration::from_secs(10);
/// Starts that are remembered at most.
const REMEMBERED: usize = 64;

/// The spares of one recipe.
pub(super) struct Line {
    pub(super) recipe: Recipe,
    state: Mutex<State>,
    pub(super) wake: Notify,
}

struct State {
    parked: Vec<Parked>,
    zygote: Fork,
    starts: VecDeque<Instant>,
    used: Instant,
    has_keeper: bool,
}

/// A parked environment and the memory it takes.
struct Parked {
    body: Body,
    bytes: u64,
    since: Instant,
}

/// Whether there is a zygote.
enum Fork {
    NotYet,
    Ready(Arc<Zygote>, Instant),
    /// It was tried, and does not work here.
    Never,
}

impl Line {
    pub(super) fn new(recipe: Recipe) -> Self {
        let zygote = if recipe.can_fork() {
            Fork::NotYet
        } else {
            Fork::Never
        };
        let state = State {
            parked: Vec::new(),
            zygote,
            starts: VecDeque::new(),
            used: Instant::now(),
            has_keeper: false,
        };
        Self {
            recipe,
            state: Mutex::new(state),
            wake: Notify::new(),
        }
    }

    pub(super) fn note_start(&self, now: Instant) {
        let mut state = self.state.lock();
        state.used = now;
        state.starts.push_back(now);
        if state.starts.len() > REMEMBERED {
            state.starts.pop_front();
        }
    }

    pub(super) fn started_within(&self, recent: Duration) -> bool {
        let state = self.state.lock();
        state
            .starts
            .back()
            .is_some_and(|start| start.elapsed() < recent)
    }

    pub(super) fn expect(&self, now: Instant) {
        self.state.lock().used = now;
    }

    /// The one parked last: the others' pages may be out of the processor's caches.
    pub(super) fn take_parked(&self, nursery: &Nursery) -> Option<Body> {
        loop {
            let parked = self.state.lock().parked.pop()?;
            nursery
                .parked_bytes
                .fetch_sub(parked.bytes, Ordering::Relaxed);
            if parked.body.is_sound() {
                let mut body = parked.body;
                body.was_parked();
                return Some(body);
            }
        }
    }

    pub(super) fn zygote(&self) -> Option<Arc<Zygote>> {
        match &self.state.lock().zygote {
            Fork::Ready(zygote, _) => Some(Arc::clone(zygote)),
            Fork::NotYet | Fork::Never => None,
        }
    }

    /// Whether a zygote could be made and is not there.
    pub(super) fn lacks_zygote(&self) -> bool {
        matches!(self.state.lock().zygote, Fork::NotYet)
    }

    /// `None` if it was tried in vain, which is not tried again.
    pub(super) fn put_zygote(&self, zygote: Option<Zygote>) {
        self.state.lock().zygote = match zygote {
            Some(zygote) => Fork::Ready(Arc::new(zygote), Instant::now()),
            None => Fork::Never,
        };
    }

    /// A zygote that failed is replaced.
    pub(super) fn lose(&self, lost: &Arc<Zygote>) {
        let mut state = self.state.lock();
        if let Fork::Ready(zygote, _) = &state.zygote
            && Arc::ptr_eq(zygote, lost)
        {
            state.zygote = Fork::NotYet;
        }
    }

    pub(super) fn park(&self, body: Body, bytes: u64) {
        let since = Instant::now();
        self.state.lock().parked.push(Parked { body, bytes, since });
    }

    /// How many more should wait than do; negative, how many fewer.
    pub(super) fn lacking(&self, parking: &Parking, now: Instant) -> isize {
        let mut state = self.state.lock();
        while state
            .starts
            .front()
            .is_some_and(|start| now.duration_since(*start) > RECENT)
        {
            state.starts.pop_front();
        }
        let wanted = if now.duration_since(state.used) >= parking.idle {
            0
        } else {
            // One is enough for who starts now and then, where a zygote makes another in a moment.
            let least = if self.recipe.can_fork() { 1 } else { 2 };
            let most = parking.most.max(least);
            state.starts.len().div_ceil(2).clamp(least, most)
        };
        wanted.cast_signed() - state.parked.len().cast_signed()
    }

    /// Ends the one that was parked first; false if there is none.
    pub(super) fn drop_one(&self, nursery: &Nursery) -> bool {
        let parked = {
            let mut state = self.state.lock();
            (!state.parked.is_empty()).then(|| state.parked.remove(0))
        };
        if let Some(parked) = &parked {
            nursery
                .parked_bytes
                .fetch_sub(parked.bytes, Ordering::Relaxed);
        }
        parked.is_some()
    }

    /// Ends all that waits.
    pub(super) fn clear(&self, nursery: &Nursery) {
        while self.drop_one(nursery) {}
        let mut state = self.state.lock();
        if matches!(state.zygote, Fork::Ready(..)) {
            state.zygote = Fork::NotYet;
        }
        drop(state);
        self.wake.notify_one();
    }

    /// True for whoever is to keep the line from now on; else its keeper is woken.
    pub(super) fn hire(&self) -> bool {
        let hired = !std::mem::replace(&mut self.state.lock().has_keeper, true);
        if !hired {
            self.wake.notify_one();
        }
        hired
    }

    /// Lets the keeper go if the line has been unused for so long.
    pub(super) fn dismiss(&self, parking: &Parking, now: Instant) -> bool {
        let mut state = self.state.lock();
        let unused = now.duration_since(state.used) >= parking.idle;
        if unused {
            state.has_keeper = false;
        }
        unused
    }

    /// When the keeper should look again, if nothing happens: a start grows old, or the line.
    pub(super) fn next_change(&self, parking: &Parking, now: Instant) -> Duration {
        let state = self.state.lock();
        let idle = state.used + parking.idle;
        let oldest = state.starts.front().map(|start| *start + RECENT);
        let due = oldest.map_or(idle, |oldest| oldest.min(idle));
        due.saturating_duration_since(now)
            .max(Duration::from_millis(10))
    }

    pub(super) fn is_in_use(&self) -> bool {
        self.state.lock().has_keeper
    }

    pub(super) fn describe(&self) -> Vec<SpareInfo> {
        let state = self.state.lock();
        let program = self.recipe.program.clone();
        let mut spares = Vec::new();
        if let Fork::Ready(zygote, since) = &state.zygote {
            spares.push(SpareInfo {
                program: program.clone(),
                is_zygote: true,
                pid: zygote.pid(),
                memory_bytes: zygote.memory_bytes(),
                age: since.elapsed(),
            });
        }
        spares.extend(state.parked.iter().map(|parked| SpareInfo {
            program: program.clone(),
            is_zygote: false,
            pid: parked.body.sandbox().pid(),
            memory_bytes: parked.bytes,
            age: parked.since.elapsed(),
        }));
        spares
    }
}
