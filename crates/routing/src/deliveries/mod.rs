//! From any source to any target: durable first, then handed over at once, and tried again.
//!
//! A source stages parcels in the batch that acknowledges what they carry, and sends them off once
//! that is committed. Parcels for one target share a lane: many of them are under way at once, or,
//! where order matters, one. A lane that waits holds up no other, and one without work does not
//! exist. What a crash interrupts is found by [`Deliveries::resume`]: delivery is at least once.

mod dead_letter;
mod kind;
mod lane;
mod notice;
mod outbox;
mod parcel;
mod send;
mod web;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use base::Clock;
use parking_lot::Mutex;
use service::ports::{ApiCaller, WebClient};
use store::{Batch, Key, Store, StoreError, Table};
use tokio::sync::watch;

pub use kind::Kind;
use lane::{Lane, Waiting};
pub use notice::{Envelope, Notice};
pub use send::Failure;
pub use web::{Endpoints, Exchange, HttpParts, NoWeb};

pub use parcel::{Attribute, BackOff, DeadLetter, Parcel, Phases, Retry, Source, Style, Target};

/// Parcels not yet handed over. Key: the source's name, number.
const PARCELS: Table<Parcel> = Table::new("routing.delivery", 1);
/// Parcels read at once when resuming.
const PAGE: usize = 500;
/// Numbers that one millisecond has room for.
const NUMBERS_A_MILLISECOND: u64 = 1 << 20;

/// The deliveries of one service.
pub struct Deliveries {
    /// The service as its targets know it, such as `sns.amazonaws.com`.
    sender: &'static str,
    store: Arc<dyn Store>,
    clock: Clock,
    api: Arc<dyn ApiCaller>,
    web: Arc<dyn WebClient>,
    endpoints: OnceLock<Arc<dyn Endpoints>>,
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
    /// How many lanes have not ended.
    lanes_alive: watch::Sender<usize>,
    last_number: AtomicU64,
    ended: AtomicBool,
}

/// Parcels in a batch that is about to be committed.
#[derive(Default)]
#[must_use = "a staged parcel is sent off once its batch is committed"]
pub struct Staged {
    parcels: Vec<(Key, Parcel)>,
    /// Whose they are, if there are any.
    deliveries: Option<Arc<Deliveries>>,
}

impl Staged {
    /// Sends the parcels off, once their batch is committed.
    pub fn send_off(self) {
        let Some(deliveries) = self.deliveries else {
            return;
        };
        for (key, parcel) in self.parcels {
            deliveries.enqueue(key, parcel);
        }
    }
}

impl Deliveries {
    pub fn new(
        sender: &'static str,
        store: Arc<dyn Store>,
        clock: Clock,
        api: Arc<dyn ApiCaller>,
        web: Arc<dyn WebClient>,
    ) -> Arc<Self> {
        Arc::new(Self {
            sender,
            store,
            clock,
            api,
            web,
            endpoints: OnceLock::new(),
            lanes: Mutex::default(),
            lanes_alive: watch::channel(0).0,
            last_number: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        })
    }

    /// Names who completes requests to endpoints. Once, before the first parcel.
    pub fn complete_by(&self, endpoints: Arc<dyn Endpoints>) {
        // A second call could only name the same service.
        let _ = self.endpoints.set(endpoints);
    }

    /// Hands a parcel over now, once, and keeps nothing of it: the answer tells whether its target
    /// would take others.
    ///
    /// # Errors
    /// Why the target did not take it.
    pub async fn try_once(&self, parcel: &Parcel) -> Result<(), Failure> {
        self.hand_over(parcel).await
    }

    /// Adds parcels to a batch.
    ///
    /// # Errors
    /// When a parcel cannot be stored.
    pub fn stage(
        self: &Arc<Self>,
        batch: &mut Batch,
        parcels: impl IntoIterator<Item = Parcel>,
    ) -> Result<Staged, StoreError> {
        let mut staged = Vec::new();
        for parcel in parcels {
            let key = Key::of((self.sender, self.next_number()));
            PARCELS.put(batch, &key, &parcel)?;
            staged.push((key, parcel));
        }
        Ok(Staged {
            parcels: staged,
            deliveries: Some(Arc::clone(self)),
        })
    }

    /// Sends off what an earlier run left behind. Before the first parcel of this one.
    ///
    /// # Errors
    /// When the parcels cannot be read.
    pub async fn resume(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = PARCELS
                .scan(&*self.store, self.sender, after.as_ref(), PAGE)
                .await?;
            for row in page.rows {
                let mut parts = row.key.reader();
                parts.text()?;
                self.last_number.fetch_max(parts.u64()?, Ordering::Relaxed);
                self.enqueue(row.key, row.value);
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Begins no more deliveries; what is left is resumed by the next run.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        for lane in self.lanes.lock().values() {
            lane.wake();
        }
    }

    /// Returns when the deliveries that were under way at the [`end`](Self::end) are over.
    pub async fn ended(&self) {
        let mut alive = self.lanes_alive.subscribe();
        // The sender is `self`'s own, so that this cannot fail.
        let _ = alive.wait_for(|lanes| *lanes == 0).await;
    }

    /// In order of acceptance, also over restarts.
    fn next_number(&self) -> u64 {
        let now = u64::try_from(self.clock.now().millis()).unwrap_or(0) * NUMBERS_A_MILLISECOND;
        let next = |last: u64| Some(now.max(last + 1));
        let ordering = Ordering::Relaxed;
        match self.last_number.fetch_update(ordering, ordering, next) {
            Ok(last) | Err(last) => now.max(last + 1),
        }
    }

    fn enqueue(self: &Arc<Self>, key: Key, parcel: Parcel) {
        let name = parcel.lane();
        let in_order = parcel.order.is_some();
        let waiting = Waiting::new(key, parcel);
        let mut lanes = self.lanes.lock();
        if let Some(lane) = lanes.get(&name) {
            lane.add(waiting);
            return;
        }
        let lane = Arc::new(Lane::new(in_order));
        lane.add(waiting);
        lanes.insert(name.clone(), Arc::clone(&lane));
        drop(lanes);
        self.lanes_alive.send_modify(|lanes| *lanes += 1);
        let this = Arc::clone(self);
        tokio::spawn(async move {
            lane::run(&this, &name, &lane).await;
            this.lanes_alive.send_modify(|lanes| *lanes -= 1);
        });
    }

    fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// Ends a lane, unless something was added to it.
    fn close(&self, name: &str, lane: &Lane) -> bool {
        let mut lanes = self.lanes.lock();
        let is_empty = lane.is_empty();
        if is_empty {
            lanes.remove(name);
        }
        is_empty
    }
}
