//! The parcels of one target: how many are under way, and when a refused one is tried again.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use parking_lot::Mutex;
use store::{Batch, Durability, Key};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::dead_letter::{self, Reason};
use super::send::Failure;
use super::{Deliveries, PARCELS, Parcel, Retry};
use crate::async_queue::{back_off, with_jitter};

/// Deliveries to one target under way at once.
const CONCURRENCY: usize = 32;
/// Parcels that a lane keeps in memory; the others are read when their turn comes.
const MAX_HELD: usize = 1_000;

/// A parcel that waits for its turn.
pub struct Waiting {
    key: Key,
    parcel: Option<Box<Parcel>>,
    attempts: u32,
    per_second: Option<u32>,
}

impl Waiting {
    pub fn new(key: Key, parcel: Parcel) -> Self {
        Self {
            key,
            per_second: parcel.per_second,
            parcel: Some(Box::new(parcel)),
            attempts: 0,
        }
    }
}

pub struct Lane {
    waiting: Mutex<VecDeque<Waiting>>,
    added: Notify,
    in_order: bool,
}

impl Lane {
    pub fn new(in_order: bool) -> Self {
        Self {
            waiting: Mutex::default(),
            added: Notify::new(),
            in_order,
        }
    }

    pub fn add(&self, mut new: Waiting) {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= MAX_HELD {
            new.parcel = None;
        }
        waiting.push_back(new);
        drop(waiting);
        self.wake();
    }

    pub fn wake(&self) {
        self.added.notify_one();
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.lock().is_empty()
    }

    fn take(&self) -> Option<Waiting> {
        self.waiting.lock().pop_front()
    }
}

/// A refused parcel, by the time of its next attempt.
struct Refused {
    due: Reverse<Timestamp>,
    waiting: Waiting,
}

impl PartialEq for Refused {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Refused {}

impl PartialOrd for Refused {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Refused {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.due.cmp(&other.due)
    }
}

/// Works until nothing waits and nothing is under way, or, once deliveries have ended, until nothing
/// is under way.
pub async fn run(deliveries: &Arc<Deliveries>, name: &str, lane: &Lane) {
    let most = if lane.in_order { 1 } else { CONCURRENCY };
    let mut under_way = JoinSet::new();
    let mut refused = BinaryHeap::<Refused>::new();
    // Where only so many a second may go, when the next one may.
    let mut next_at = Timestamp::default();
    while !deliveries.has_ended() {
        let now = deliveries.clock.now();
        while under_way.len() < most && next_at <= now {
            let is_due = refused.peek().is_some_and(|first| first.due.0 <= now);
            let next = if is_due {
                refused.pop().map(|first| first.waiting)
            } else if lane.in_order && !refused.is_empty() {
                None
            } else {
                lane.take()
            };
            let Some(next) = next else { break };
            if let Some(rate) = next.per_second {
                next_at = next_at.max(now) + Duration::from_secs(1) / rate.max(1);
            }
            under_way.spawn(attempt(Arc::clone(deliveries), next));
        }
        if under_way.is_empty() && refused.is_empty() && next_at <= now {
            if deliveries.close(name, lane) {
                return;
            }
            continue;
        }
        let next_due = refused.peek().map(|first| first.due.0.max(next_at));
        let next_due = next_due.or_else(|| (next_at > now).then_some(next_at));
        let has_room = under_way.len() < most;
        let retry = async {
            match next_due {
                Some(due) if has_room => deliveries.clock.sleep_until(due).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(outcome) = under_way.join_next() => {
                if let Ok(Some((due, mut waiting))) = outcome {
                    if refused.len() >= MAX_HELD {
                        waiting.parcel = None;
                    }
                    refused.push(Refused { due: Reverse(due), waiting });
                }
            }
            () = retry => {}
            () = lane.added.notified() => {}
        }
    }
    while under_way.join_next().await.is_some() {}
}

/// Hands one parcel over and forgets it; gives it back if that has to be tried again, and when.
async fn attempt(
    deliveries: Arc<Deliveries>,
    mut waiting: Waiting,
) -> Option<(Timestamp, Waiting)> {
    let parcel = match waiting.parcel.take() {
        Some(parcel) => parcel,
        None => match PARCELS.get(&*deliveries.store, &waiting.key).await {
            Ok(Some(parcel)) => Box::new(parcel),
            Ok(None) => return None,
            Err(error) => {
                tracing::error!(%error, "a parcel was not read; it will be tried again");
                let due = deliveries.clock.now() + pause(Retry::EVENTS, waiting.attempts);
                return Some((due, waiting));
            }
        },
    };
    let Err(failure) = deliveries.hand_over(&parcel).await else {
        forget(&deliveries, &waiting.key).await;
        return None;
    };
    let lane = parcel.lane();
    let now = deliveries.clock.now();
    let retry = parcel.retry;
    let reason = if !failure.is_passing && !retry.insists {
        Some(Reason::Permanent)
    } else if waiting.attempts >= retry.attempts {
        Some(Reason::Attempts)
    } else if now.since(parcel.accepted_at) >= Duration::from_secs(retry.max_age_seconds) {
        Some(Reason::Age)
    } else {
        None
    };
    let Some(reason) = reason else {
        tracing::debug!(lane, %failure, "a delivery was refused; it will be tried again");
        let due = now + pause(retry, waiting.attempts);
        waiting.attempts += 1;
        waiting.parcel = Some(parcel);
        return Some((due, waiting));
    };
    tracing::warn!(lane, %failure, "a delivery has failed for good");
    give_up(&deliveries, &waiting, *parcel, &failure, reason).await;
    None
}

async fn give_up(
    deliveries: &Arc<Deliveries>,
    waiting: &Waiting,
    parcel: Parcel,
    failure: &Failure,
    reason: Reason,
) {
    let now = deliveries.clock.now();
    let Some(letter) = dead_letter::of(parcel, failure, reason, waiting.attempts, now) else {
        return forget(deliveries, &waiting.key).await;
    };
    let mut batch = Batch::new();
    PARCELS.delete(&mut batch, &waiting.key);
    let moved = match deliveries.stage(&mut batch, [letter]) {
        Ok(staged) => deliveries.store.commit(batch).await.map(|()| staged),
        Err(error) => Err(error),
    };
    match moved {
        Ok(staged) => staged.send_off(),
        Err(error) => tracing::error!(%error, "a dead letter was not kept; it stays undelivered"),
    }
}

/// Lazily: if a crash undoes it the parcel is delivered twice, which all sources allow.
async fn forget(deliveries: &Deliveries, key: &Key) {
    let mut batch = Batch::new();
    batch.durability(Durability::Lazy);
    PARCELS.delete(&mut batch, key);
    if let Err(error) = deliveries.store.commit(batch).await {
        tracing::error!(%error, "a delivered parcel stays and will be delivered again");
    }
}

/// Between half of the pause and all of it.
fn pause(retry: Retry, attempts: u32) -> Duration {
    let first = Duration::from_millis(retry.first_pause_millis);
    let longest = Duration::from_millis(retry.longest_pause_millis);
    if let Some(phases) = retry.phases {
        return retry.phased(phases, attempts);
    }
    with_jitter(back_off(first, longest, attempts.saturating_add(1)))
}
