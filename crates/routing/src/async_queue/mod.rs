//! Asynchronous invocations: a durable queue a function, handed to the function at once.
//!
//! An event is in the store before it is acknowledged, and leaves it once it has been dealt with.
//! Where nothing else waits its run begins while it is being stored: only the acknowledgement, and
//! what is recorded of the run, wait for the disk.
//! Each function has its own lane ([`lane`]), so that a slow one holds up no other. A lane keeps
//! the first of its events in memory ([`window`]) and the rest in the store. What becomes of an
//! event after a run is decided in [`decide`].
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html>

mod decide;
mod event;
mod lane;
mod records;
mod run;
mod throttle;
mod window;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use base::{Arn, Clock, RequestId};
use parking_lot::Mutex;
use store::{Batch, Key, Store, StoreError};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use decide::{back_off, with_jitter};
pub use event::{Answer, AsyncEvent, Ended, Ending, EventRunner, RetryPolicy, RunOutcome};

use lane::{Lane, Message};
use records::{HEADS, Head};
use window::{Payload, Slot, Waiting};

/// Payloads kept in memory for events that wait, over all lanes, in bytes. Beyond this they are
/// read from the store when their turn comes.
const WAITING_PAYLOAD_BYTES: usize = 64 << 20;

/// The queue of asynchronous invocations. Dropping it starts no further event, as
/// [`close`](Self::close) does, but does not wait for those that run.
pub struct AsyncQueue(Arc<Shared>);

/// What the lanes share.
struct Shared {
    store: Arc<dyn Store>,
    clock: Clock,
    runner: Arc<dyn EventRunner>,
    /// `None` once closed.
    lanes: Mutex<Option<HashMap<String, mpsc::UnboundedSender<Message>>>>,
    /// How many lanes have not ended.
    lanes_alive: watch::Sender<usize>,
    /// Tells apart events of one millisecond.
    sequence: AtomicU64,
    waiting_payload_bytes: Arc<AtomicUsize>,
}

impl AsyncQueue {
    pub fn new(store: Arc<dyn Store>, clock: Clock, runner: Arc<dyn EventRunner>) -> Self {
        Self(Arc::new(Shared {
            store,
            clock,
            runner,
            lanes: Mutex::new(Some(HashMap::new())),
            lanes_alive: watch::channel(0).0,
            sequence: AtomicU64::new(0),
            waiting_payload_bytes: Arc::default(),
        }))
    }

    /// Takes up the events that an earlier run has left. Must be called within a Tokio runtime.
    pub async fn start(&self) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = HEADS.scan(&self.0.store, (), after.as_ref(), 1).await?;
            let Some(row) = page.rows.into_iter().next() else {
                return Ok(());
            };
            let lane = records::lane_of(&row.value.function);
            // Past every event of this lane.
            after = Some(Key::of((lane.as_str(), i64::MAX, u64::MAX)));
            self.0.send(&lane, None);
        }
    }

    /// Takes an event. Once this returns, it is durable and on its way to the function.
    pub async fn accept(&self, event: AsyncEvent) -> Result<(), StoreError> {
        let shared = &self.0;
        let lane = records::lane_of(&event.function);
        let slot = Slot {
            due: event.accepted_at,
            sequence: shared.sequence.fetch_add(1, Ordering::Relaxed),
            id: event.request_id,
        };
        let head = Head::of(&event);
        let mut batch = Batch::new();
        HEADS.put(&mut batch, slot.key(&lane), &head)?;
        batch.put(
            records::payload_key(event.request_id),
            event.payload.clone(),
        );
        let waiting = |stored| {
            Box::new(Waiting {
                slot,
                head: head.clone(),
                payload: Payload::kept(
                    event.payload.clone(),
                    &shared.waiting_payload_bytes,
                    WAITING_PAYLOAD_BYTES,
                ),
                stored,
            })
        };
        let (stored, told) = oneshot::channel();
        shared.send(&lane, Some(Message::Coming(waiting(Some(told)))));
        let mut coming = Coming {
            shared,
            lane: &lane,
            id: event.request_id,
            arrived: None,
        };
        let outcome = shared.store.commit(batch).await;
        coming.arrived = outcome.is_ok().then(|| waiting(None));
        drop(coming);
        // Nobody listens where no run has begun.
        let _ = stored.send(outcome.is_ok());
        outcome
    }

    /// Forgets every waiting event of a function, because it has been deleted. One that is running
    /// finishes and is not retried.
    pub async fn purge(&self, function: &Arn) -> Result<(), StoreError> {
        let lane = records::lane_of(function);
        loop {
            let page = HEADS
                .scan(&self.0.store, lane.as_str(), None, 1_000)
                .await?;
            if page.rows.is_empty() {
                break;
            }
            let mut batch = Batch::new();
            for row in &page.rows {
                HEADS.delete(&mut batch, &row.key);
                batch.delete(records::payload_key(row.value.id));
            }
            self.0.store.commit(batch).await?;
        }
        let mut lanes = self.0.lanes.lock();
        let sender = lanes.as_mut().and_then(|lanes| lanes.remove(&lane));
        if let Some(sender) = sender {
            // A lane that has ended has nothing to forget.
            let _ = sender.send(Message::Purged);
        }
        Ok(())
    }

    /// Starts no further event, and returns when those that run have finished.
    pub async fn close(&self) {
        self.0.lanes.lock().take();
        let mut alive = self.0.lanes_alive.subscribe();
        // The sender is `self`'s own, so that this cannot fail.
        let _ = alive.wait_for(|lanes| *lanes == 0).await;
    }
}

/// An event on its way into the store. Its lane is told what became of it, also where whoever stores
/// it gives up waiting.
struct Coming<'a> {
    shared: &'a Arc<Shared>,
    lane: &'a str,
    id: RequestId,
    arrived: Option<Box<Waiting>>,
}

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        let message = match self.arrived.take() {
            Some(waiting) => Message::Arrived(waiting),
            None => Message::Unsure(self.id),
        };
        self.shared.send(self.lane, Some(message));
    }
}

impl Drop for AsyncQueue {
    fn drop(&mut self) {
        // A lane ends when its inbox does.
        self.0.lanes.lock().take();
    }
}

impl Shared {
    /// Gives a message to a lane, which is started if there is none. Once the queue is closed,
    /// events stay in the store.
    fn send(self: &Arc<Self>, lane: &str, message: Option<Message>) {
        let mut lanes = self.lanes.lock();
        let Some(lanes) = lanes.as_mut() else {
            return;
        };
        if !lanes.contains_key(lane) {
            let sender = Lane::start(Arc::clone(self), lane.to_owned());
            lanes.insert(lane.to_owned(), sender);
        }
        if let Some(message) = message {
            // A lane outlives its sender, which is in the map.
            let _ = lanes[lane].send(message);
        }
    }
}
