//! The entries for one destination: many under way at once, and a pause after a failure.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use parking_lot::Mutex;
use store::{Batch, Durability, Key};
use tokio::sync::Notify;

use super::{Entry, OUTBOX, Outbox};

/// Deliveries to one destination under way at once.
const CONCURRENCY: usize = 32;
/// Entries whose payload a lane keeps in memory; the others are read when their turn comes.
const MAX_HELD: usize = 1_000;
/// Pauses after failures double from the first to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_mins(1);
/// When an event is given up.
const MAX_AGE: Duration = Duration::from_hours(24);

/// An entry that waits for its turn.
pub struct Waiting {
    pub key: Key,
    pub entry: Option<Box<Entry>>,
}

#[derive(Default)]
pub struct Lane {
    waiting: Mutex<VecDeque<Waiting>>,
    added: Notify,
}

impl Lane {
    pub fn add(&self, mut new: Waiting) {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= MAX_HELD {
            new.entry = None;
        }
        waiting.push_back(new);
        drop(waiting);
        self.added.notify_one();
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.lock().is_empty()
    }

    fn take(&self) -> Option<Waiting> {
        self.waiting.lock().pop_front()
    }
}

/// Works until nothing waits and nothing is under way.
pub async fn run(outbox: Arc<Outbox>, name: String, lane: Arc<Lane>) {
    let mut under_way = FuturesUnordered::new();
    let mut pause = FIRST_PAUSE;
    let mut paused_until: Option<Timestamp> = None;
    loop {
        while paused_until.is_none()
            && under_way.len() < CONCURRENCY
            && let Some(next) = lane.take()
        {
            under_way.push(send(&outbox, next));
        }
        if under_way.is_empty() && paused_until.is_none() {
            if outbox.close(&name, &lane) {
                return;
            }
            continue;
        }
        let resume = async {
            match paused_until {
                Some(until) => outbox.clock.sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(outcome) = under_way.next(), if !under_way.is_empty() => match outcome {
                None => pause = FIRST_PAUSE,
                Some(failed) => {
                    lane.add(failed);
                    if paused_until.is_none() {
                        paused_until = Some(outbox.clock.now() + pause);
                        pause = (pause * 2).min(LAST_PAUSE);
                    }
                }
            },
            () = resume => paused_until = None,
            () = lane.added.notified(), if paused_until.is_none() => {}
        }
    }
}

/// Hands one entry over and forgets it; gives it back if that has to be tried again.
async fn send(outbox: &Arc<Outbox>, waiting: Waiting) -> Option<Waiting> {
    let entry = match waiting.entry {
        Some(entry) => entry,
        None => match OUTBOX.get(&*outbox.store, &waiting.key).await {
            Ok(Some(entry)) => Box::new(entry),
            Ok(None) => return None,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "an event was not read; it will be tried again");
                return Some(waiting);
            }
        },
    };
    if let Err(error) = outbox.deliver(&entry).await {
        let destination = entry.destination.lane();
        if outbox.clock.now().since(entry.happened_at) < MAX_AGE {
            tracing::warn!(%destination, %error, "an event was refused; it will be tried again");
            return Some(Waiting {
                key: waiting.key,
                entry: Some(entry),
            });
        }
        tracing::error!(%destination, %error, "an event was refused for a day and is given up");
    }
    forget(outbox, &waiting.key).await;
    None
}

/// Lazily: if a crash undoes it the event is delivered twice, which S3 allows.
async fn forget(outbox: &Arc<Outbox>, key: &Key) {
    let mut batch = Batch::new();
    batch.durability(Durability::Lazy);
    OUTBOX.delete(&mut batch, key);
    if let Err(error) = outbox.store.commit(batch).await {
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "a delivered event stays and will be delivered again");
    }
}
