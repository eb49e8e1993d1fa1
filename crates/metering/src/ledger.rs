//! Takes records without waiting, writes them in batches, reads the recent ones back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::{AccountId, Clock, Region, Timestamp};
use store::{Batch, Durability, Store, StoreError, Table};
use tokio::sync::{mpsc, oneshot};

use crate::Usage;

/// Longest time a record waits in memory.
pub const FLUSH_INTERVAL: Duration = Duration::from_millis(200);

/// Records that may wait; beyond, new ones are counted and dropped.
const MAX_WAITING: usize = 65_536;
/// Most records of one batch.
const BATCH: usize = 8_192;

/// Most records of one row, some 10 KB.
const ROW: usize = 32;

/// Records that ended in the same millisecond and were written together, as rows are what a write
/// costs. Key: account, region, function, end in milliseconds, request id of the first.
/// Version 1 was one record.
const USAGE: Table<Vec<Usage>> =
    Table::new("metering.usage", 2).migrated_by(|_version, one| Ok(vec![one].into()));

/// The usage ledger. One per server.
pub struct Ledger {
    store: Arc<dyn Store>,
    writer: mpsc::Sender<Message>,
    dropped: Arc<AtomicU64>,
}

enum Message {
    Record(Box<Usage>),
    /// Answered once all records sent before it are written.
    Flush(oneshot::Sender<()>),
}

impl Ledger {
    /// Starts the writer, which ends when the ledger is dropped. Needs a tokio runtime.
    pub fn start(store: Arc<dyn Store>, clock: Clock) -> Arc<Self> {
        let (writer, messages) = mpsc::channel(MAX_WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        tokio::spawn(write(
            Arc::clone(&store),
            clock,
            messages,
            Arc::clone(&dropped),
        ));
        Arc::new(Self {
            store,
            writer,
            dropped,
        })
    }

    /// Takes a record. Never waits.
    pub fn record(&self, usage: Usage) {
        if self
            .writer
            .try_send(Message::Record(Box::new(usage)))
            .is_err()
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The latest records of a function, newest first, those still waiting included.
    pub async fn recent(
        &self,
        account: AccountId,
        region: &Region,
        function: &str,
        limit: usize,
    ) -> Result<Vec<Usage>, StoreError> {
        self.flush().await;
        let function = (account.as_str(), region.as_str(), function);
        let page = USAGE
            .scan_reversed(&self.store, function, None, limit)
            .await?;
        let rows = page.rows.into_iter();
        let latest_first = rows.flat_map(|row| row.value.into_iter().rev());
        Ok(latest_first.take(limit).collect())
    }

    /// Returns once all records taken before are written.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.writer.send(Message::Flush(done)).await.is_ok() {
            // An error means the writer ended, and with it the server.
            let _ = written.await;
        }
    }
}

async fn write(
    store: Arc<dyn Store>,
    clock: Clock,
    mut messages: mpsc::Receiver<Message>,
    dropped: Arc<AtomicU64>,
) {
    let mut gathered = Vec::new();
    while messages.recv_many(&mut gathered, BATCH).await > 0 {
        let mut batch = Batch::new();
        batch.durability(Durability::Lazy);
        let (mut usages, mut flushes) = (Vec::new(), Vec::new());
        for message in gathered.drain(..) {
            match message {
                Message::Record(usage) => usages.push(*usage),
                Message::Flush(done) => flushes.push(done),
            }
        }
        for row in in_rows(usages) {
            put(&mut batch, &row);
        }
        if !batch.is_empty()
            && let Err(error) = store.commit(batch).await
        {
            tracing::warn!(%error, "write usage records; they are lost");
        }
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "usage records came faster than they could be written");
        }
        let asked_for = !flushes.is_empty();
        for done in flushes {
            // Whoever asked may have given up.
            let _ = done.send(());
        }
        if !asked_for {
            // Lets the next batch gather instead of writing records one by one.
            clock.sleep(FLUSH_INTERVAL).await;
        }
    }
}

/// Together what belongs into a row, in the order in which it came.
fn in_rows(mut usages: Vec<Usage>) -> Vec<Vec<Usage>> {
    fn place(usage: &Usage) -> (AccountId, &Region, &str, Timestamp) {
        (usage.account, &usage.region, &usage.function, usage.at)
    }
    usages.sort_by(|one, other| place(one).cmp(&place(other)));
    let mut rows: Vec<Vec<Usage>> = Vec::new();
    for usage in usages {
        match rows.last_mut() {
            Some(row) if row.len() < ROW && place(&row[0]) == place(&usage) => row.push(usage),
            _ => rows.push(vec![usage]),
        }
    }
    rows
}

fn put(batch: &mut Batch, row: &Vec<Usage>) {
    let Some(first) = row.first() else { return };
    let ended = u64::try_from(first.at.millis()).unwrap_or(0);
    let id = first.request_id.to_string();
    let (account, region) = (first.account.as_str(), first.region.as_str());
    let key = (account, region, first.function.as_str(), ended, id);
    if let Err(error) = USAGE.put(batch, key, row) {
        tracing::warn!(%error, lost = row.len(), "encode usage records; they are lost");
    }
}

#[cfg(test)]
mod tests {
    use base::RequestId;
    use store::MemoryStore;

    use super::*;

    fn usage(function: &str, at: i64) -> Usage {
        Usage {
            at: Timestamp::from_millis(at),
            account: AccountId::DEFAULT,
            region: Region::us_east_1(),
            function: function.to_owned(),
            version: "$LATEST".to_owned(),
            request_id: RequestId::random(),
            memory_mb: 128,
            max_memory_mb: None,
            cold: true,
            phases: crate::Phases::default(),
            billed_ms: 1,
            succeeded: true,
        }
    }

    #[tokio::test]
    async fn recent_records_of_one_function_newest_first() {
        let ledger = Ledger::start(Arc::new(MemoryStore::new()), Clock::system());
        for at in [3, 1, 2] {
            ledger.record(usage("f", at));
        }
        ledger.record(usage("ff", 9));
        let recent = ledger
            .recent(AccountId::DEFAULT, &Region::us_east_1(), "f", 2)
            .await
            .unwrap();
        assert_eq!(
            recent.iter().map(|one| one.at.millis()).collect::<Vec<_>>(),
            [3, 2]
        );
    }

    #[tokio::test]
    async fn records_of_one_instant_are_all_kept_and_counted_one_by_one() {
        let ledger = Ledger::start(Arc::new(MemoryStore::new()), Clock::system());
        for number in 0..100 {
            ledger.record(usage("f", 5 + i64::from(number >= 70)));
            ledger.record(usage("g", 5));
        }
        let recent = async |limit| {
            let (account, region) = (AccountId::DEFAULT, Region::us_east_1());
            ledger.recent(account, &region, "f", limit).await.unwrap()
        };
        let all = recent(1_000).await;
        assert_eq!(all.len(), 100);
        assert!(all.iter().all(|one| one.function == "f"));
        assert!(all.is_sorted_by_key(|one| std::cmp::Reverse(one.at)));
        let ids: std::collections::HashSet<_> = all.iter().map(|one| one.request_id).collect();
        assert_eq!(ids.len(), 100);
        for limit in [1, 30, 33, 99] {
            let some: Vec<_> = recent(limit).await.iter().map(|it| it.request_id).collect();
            let first: Vec<_> = all.iter().take(limit).map(|it| it.request_id).collect();
            assert_eq!(some, first);
        }
    }
}
