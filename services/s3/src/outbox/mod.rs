//! Events on their way: durable with the change that caused them, handed over at once.
//!
//! An entry is committed in the batch of its object and pushed to the lane of its destination the
//! moment that batch is. Each lane works by itself, so that a destination that is slow or away
//! holds up nobody else; a lane with nothing to do does not exist. What a crash interrupts is found
//! again by [`Outbox::resume`], so delivery is at least once.

mod deliver;
mod lane;

use std::collections::HashMap;
use std::sync::Arc;

use base::{AccountId, Arn, Clock, Region, Timestamp};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use store::{Batch, Key, Store, StoreError, Table};

use crate::Ports;
use crate::domain::event::{self, Cause, Happening, Place, Sequencer};
use crate::domain::notification::{Notifications, Rule, Target};
use lane::{Lane, Waiting};

pub use deliver::{context, look_up_queue};

/// Events not yet handed over: (sequencer, 0) and up.
const OUTBOX: Table<Entry> = Table::new("s3.outbox", 1);
/// Entries read at once when resuming.
const PAGE: usize = 500;

/// One event for one destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub destination: Destination,
    /// JSON.
    pub payload: String,
    pub bucket: String,
    /// The bucket's owner, in whose name the event is sent.
    pub account: AccountId,
    pub region: Region,
    pub happened_at: Timestamp,
    /// `X-Amzn-Trace-Id` of the request that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    Function(Arn),
    Queue(Arn),
    Topic(Arn),
    EventBus { detail_type: String },
}

impl Destination {
    /// Entries of one lane go to one place.
    fn lane(&self) -> String {
        match self {
            Self::Function(arn) | Self::Queue(arn) | Self::Topic(arn) => arn.to_string(),
            Self::EventBus { .. } => "events".to_owned(),
        }
    }
}

impl From<&Target> for Destination {
    fn from(target: &Target) -> Self {
        match target {
            Target::Function(arn) => Self::Function(arn.clone()),
            Target::Queue(arn) => Self::Queue(arn.clone()),
            Target::Topic(arn) => Self::Topic(arn.clone()),
        }
    }
}

pub struct Outbox {
    store: Arc<dyn Store>,
    clock: Clock,
    ports: Ports,
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
    /// URLs of queues, by ARN.
    queue_urls: Mutex<HashMap<String, String>>,
}

impl Outbox {
    pub fn new(store: Arc<dyn Store>, clock: Clock, ports: Ports) -> Self {
        Self {
            store,
            clock,
            ports,
            lanes: Mutex::default(),
            queue_urls: Mutex::default(),
        }
    }

    /// Sends entries off, once they are committed.
    pub fn push(self: &Arc<Self>, entries: Vec<(Key, Entry)>) {
        for (key, entry) in entries {
            let lane = entry.destination.lane();
            self.enqueue(
                lane,
                Waiting {
                    key,
                    entry: Some(Box::new(entry)),
                },
            );
        }
    }

    /// Sends off what an earlier run left behind.
    pub async fn resume(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = OUTBOX.scan(&*self.store, (), after.as_ref(), PAGE).await?;
            self.push(
                page.rows
                    .into_iter()
                    .map(|row| (row.key, row.value))
                    .collect(),
            );
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    fn enqueue(self: &Arc<Self>, name: String, waiting: Waiting) {
        let mut lanes = self.lanes.lock();
        if let Some(lane) = lanes.get(&name) {
            lane.add(waiting);
            return;
        }
        let lane = Arc::new(Lane::default());
        lane.add(waiting);
        lanes.insert(name.clone(), Arc::clone(&lane));
        drop(lanes);
        tokio::spawn(lane::run(Arc::clone(self), name, lane));
    }

    /// Ends a lane, unless something was added to it.
    fn close(&self, name: &str, lane: &Lane) -> bool {
        let mut lanes = self.lanes.lock();
        let empty = lane.is_empty();
        if empty {
            lanes.remove(name);
        }
        empty
    }
}

/// Adds the events that the bucket's configuration wants to a batch.
pub fn stage(
    batch: &mut Batch,
    place: Place<'_>,
    notifications: &Notifications,
    happenings: &[Happening],
    cause: &Cause,
    mut sequence: impl FnMut(Timestamp) -> Sequencer,
) -> Result<Vec<(Key, Entry)>, StoreError> {
    let mut staged = Vec::new();
    if notifications.is_empty() {
        return Ok(staged);
    }
    for happening in happenings {
        let sequencer = sequence(cause.at);
        for (destination, payload) in wanted(notifications, happening, cause, place, sequencer) {
            let entry = Entry {
                destination,
                payload,
                bucket: place.bucket.to_owned(),
                account: place.owner,
                region: place.region.clone(),
                happened_at: cause.at,
                trace: cause.trace.clone(),
            };
            let key = Key::of((sequencer.0, staged.len() as u64));
            OUTBOX.put(batch, &key, &entry)?;
            staged.push((key, entry));
        }
    }
    Ok(staged)
}

fn wanted(
    notifications: &Notifications,
    happening: &Happening,
    cause: &Cause,
    place: Place<'_>,
    sequencer: Sequencer,
) -> Vec<(Destination, String)> {
    let wants = |rule: &&Rule| rule.wants(happening.kind, &happening.key);
    let mut wanted: Vec<_> = notifications
        .rules
        .iter()
        .filter(wants)
        .map(|rule| {
            let payload = event::message(happening, cause, place, &rule.id, sequencer);
            (Destination::from(&rule.target), payload)
        })
        .collect();
    if notifications.event_bridge {
        let detail_type = event::detail_type(happening.kind).to_owned();
        let detail = event::detail(happening, cause, place, sequencer);
        wanted.push((Destination::EventBus { detail_type }, detail));
    }
    wanted
}
