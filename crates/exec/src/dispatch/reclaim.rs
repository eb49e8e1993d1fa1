//! Ends idle environments, the oldest of all functions first, where the host is short of memory or
//! too many rest.
//!
//! One task for all pools, only while something rests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use base::Clock;
use parking_lot::Mutex;

use super::pool::Pool;
use crate::config::ExecConfig;

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// How often while memory is short: what is ended gives its memory back a moment later.
const EVERY_WHEN_SHORT: Duration = Duration::from_millis(250);
/// The part of those that rest that leaves at once when memory is short.
const PART: usize = 4;

/// Looks after what rests on a host.
#[derive(Debug)]
pub(crate) struct Reclaimer {
    config: ExecConfig,
    clock: Clock,
    pools: Mutex<Pools>,
    watching: AtomicBool,
}

#[derive(Debug, Default)]
struct Pools {
    all: Vec<Weak<Pool>>,
    /// At how many those that are gone are looked for next.
    tidy_at: usize,
}

impl Reclaimer {
    pub(crate) fn new(config: ExecConfig, clock: Clock) -> Self {
        Self {
            config,
            clock,
            pools: Mutex::default(),
            watching: AtomicBool::new(false),
        }
    }

    pub(super) fn add(&self, pool: &Arc<Pool>) {
        let mut pools = self.pools.lock();
        if pools.all.len() >= pools.tidy_at {
            pools.all.retain(|pool| pool.strong_count() > 0);
            pools.tidy_at = pools.all.len() * 2 + 16;
        }
        pools.all.push(Arc::downgrade(pool));
    }

    /// Something rests: makes sure that it is looked after. One read where it already is.
    pub(super) fn expect(self: &Arc<Self>) {
        if !self.watching.load(Ordering::SeqCst) && !self.watching.swap(true, Ordering::SeqCst) {
            tokio::spawn(Arc::clone(self).watch());
        }
    }

    /// Before another environment is started: ends some where memory is short, however lately the
    /// task has looked.
    pub(super) fn make_room(&self) {
        if self.watching.load(Ordering::Relaxed) && self.config.is_memory_short() {
            end_oldest(&self.pools(), |resting| resting.div_ceil(PART));
        }
    }

    async fn watch(self: Arc<Self>) {
        let mut wait = EVERY;
        loop {
            self.clock.sleep(wait).await;
            let pools = self.pools();
            for pool in &pools {
                pool.replace_unsound();
            }
            let short = self.config.is_memory_short();
            wait = if short { EVERY_WHEN_SHORT } else { EVERY };
            let most = self.config.idle_environments.unwrap_or(usize::MAX);
            end_oldest(&pools, |resting| {
                let pressed = if short { resting.div_ceil(PART) } else { 0 };
                pressed.max(resting.saturating_sub(most))
            });
            let rests = || self.pools().iter().any(|pool| pool.has_idle());
            if !rests() {
                self.watching.store(false, Ordering::SeqCst);
                // Whatever came to rest in between found it watching.
                if !rests() || self.watching.swap(true, Ordering::SeqCst) {
                    return;
                }
            }
        }
    }

    fn pools(&self) -> Vec<Arc<Pool>> {
        let pools = self.pools.lock();
        pools.all.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Ends the oldest, as many as `how_many` says of those that rest and may leave.
fn end_oldest(pools: &[Arc<Pool>], how_many: impl Fn(usize) -> usize) {
    let mut resting: Vec<_> = pools
        .iter()
        .enumerate()
        .flat_map(|(pool, one)| one.idle_since().into_iter().map(move |at| (at, pool)))
        .collect();
    let leaving = how_many(resting.len());
    if leaving == 0 {
        return;
    }
    resting.sort_unstable();
    let mut of_each = vec![0; pools.len()];
    for (_, pool) in resting.iter().take(leaving) {
        of_each[*pool] += 1;
    }
    for (pool, count) in pools.iter().zip(of_each) {
        pool.end_oldest(count);
    }
}

impl Pool {
    fn has_idle(&self) -> bool {
        !self.state.lock().idle.is_empty()
    }

    fn idle_since(&self) -> Vec<base::Timestamp> {
        self.state.lock().idle.idle_since().collect()
    }

    fn end_oldest(&self, count: usize) {
        let oldest = self.state.lock().idle.take_oldest(count);
        drop(oldest);
    }
}
