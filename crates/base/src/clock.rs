//! Where every crate takes the time from, so that a test can own it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::Timestamp;

/// The system's clock, or one a test moves by hand. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<Manual>),
}

/// Moves the [`Clock`]s made from it.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Manual>);

#[derive(Debug)]
struct Manual {
    now: AtomicI64,
    sleepers: Mutex<Vec<(Timestamp, oneshot::Sender<()>)>>,
}

impl Clock {
    pub fn system() -> Self {
        Self::default()
    }

    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => system_now(),
            Source::Manual(manual) => manual.now(),
        }
    }

    /// Resolves once this clock has moved on by `span`.
    pub async fn sleep(&self, span: Duration) {
        match &self.0 {
            Source::System => tokio::time::sleep(span).await,
            Source::Manual(_) => self.sleep_until(self.now() + span).await,
        }
    }

    /// Resolves once this clock shows `deadline`; at once if it already does.
    pub async fn sleep_until(&self, deadline: Timestamp) {
        match &self.0 {
            Source::System => tokio::time::sleep(deadline.since(system_now())).await,
            Source::Manual(manual) => {
                let Some(woken) = manual.register(deadline) else {
                    return;
                };
                // An error means the clock itself is gone, with the test that owned it.
                if woken.await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }
}

impl ManualClock {
    pub fn starting_at(now: Timestamp) -> Self {
        Self(Arc::new(Manual {
            now: AtomicI64::new(now.millis()),
            sleepers: Mutex::new(Vec::new()),
        }))
    }

    pub fn clock(&self) -> Clock {
        Clock(Source::Manual(Arc::clone(&self.0)))
    }

    /// Moves time on and wakes every sleeper whose deadline has come.
    pub fn advance(&self, span: Duration) {
        let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        let mut sleepers = self
            .0
            .sleepers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        self.0.now.fetch_add(millis, Ordering::SeqCst);
        let now = self.0.now();
        for (_, wake) in sleepers.extract_if(.., |(deadline, _)| *deadline <= now) {
            // The sleeper may have been dropped; then nobody is waiting.
            let _ = wake.send(());
        }
    }
}

impl Manual {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }

    fn register(&self, deadline: Timestamp) -> Option<oneshot::Receiver<()>> {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        if deadline <= self.now() {
            return None;
        }
        let (wake, woken) = oneshot::channel();
        sleepers.push((deadline, wake));
        Some(woken)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the system for the time"
)]
fn system_now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_when_moved() {
        let manual = ManualClock::starting_at(Timestamp::from_millis(0));
        let clock = manual.clock();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move {
                clock.sleep(Duration::from_hours(1)).await;
                clock.now()
            }
        });
        tokio::task::yield_now().await;
        manual.advance(Duration::from_mins(30));
        assert!(!sleeper.is_finished());
        manual.advance(Duration::from_mins(30));
        assert_eq!(sleeper.await.unwrap().millis(), 3_600_000);
    }
}
