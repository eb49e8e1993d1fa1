//! How many batches of a mapping run at once.
//!
//! Five to begin with. While all are busy, 300 more a minute, up to 1,250 or the mapping's
//! MaximumConcurrency. Back to five when the queue runs dry, and below it while the function fails
//! or is throttled.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>

use std::sync::Arc;
use std::time::Duration;

use base::Clock;
use parking_lot::Mutex;
use tokio::sync::Notify;

const INITIAL: u32 = 5;
const MAXIMUM: u32 = 1250;
/// 300 a minute.
const GROWTH_INTERVAL: Duration = Duration::from_millis(200);
/// 1,000 a minute, of pollers that are set aside.
const PROVISIONED_GROWTH_INTERVAL: Duration = Duration::from_millis(60);
const BATCHES_OF_A_POLLER: u32 = 10;

#[derive(Debug)]
pub struct Concurrency {
    initial: u32,
    maximum: u32,
    /// How long until one more may run.
    growth_interval: Duration,
    state: Mutex<State>,
    released: Notify,
}

#[derive(Debug)]
struct State {
    running: u32,
    limit: u32,
}

/// The right to run one batch; given back when dropped.
#[derive(Debug)]
pub struct Permit(Arc<Concurrency>);

impl Concurrency {
    /// `provisioned`: the fewest and the most pollers that are set aside.
    pub fn new(maximum: Option<u32>, provisioned: Option<(u32, u32)>) -> Arc<Self> {
        let (initial, maximum, growth_interval) = if let Some((fewest, most)) = provisioned {
            let batches = |pollers: u32| pollers.max(1).saturating_mul(BATCHES_OF_A_POLLER);
            (batches(fewest), batches(most), PROVISIONED_GROWTH_INTERVAL)
        } else {
            let maximum = maximum.unwrap_or(MAXIMUM).clamp(1, MAXIMUM);
            (INITIAL.min(maximum), maximum, GROWTH_INTERVAL)
        };
        Arc::new(Self {
            initial,
            maximum,
            growth_interval,
            state: Mutex::new(State {
                running: 0,
                limit: initial,
            }),
            released: Notify::new(),
        })
    }

    /// Waits until another batch may run, growing the limit meanwhile.
    pub async fn acquire(self: &Arc<Self>, clock: &Clock) -> Permit {
        loop {
            // Made before looking: it then learns of every release after that.
            let released = self.released.notified();
            if let Some(permit) = self.try_acquire() {
                return permit;
            }
            let may_grow = self.state.lock().limit < self.maximum;
            if may_grow {
                tokio::select! {
                    () = released => {}
                    () = clock.sleep(self.growth_interval) => self.grow(self.maximum),
                }
            } else {
                released.await;
            }
        }
    }

    fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.state.lock();
        if state.running >= state.limit {
            return None;
        }
        state.running += 1;
        Some(Permit(Arc::clone(self)))
    }

    fn grow(&self, up_to: u32) {
        let mut state = self.state.lock();
        if state.limit < up_to {
            state.limit += 1;
        }
    }

    /// A batch succeeded: what failures took away comes back.
    pub fn succeeded(&self) {
        self.grow(self.initial);
    }

    /// A batch failed or was throttled: one less at a time, down to one.
    pub fn failed(&self) {
        let mut state = self.state.lock();
        state.limit = (state.limit - 1).max(1);
    }

    /// The queue had nothing: back to where it began.
    pub fn ran_dry(&self) {
        let mut state = self.state.lock();
        state.limit = state.limit.min(self.initial);
    }

    /// Returns once nothing runs.
    pub async fn idle(&self) {
        loop {
            let released = self.released.notified();
            if self.state.lock().running == 0 {
                return;
            }
            released.await;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.state.lock().running -= 1;
        self.0.released.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use base::{ManualClock, Timestamp};

    use super::*;

    fn limit(concurrency: &Concurrency) -> u32 {
        concurrency.state.lock().limit
    }

    #[tokio::test]
    async fn five_then_three_hundred_a_minute() {
        let manual = ManualClock::starting_at(Timestamp::from_millis(0));
        let clock = manual.clock();
        let concurrency = Concurrency::new(None, None);
        let mut permits = Vec::new();
        for _ in 0..5 {
            permits.push(concurrency.acquire(&clock).await);
        }
        let sixth = tokio::spawn({
            let concurrency = Arc::clone(&concurrency);
            async move { concurrency.acquire(&clock).await }
        });
        tokio::task::yield_now().await;
        assert!(!sixth.is_finished());
        manual.advance(GROWTH_INTERVAL);
        permits.push(sixth.await.unwrap());
        assert_eq!(limit(&concurrency), 6);
        concurrency.ran_dry();
        assert_eq!(limit(&concurrency), 5);
        drop(permits);
        concurrency.idle().await;
    }

    #[tokio::test]
    async fn a_finished_batch_makes_room_at_once() {
        let clock = ManualClock::starting_at(Timestamp::from_millis(0)).clock();
        let concurrency = Concurrency::new(Some(2), None);
        let first = concurrency.acquire(&clock).await;
        let _second = concurrency.acquire(&clock).await;
        let third = tokio::spawn({
            let concurrency = Arc::clone(&concurrency);
            async move { concurrency.acquire(&clock).await }
        });
        tokio::task::yield_now().await;
        assert!(!third.is_finished(), "MaximumConcurrency is never exceeded");
        drop(first);
        third.await.unwrap();
    }

    #[test]
    fn pollers_that_are_set_aside_begin_with_ten_batches_each() {
        let concurrency = Concurrency::new(None, Some((2, 500)));
        assert_eq!((limit(&concurrency), concurrency.maximum), (20, 5_000));
    }

    #[test]
    fn failures_shrink_it_and_successes_bring_it_back() {
        let concurrency = Concurrency::new(None, None);
        for _ in 0..9 {
            concurrency.failed();
        }
        assert_eq!(limit(&concurrency), 1);
        for _ in 0..9 {
            concurrency.succeeded();
        }
        assert_eq!(limit(&concurrency), 5);
    }
}
