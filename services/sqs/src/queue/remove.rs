//! Deleting single messages, and all of them.

use std::sync::Arc;
use std::time::Duration;

use service::ServiceError;
use store::Batch;

use super::Queue;
use crate::completion::to_the_end;
use crate::domain::Fault;
use crate::domain::receipt::Receipt;
use crate::domain::sequence::Sequence;
use crate::error;

/// Between two purges of a queue.
const PURGE_INTERVAL: Duration = Duration::from_mins(1);
/// Messages deleted in one batch by a purge.
const PURGE_BATCH: usize = 5_000;

impl Queue {
    /// Deletes messages by their receipts. Returns, once it is durable, what became of each: a
    /// message that is already gone counts as deleted.
    pub async fn delete(
        self: &Arc<Self>,
        handles: &[String],
    ) -> Result<Vec<Result<(), ServiceError>>, ServiceError> {
        self.loaded().await?;
        let mut leaving = Vec::with_capacity(handles.len());
        let mut repeats = Vec::new();
        let mut outcomes: Vec<_> = self.with_contents(|contents, _| {
            let mut begin = |(at, handle): (usize, &String)| {
                let receipt = Receipt::parse(handle, self.id)?;
                let begun = contents
                    .backlog
                    .begin_delete(receipt.sequence, receipt.receive);
                let is_there =
                    begun.map_err(|refused| Fault::parameter(handle, "ReceiptHandle", refused))?;
                if is_there {
                    leaving.push(receipt.sequence);
                } else if contents.backlog.is_undecided(receipt.sequence) {
                    repeats.push((at, receipt.sequence));
                }
                Ok(())
            };
            handles
                .iter()
                .enumerate()
                .map(|handle| begin(handle).map_err(|fault: Fault| fault.into()))
                .collect()
        });
        if !leaving.is_empty() {
            to_the_end(Arc::clone(self).delete_leaving(leaving)).await?;
        }
        for (at, sequence) in repeats {
            self.decided(sequence).await;
            if self.with_contents(|contents, _| contents.backlog.contains(sequence)) {
                outcomes[at] = Err(ServiceError::unavailable());
            }
        }
        Ok(outcomes)
    }

    /// Deletes every message that is there now. Nobody can receive them from the first moment;
    /// returns once all are durably gone.
    ///
    /// # Errors
    /// `PurgeQueueInProgress` within 60 seconds of the last purge, if `once_a_minute`.
    pub async fn purge(self: &Arc<Self>, once_a_minute: bool) -> Result<(), ServiceError> {
        self.loaded().await?;
        self.begin_purge(once_a_minute)?;
        let leaving = self.with_contents(|contents, _| contents.backlog.take_all_away());
        to_the_end({
            let queue = Arc::clone(self);
            async move {
                for part in leaving.chunks(PURGE_BATCH) {
                    Arc::clone(&queue).delete_leaving(part.to_vec()).await?;
                }
                Ok(())
            }
        })
        .await
    }

    fn begin_purge(&self, once_a_minute: bool) -> Result<(), ServiceError> {
        let now = self.shared.clock.now();
        let mut purged_at = self.purged_at.lock();
        if once_a_minute && purged_at.is_some_and(|at| at + PURGE_INTERVAL > now) {
            return Err(error::purge_in_progress(&self.name.name));
        }
        *purged_at = Some(now);
        Ok(())
    }

    async fn delete_leaving(self: Arc<Self>, leaving: Vec<Sequence>) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        for sequence in &leaving {
            self.delete_message(&mut batch, *sequence);
        }
        let deleted = self.shared.store.commit(batch).await;
        self.with_contents(|contents, _| {
            for sequence in &leaving {
                if deleted.is_ok() {
                    contents.backlog.remove(*sequence);
                } else {
                    contents.backlog.keep(*sequence);
                }
            }
        });
        self.decisions.notify_waiters();
        deleted.map_err(error::store_failed)
    }
}
