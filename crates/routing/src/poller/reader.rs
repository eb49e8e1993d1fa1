//! Reading a mapping's queue and cutting what comes into batches.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use service::ServiceError;

use super::event::{Batch, Record};
use super::mapping::Mapping;
use super::queue_client::MAX_MESSAGES;
use super::retry::BackOff;

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// Messages read and not yet in a batch.
#[derive(Debug, Default)]
struct Pending {
    records: VecDeque<Record>,
    bytes: usize,
    /// When the oldest of them were received, from when they are hidden.
    since: Option<Timestamp>,
}

/// Reads until the mapping is told to stop; then finishes what is in hand.
pub async fn run(mapping: Arc<Mapping>) {
    let mut pending = Pending::default();
    let mut back_off = BackOff::new(FIRST_DELAY, LONGEST_DELAY);
    loop {
        let permit = tokio::select! {
            permit = mapping.concurrency.acquire(&mapping.clock) => permit,
            () = mapping.life.stopping() => break,
        };
        let read = tokio::select! {
            read = fill(&mapping, &mut pending) => read,
            () = mapping.life.stopping() => break,
        };
        match read {
            Ok(()) => back_off.reset(),
            Err(error) => {
                mapping.set_problem(&error.message);
                tracing::warn!(mapping = %mapping.settings.uuid, %error, "sqs mapping: receive");
                tokio::select! {
                    () = mapping.clock.sleep(back_off.next_delay()) => continue,
                    () = mapping.life.stopping() => break,
                }
            }
        }
        let batches = pending.next_batches(&mapping);
        let mapping = Arc::clone(&mapping);
        tokio::spawn(async move {
            run_in_order(&mapping, batches).await;
            drop(permit);
        });
    }
    while !pending.records.is_empty() {
        run_in_order(&mapping, pending.next_batches(&mapping)).await;
    }
    mapping.concurrency.idle().await;
    mapping.life.has_stopped();
}

/// Runs batches one after the other. After one that fails, the rest would overtake it: they go
/// back to the queue with it.
async fn run_in_order(mapping: &Mapping, batches: Vec<(Batch, Timestamp)>) {
    for (batch, since) in batches {
        if !mapping.run(batch, since).await {
            break;
        }
    }
}

/// Receives until there is a batch: with no batching window, whatever there is; with one, as much
/// as a batch holds or the window brings in.
async fn fill(mapping: &Mapping, pending: &mut Pending) -> Result<(), ServiceError> {
    let window = mapping.settings.batching_window;
    while pending.records.is_empty() {
        if !receive(mapping, pending).await? {
            mapping.concurrency.ran_dry();
        }
    }
    if window.is_zero() {
        return Ok(());
    }
    let Some(since) = pending.since else {
        return Ok(());
    };
    while !pending.is_full(mapping) {
        tokio::select! {
            received = receive(mapping, pending) => received?,
            () = mapping.clock.sleep_until(since + window) => return Ok(()),
        };
    }
    Ok(())
}

/// One receive; whether it brought anything.
async fn receive(mapping: &Mapping, pending: &mut Pending) -> Result<bool, ServiceError> {
    let room = (mapping.settings.batch_size as usize).saturating_sub(pending.records.len());
    let records = mapping
        .queue
        .receive(&mapping.settings, room.min(MAX_MESSAGES))
        .await?;
    let brought = !records.is_empty();
    let (records, unwanted) = mapping.settings.filters.divide(records);
    if !records.is_empty() {
        pending.since.get_or_insert(mapping.clock.now());
        pending.bytes += records.iter().map(Record::bytes).sum::<usize>();
        pending.records.extend(records);
    }
    // Last: what is wanted must not be lost if nobody waits for this any longer.
    if !unwanted.is_empty() {
        let handles = unwanted.iter().map(|it| it.receipt_handle.as_str());
        mapping
            .queue
            .delete(&mapping.settings, handles.collect())
            .await;
    }
    Ok(brought)
}

impl Pending {
    fn is_full(&self, mapping: &Mapping) -> bool {
        let is_long_enough = self.records.len() >= mapping.settings.batch_size as usize;
        is_long_enough || self.bytes >= Batch::MAX_BYTES
    }

    /// The next batch; of a FIFO queue all there are, which must not run side by side.
    fn next_batches(&mut self, mapping: &Mapping) -> Vec<(Batch, Timestamp)> {
        let mut batches = Vec::new();
        while let Some(batch) = self.cut(mapping) {
            batches.push(batch);
            if !mapping.settings.is_fifo() {
                break;
            }
        }
        batches
    }

    /// Takes a batch: at most BatchSize messages, and no more than one event may hold.
    fn cut(&mut self, mapping: &Mapping) -> Option<(Batch, Timestamp)> {
        let since = self.since?;
        let mut records = Vec::new();
        let mut bytes = 0;
        while let Some(record) = self.records.front()
            && records.len() < mapping.settings.batch_size as usize
            && (records.is_empty() || bytes + record.bytes() <= Batch::MAX_BYTES)
        {
            bytes += record.bytes();
            records.extend(self.records.pop_front());
        }
        self.bytes -= bytes;
        if self.records.is_empty() {
            self.since = None;
        }
        (!records.is_empty()).then_some((Batch { records }, since))
    }
}
