//! Event source mappings from SQS to Lambda: reads a queue, runs the function, deletes what it
//! handled.
//!
//! One reader a mapping waits for messages and is woken by their arrival; every batch it has read
//! runs by itself. How many run at once starts at five and grows with the backlog
//! ([`concurrency`]).
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>

mod batch_response;
mod concurrency;
mod event;
mod filter;
mod mapping;
mod phase;
mod queue_client;
mod reader;
mod retry;
pub mod stream;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Arn, Clock, Region};
use parking_lot::Mutex;
use service::ports::{ApiCaller, Invoker};

pub use filter::Filters;
use mapping::Mapping;

/// One event source mapping, as the Lambda API has checked it.
#[derive(Clone, Debug, PartialEq)]
pub struct SqsMapping {
    pub uuid: String,
    /// The account and region of the mapping and its function.
    pub account: AccountId,
    pub region: Region,
    pub queue: Arn,
    /// With its qualifier, if it has one.
    pub function: Arn,
    /// Most messages in one event: 1 to 10,000, for a FIFO queue to 10.
    pub batch_size: u32,
    /// How long a batch may wait to fill up, 0 to 300 seconds. Zero for a FIFO queue.
    pub batching_window: Duration,
    /// Whether the function says which messages of a batch failed (`ReportBatchItemFailures`).
    pub report_batch_item_failures: bool,
    /// `MaximumConcurrency`, 2 to 1,000.
    pub maximum_concurrency: Option<u32>,
    /// The fewest and the most pollers that are set aside for it, of ten batches at once each
    /// (`ProvisionedPollerConfig`); not together with a `MaximumConcurrency`.
    pub provisioned: Option<(u32, u32)>,
    /// Which messages are wanted.
    pub filters: Filters,
}

impl SqsMapping {
    fn is_fifo(&self) -> bool {
        self.queue.resource.strip_suffix(".fifo").is_some()
    }
}

/// The mappings that are running. None disturbs another: each has its own tasks and its own limits.
pub struct SqsPollers {
    api: Arc<dyn ApiCaller>,
    invoker: Arc<dyn Invoker>,
    clock: Clock,
    running: Mutex<HashMap<String, Arc<Mapping>>>,
}

impl SqsPollers {
    pub fn new(api: Arc<dyn ApiCaller>, invoker: Arc<dyn Invoker>, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            api,
            invoker,
            clock,
            running: Mutex::new(HashMap::new()),
        })
    }

    /// Starts a mapping, in the place of one with the same UUID. Must be called within a Tokio
    /// runtime.
    pub fn start(self: &Arc<Self>, mapping: SqsMapping) {
        let uuid = mapping.uuid.clone();
        let mapping = Mapping::new(
            mapping,
            Arc::clone(&self.api),
            Arc::clone(&self.invoker),
            self.clock.clone(),
        );
        let before = self.running.lock().insert(uuid, Arc::clone(&mapping));
        if let Some(before) = before {
            before.life.request_stop();
        }
        tokio::spawn(reader::run(mapping));
    }

    /// Stops a mapping. Returns once the batches in hand are finished; messages it has not read
    /// stay in the queue.
    pub async fn stop(&self, uuid: &str) {
        let mapping = self.running.lock().remove(uuid);
        if let Some(mapping) = mapping {
            mapping.life.request_stop();
            mapping.life.stopped().await;
        }
    }

    /// `LastProcessingResult`: `No records processed`, `OK`, or `PROBLEM: ` and which. `None` for
    /// a mapping that is not running.
    pub fn last_result(&self, uuid: &str) -> Option<String> {
        let running = self.running.lock();
        running.get(uuid).map(|mapping| mapping.last_result())
    }
}
