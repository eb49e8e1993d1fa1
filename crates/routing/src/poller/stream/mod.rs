//! Event source mappings from streams to Lambda: reads shards in order, runs the function, and
//! notes durably how far it has come.
//!
//! A shard is read by as many lanes as the mapping's ParallelizationFactor says. Each takes the
//! items whose key falls to it, so that the changes of one item stay in order, and keeps its own
//! checkpoint: a lane that is held up holds up no other. After a crash a lane goes on from its
//! checkpoint, and what was in hand runs once more: at least once.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>

mod attempt;
mod checkpoint;
mod discard;
mod dynamodb;
mod lane;
mod mapping;
mod record;
mod retries;
mod source;
mod window;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Arn, Clock, Region, Timestamp};
use parking_lot::Mutex;
use service::ports::{ApiCaller, Invoker, StreamSignals};
use store::{Batch, Store, StoreError};

use super::Filters;
use crate::deliveries::Deliveries;
use mapping::Mapping;

pub use retries::Retries;

/// One event source mapping, as the Lambda API has checked it.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamMapping {
    pub uuid: String,
    /// The account and region of the mapping and its function.
    pub account: AccountId,
    pub region: Region,
    pub stream: Arn,
    /// With its qualifier, if it has one.
    pub function: Arn,
    pub start: Start,
    /// Most records in one event: 1 to 10,000.
    pub batch_size: u32,
    /// How long a batch may wait to fill up, 0 to 300 seconds.
    pub batching_window: Duration,
    /// Whether the function says from which record on a batch failed (`ReportBatchItemFailures`).
    pub report_batch_item_failures: bool,
    pub filters: Filters,
    /// Batches of one shard at once: 1 to 10.
    pub parallelization: u32,
    /// For how long the function's state is handed on, 1 to 900 seconds: not together with several
    /// batches of a shard at once.
    pub tumbling_window: Option<Duration>,
    pub retries: Retries,
    /// What learns of batches that are given up: a queue, a topic or a bucket.
    pub on_failure: Option<Arn>,
}

/// Where a mapping begins in shards it has not read yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    TrimHorizon,
    At(Timestamp),
}

/// What stream mappings stand on.
pub struct Ports {
    pub api: Arc<dyn ApiCaller>,
    pub invoker: Arc<dyn Invoker>,
    pub signals: Arc<dyn StreamSignals>,
    pub store: Arc<dyn Store>,
    pub deliveries: Arc<Deliveries>,
    pub clock: Clock,
}

/// The mappings that are running.
pub struct StreamPollers {
    ports: Arc<Ports>,
    running: Mutex<HashMap<String, Arc<Mapping>>>,
}

impl StreamPollers {
    pub fn new(ports: Ports) -> Arc<Self> {
        Arc::new(Self {
            ports: Arc::new(ports),
            running: Mutex::default(),
        })
    }

    /// Starts a mapping, in the place of one with the same UUID, whose batches in hand end first.
    /// Must be called within a Tokio runtime.
    pub fn start(&self, settings: StreamMapping) {
        let uuid = settings.uuid.clone();
        let mapping = Mapping::new(settings, Arc::clone(&self.ports));
        let before = self.running.lock().insert(uuid, Arc::clone(&mapping));
        if let Some(before) = &before {
            before.life.request_stop();
        }
        tokio::spawn(mapping::run(mapping, before));
    }

    /// Stops a mapping. Returns once the invocations in hand are finished.
    pub async fn stop(&self, uuid: &str) {
        let mapping = self.running.lock().remove(uuid);
        if let Some(mapping) = mapping {
            mapping.life.request_stop();
            mapping.life.stopped().await;
        }
    }

    /// Forgets how far a mapping has come that is stopped and will not start again.
    ///
    /// # Errors
    /// The store's.
    pub async fn forget(&self, uuid: &str) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        checkpoint::forget(&mut batch, uuid);
        self.ports.store.commit(batch).await
    }

    /// `LastProcessingResult`, as of mappings of queues.
    pub fn last_result(&self, uuid: &str) -> Option<String> {
        let running = self.running.lock();
        running.get(uuid).map(|mapping| mapping.last_result())
    }
}
