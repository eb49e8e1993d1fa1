//! The outbox: documents on their way to queues, topics, functions, buckets and event buses.
//!
//! A parcel is put into the batch that makes its cause durable, so that neither is ever without
//! the other. From then on it is tried, longer apart each time, until it has arrived, can never
//! arrive, or is a day old. It may arrive twice: it leaves the store after it has arrived.

mod courier;
mod parcel;
mod target;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::{Arn, Clock, RequestId, Timestamp};
use service::ports::ApiCaller;
use store::{Batch, Durability, Key, Store, StoreError};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use parcel::{Address, Attribute, Envelope, Parcel, Sender};
pub use target::Target;

use crate::async_queue::{back_off, with_jitter};
use courier::{Courier, Undelivered};
use parcel::{HEADS, Head, body_key};

/// Deliveries at once, to all targets and to one: what one target leaves waiting holds up no other.
const AT_ONCE: usize = 512;
const AT_ONCE_TO_ONE: usize = 32;
/// Parcels looked through at once for some that may go.
const PAGE: usize = 500;
/// Parcels looked through in all. Behind so many for targets that are busy, others wait.
const MOST_LOOKED_AT: usize = 5_000;
/// A target that has not answered by then is tried again later, and holds up no other.
const PATIENCE: Duration = Duration::from_mins(1);
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_mins(5);
/// How long a parcel is tried.
const LONGEST_AGE: Duration = Duration::from_hours(24);
/// How long a store is left alone that has failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Parcels in the store, and what carries them. Dropping it starts no further delivery.
pub struct Outbox {
    clock: Clock,
    open: watch::Sender<bool>,
    carrier: parking_lot::Mutex<Option<JoinHandle<()>>>,
    post: Arc<Post>,
}

struct Post {
    store: Arc<dyn Store>,
    courier: Courier,
}

impl Outbox {
    /// Call [`start`](Self::start) once `api` leads somewhere.
    pub fn new(store: Arc<dyn Store>, clock: Clock, api: Arc<dyn ApiCaller>) -> Self {
        let courier = Courier {
            api,
            clock: clock.clone(),
        };
        Self {
            clock,
            open: watch::channel(true).0,
            carrier: parking_lot::Mutex::default(),
            post: Arc::new(Post { store, courier }),
        }
    }

    /// Carries what is there, and what comes. Must be called within a Tokio runtime, once.
    pub fn start(&self) {
        let (post, open) = (Arc::clone(&self.post), self.open.subscribe());
        *self.carrier.lock() = Some(tokio::spawn(carry(post, open)));
    }

    /// Adds a parcel to a batch. When that is durable, it is on its way.
    ///
    /// # Errors
    /// The store's, if the parcel cannot be written down.
    pub fn put(&self, batch: &mut Batch, parcel: Parcel) -> Result<(), StoreError> {
        let now = self.clock.now();
        let head = Head {
            id: RequestId::random(),
            address: parcel.address,
            accepted_at: now,
            failures: 0,
        };
        HEADS.put(batch, key(now, head.id), &head)?;
        batch.put(body_key(head.id), parcel.body);
        Ok(())
    }

    /// Starts no further delivery, and returns when those under way have ended.
    pub async fn close(&self) {
        self.open.send_replace(false);
        let carrier = self.carrier.lock().take();
        if let Some(carrier) = carrier
            && let Err(error) = carrier.await
        {
            tracing::error!(%error, "outbox: the carrier was lost");
        }
    }
}

fn key(due: Timestamp, id: RequestId) -> (i64, String) {
    (due.millis(), id.to_string())
}

async fn carry(post: Arc<Post>, mut open: watch::Receiver<bool>) {
    let mut arrivals = HEADS.watch(&*post.store, ());
    let mut under_way = JoinSet::new();
    let mut taken = Taken::default();
    loop {
        let next = match post.due(&mut taken).await {
            Ok((due, next)) => {
                for (at, head) in due {
                    let post = Arc::clone(&post);
                    under_way.spawn(async move { post.deliver(at, head).await });
                }
                next
            }
            Err(error) => {
                tracing::error!(%error, "outbox: read what is due");
                Some(post.courier.clock.now() + STORE_PAUSE)
            }
        };
        tokio::select! {
            closed = open.wait_for(|open| !open) => {
                // Dropped, or told to end.
                drop(closed);
                break;
            }
            Some(ended) = under_way.join_next() => taken.forget(ended),
            () = arrivals.changed(), if under_way.len() < AT_ONCE => {}
            () = post.courier.clock.sleep_until(next.unwrap_or_default()), if next.is_some() => {}
        }
    }
    while let Some(ended) = under_way.join_next().await {
        taken.forget(ended);
    }
}

/// Parcels under way, with their targets.
#[derive(Default)]
struct Taken {
    parcels: HashMap<RequestId, Arn>,
    targets: HashMap<Arn, usize>,
}

impl Taken {
    /// Whether a parcel may go now; if so it is under way.
    fn take(&mut self, head: &Head) -> bool {
        let target = &head.address.target;
        let busy = self.targets.get(target).copied().unwrap_or_default();
        if busy >= AT_ONCE_TO_ONE || self.parcels.contains_key(&head.id) {
            return false;
        }
        self.targets.insert(target.clone(), busy + 1);
        self.parcels.insert(head.id, target.clone());
        true
    }

    fn is_full(&self) -> bool {
        self.parcels.len() >= AT_ONCE
    }

    fn forget(&mut self, ended: Result<Option<RequestId>, tokio::task::JoinError>) {
        match ended {
            Ok(Some(id)) => {
                let Some(target) = self.parcels.remove(&id) else {
                    return;
                };
                if let Some(busy) = self.targets.get_mut(&target) {
                    *busy -= 1;
                    if *busy == 0 {
                        self.targets.remove(&target);
                    }
                }
            }
            // Its parcel may have arrived: it is not tried again before the server restarts.
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "outbox: a delivery was lost"),
        }
    }
}

impl Post {
    /// What is to be delivered now, and when to look again; the end of a delivery wakes us too.
    async fn due(
        &self,
        taken: &mut Taken,
    ) -> Result<(Vec<(Key, Head)>, Option<Timestamp>), StoreError> {
        let now = self.courier.clock.now();
        let (mut due, mut after, mut looked_at) = (Vec::new(), None, 0);
        while looked_at < MOST_LOOKED_AT {
            let page = match HEADS.scan(&self.store, (), after.as_ref(), PAGE).await {
                Ok(page) => page,
                Err(error) if due.is_empty() => return Err(error),
                // Those that were found are on their way first.
                Err(_) => return Ok((due, Some(now + STORE_PAUSE))),
            };
            looked_at += page.rows.len();
            for row in page.rows {
                let at = row.key.reader().i64().unwrap_or_default();
                let at = Timestamp::from_millis(at);
                if at > now {
                    return Ok((due, Some(at)));
                }
                if taken.is_full() {
                    return Ok((due, None));
                }
                if taken.take(&row.value) {
                    due.push((row.key, row.value));
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok((due, None))
    }

    /// Tries one parcel. Gives its id, unless the store could not be told.
    async fn deliver(&self, at: Key, head: Head) -> Option<RequestId> {
        let id = head.id;
        let target = head.address.target.to_string();
        match self.try_once(at, head).await {
            Ok(()) => Some(id),
            Err(error) => {
                tracing::error!(%error, target, "outbox: record a delivery");
                None
            }
        }
    }

    async fn try_once(&self, at: Key, head: Head) -> Result<(), StoreError> {
        let Head { id, address, .. } = &head;
        let Some(body) = self.store.get(body_key(*id).as_bytes()).await? else {
            tracing::error!(target = %address.target, "outbox: a parcel has no body");
            return self.remove(&at, *id).await;
        };
        let handed = self.courier.hand_over(address, body);
        let clock = &self.courier.clock;
        let error = tokio::select! {
            handed = handed => match handed {
                Ok(()) => return self.remove(&at, *id).await,
                Err(Undelivered::ForGood(error)) => {
                    lost(address, &error.to_string());
                    return self.remove(&at, *id).await;
                }
                Err(Undelivered::ForNow(error)) => error.to_string(),
            },
            () = clock.sleep(PATIENCE) => "it did not answer".to_owned(),
        };
        let again = Head {
            failures: head.failures + 1,
            ..head.clone()
        };
        let wait = back_off(FIRST_DELAY, LONGEST_DELAY, again.failures);
        let due = clock.now() + with_jitter(wait);
        if due.since(again.accepted_at) > LONGEST_AGE {
            lost(address, &error);
            return self.remove(&at, *id).await;
        }
        tracing::debug!(target = %address.target, error, "outbox: to be tried again");
        let mut batch = Batch::new();
        HEADS.delete(&mut batch, &at);
        HEADS.put(&mut batch, key(due, *id), &again)?;
        batch.durability(Durability::Lazy);
        self.store.commit(batch).await
    }

    /// Not waited for to be durable: after a power loss a parcel may arrive twice.
    async fn remove(&self, at: &Key, id: RequestId) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        HEADS.delete(&mut batch, at);
        batch.delete(body_key(id));
        batch.durability(Durability::Lazy);
        self.store.commit(batch).await
    }
}

fn lost(address: &Address, error: &str) {
    let Address { target, source, .. } = address;
    tracing::warn!(%target, %source, error, "outbox: a parcel cannot be delivered");
}
