//! One live queue: its settings, its messages in memory, and whoever waits for them.
//!
//! Messages are durable before they can be received. What is in memory only, and may be lost in a
//! crash, is who holds which message: after it, messages in flight are visible again.

mod change_visibility;
mod load;
mod receive;
mod redrive;
mod remove;
mod send;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::{Arn, Clock, Timestamp};
use parking_lot::{Mutex, RwLock};
use service::ServiceError;
use store::{Batch, Durability, Store};
use tokio::sync::{Notify, OnceCell};

pub use receive::{Delivered, ReceiveRequest};
pub use redrive::{How, Leaving};
pub use send::Sent;

use crate::cache::{Budget, Kept};
use crate::domain::backlog::{Backlog, Counts};
use crate::domain::deduplication::{DeduplicationKey, Window};
use crate::domain::message::Receives;
use crate::domain::sequence::{Sequence, Sequencer};
use crate::records::{
    ACCEPTED, MESSAGES, QueueName, QueueRecord, RECEIVES, accepted_key, message_key,
};
use crate::{completion, error};

/// What every queue of the service shares.
pub struct Shared {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub budget: Arc<Budget>,
}

pub struct Queue {
    pub id: u64,
    pub name: QueueName,
    pub arn: Arn,
    shared: Arc<Shared>,
    record: RwLock<Arc<QueueRecord>>,
    /// Loaded from the store when the queue is first used.
    contents: OnceCell<Mutex<Contents>>,
    /// Wakes one waiting receive whenever something can be received.
    arrivals: Notify,
    /// Wakes whoever waits for others' commits: see [`Self::decided`].
    decisions: Notify,
    deleted: AtomicBool,
    purged_at: Mutex<Option<Timestamp>>,
    /// Held during a step of a task that moves messages away, and while one is cancelled.
    pub moving: tokio::sync::Mutex<()>,
    pub cancelled: Notify,
}

struct Contents {
    backlog: Backlog<Kept>,
    window: Window,
    sequencer: Sequencer,
}

/// What time has changed since the queue was last looked at, to be written down.
#[derive(Default)]
struct Elapsed {
    returned: Vec<(Sequence, Receives)>,
    expired: Vec<Sequence>,
    forgotten: Vec<DeduplicationKey>,
}

impl Queue {
    pub fn new(name: QueueName, record: QueueRecord, shared: Arc<Shared>) -> Arc<Self> {
        Arc::new(Self {
            id: record.id,
            arn: Arn::regional("sqs", &name.region, name.account, name.name.clone()),
            name,
            shared,
            record: RwLock::new(Arc::new(record)),
            contents: OnceCell::new(),
            arrivals: Notify::new(),
            decisions: Notify::new(),
            deleted: AtomicBool::new(false),
            purged_at: Mutex::new(None),
            moving: tokio::sync::Mutex::default(),
            cancelled: Notify::new(),
        })
    }

    /// The present settings.
    pub fn record(&self) -> Arc<QueueRecord> {
        Arc::clone(&self.record.read())
    }

    /// Takes over settings that have been stored. Waiting receives look again.
    ///
    /// The delay of a FIFO queue is also that of the messages that are already there.
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-delay-queues.html>
    pub async fn set_record(self: &Arc<Self>, record: QueueRecord) {
        let (is_fifo, delay) = (record.attributes.fifo, record.attributes.delay());
        let old = std::mem::replace(&mut *self.record.write(), Arc::new(record));
        // What cannot be loaded now is given the delay when it is.
        if is_fifo && old.attributes.delay() != delay && self.loaded().await.is_ok() {
            self.with_contents(|contents, now| contents.backlog.delay_anew(delay, now));
        }
        self.arrivals.notify_waiters();
    }

    pub fn is_fifo(&self) -> bool {
        self.record.read().attributes.fifo
    }

    /// The queue is gone: waiting receives learn it now.
    pub fn mark_deleted(&self) {
        self.deleted.store(true, Ordering::Release);
        self.arrivals.notify_waiters();
    }

    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// How many messages are visible, in flight and delayed.
    pub async fn counts(self: &Arc<Self>) -> Result<Counts, ServiceError> {
        self.loaded().await?;
        Ok(self.with_contents(|contents, _| contents.backlog.counts()))
    }

    fn check_there(&self) -> Result<(), ServiceError> {
        if self.is_deleted() {
            Err(error::queue_does_not_exist())
        } else {
            Ok(())
        }
    }

    /// Looks at the messages as they stand now: what was due has come back, what was too old is
    /// gone. Wakes a waiting receive if there is something for it afterwards.
    ///
    /// The queue must have been [loaded](Self::loaded).
    fn with_contents<T>(self: &Arc<Self>, act: impl FnOnce(&mut Contents, Timestamp) -> T) -> T {
        let retention = self.record.read().attributes.retention();
        let contents = self
            .contents
            .get()
            .expect("every caller has loaded the queue");
        let mut guard = contents.lock();
        let now = self.shared.clock.now();
        let elapsed = guard.elapse(now, retention);
        let outcome = act(&mut guard, now);
        let is_receivable = guard.backlog.has_receivable();
        drop(guard);
        if is_receivable {
            self.arrivals.notify_one();
        }
        if let Some(elapsed) = elapsed {
            self.write_down(elapsed);
        }
        outcome
    }

    /// Waits until another request's commit of this message, or of its deletion, has ended. Who
    /// repeats that request must not learn of success before.
    async fn decided(self: &Arc<Self>, sequence: Sequence) {
        loop {
            // Registered before looking, so that an end in between is not missed.
            let mut decision = std::pin::pin!(self.decisions.notified());
            decision.as_mut().enable();
            if !self.with_contents(|contents, _| contents.backlog.is_undecided(sequence)) {
                return;
            }
            decision.await;
        }
    }

    /// Brings the disk up to date in the background; a crash before that only repeats it.
    fn write_down(self: &Arc<Self>, elapsed: Elapsed) {
        let queue = Arc::clone(self);
        // Dropped at once, and so run by itself.
        drop(completion::to_the_end(async move {
            if let Err(failure) = queue.commit_elapsed(&elapsed).await {
                tracing::warn!(queue = %queue.arn, error = %failure, "sqs: write down what elapsed");
            }
            if !elapsed.expired.is_empty() {
                queue.with_contents(|contents, _| {
                    for sequence in &elapsed.expired {
                        contents.backlog.remove(*sequence);
                    }
                });
                queue.decisions.notify_waiters();
            }
        }));
    }

    async fn commit_elapsed(&self, elapsed: &Elapsed) -> Result<(), store::StoreError> {
        let mut batch = Batch::new();
        batch.durability(Durability::Lazy);
        for (sequence, receives) in &elapsed.returned {
            let key = message_key(self.id, *sequence);
            RECEIVES.put(&mut batch, key, receives)?;
        }
        for sequence in &elapsed.expired {
            self.delete_message(&mut batch, *sequence);
        }
        for key in &elapsed.forgotten {
            ACCEPTED.delete(&mut batch, accepted_key(self.id, key));
        }
        self.shared.store.commit(batch).await
    }

    fn delete_message(&self, batch: &mut Batch, sequence: Sequence) {
        let key = message_key(self.id, sequence);
        MESSAGES.delete(batch, &key);
        RECEIVES.delete(batch, &key);
    }
}

impl Contents {
    fn elapse(&mut self, now: Timestamp, retention: std::time::Duration) -> Option<Elapsed> {
        let elapsed = Elapsed {
            returned: self.backlog.advance(now),
            expired: self.backlog.expire(now, retention),
            forgotten: self.window.expire(now),
        };
        let nothing = elapsed.returned.is_empty()
            && elapsed.expired.is_empty()
            && elapsed.forgotten.is_empty();
        (!nothing).then_some(elapsed)
    }
}
