//! What carries out event source mappings: the pollers of each kind of source.

use std::sync::Arc;
use std::time::Duration;

use routing::poller::Filters;
use routing::poller::stream::{Retries, Start, StreamMapping, StreamPollers};
use routing::{SqsMapping, SqsPollers};

use crate::records::{MappingRecord, StreamSettings};

#[derive(Clone)]
pub struct Pollers {
    pub queues: Arc<SqsPollers>,
    pub streams: Arc<StreamPollers>,
}

impl Pollers {
    /// Starts a mapping, in the place of one with the same UUID.
    pub fn start(&self, record: &MappingRecord) {
        match &record.settings.stream {
            Some(settings) => self.streams.start(of_stream(record, settings)),
            None => self.queues.start(of_queue(record)),
        }
    }

    /// Returns once the batches in hand are finished.
    pub async fn stop(&self, uuid: &str) {
        self.queues.stop(uuid).await;
        self.streams.stop(uuid).await;
    }

    /// Removes what was noted of a mapping that is deleted.
    pub async fn forget(&self, uuid: &str) {
        if let Err(error) = self.streams.forget(uuid).await {
            tracing::error!(%error, mapping = uuid, "lambda: remove a mapping's checkpoints");
        }
    }

    pub fn last_result(&self, uuid: &str) -> Option<String> {
        let of_queue = self.queues.last_result(uuid);
        of_queue.or_else(|| self.streams.last_result(uuid))
    }
}

/// They have been checked; should one not parse any more, the mapping wants everything rather than
/// to lose what is wanted.
fn filters(record: &MappingRecord) -> Filters {
    let patterns = record.settings.filters.iter().map(String::as_str);
    Filters::parse(patterns).unwrap_or_else(|error| {
        tracing::error!(%error, mapping = record.uuid, "lambda: a stored filter does not parse");
        Filters::default()
    })
}

fn of_queue(record: &MappingRecord) -> SqsMapping {
    SqsMapping {
        uuid: record.uuid.clone(),
        account: record.account,
        region: record.region.clone(),
        queue: record.source.clone(),
        function: record.function.clone(),
        batch_size: record.settings.batch_size,
        batching_window: Duration::from_secs(record.settings.batching_window.into()),
        report_batch_item_failures: record.settings.report_batch_item_failures,
        maximum_concurrency: record.settings.maximum_concurrency,
        provisioned: record
            .settings
            .provisioned
            .map(|pollers| (pollers.minimum, pollers.maximum)),
        filters: filters(record),
    }
}

fn of_stream(record: &MappingRecord, settings: &StreamSettings) -> StreamMapping {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    StreamMapping {
        uuid: record.uuid.clone(),
        account: record.account,
        region: record.region.clone(),
        stream: record.source.clone(),
        function: record.function.clone(),
        start: settings.latest_since.map_or(Start::TrimHorizon, Start::At),
        batch_size: record.settings.batch_size,
        batching_window: seconds(record.settings.batching_window),
        report_batch_item_failures: record.settings.report_batch_item_failures,
        filters: filters(record),
        parallelization: settings.parallelization,
        retries: Retries {
            bisect: settings.bisect,
            maximum: settings.maximum_retries,
            maximum_age: settings.maximum_age.map(seconds),
        },
        on_failure: settings.on_failure.clone(),
        tumbling_window: settings.tumbling_window.map(seconds),
    }
}
