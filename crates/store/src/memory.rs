//! The store without a disk: for `--ephemeral` and for tests.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::RwLock;

use crate::scan::{range_is_empty, slice};
use crate::watch::Watchers;
use crate::{Batch, Entry, Op, Reader, Scan, Snapshot, Store, StoreError, Watch};

type Entries = BTreeMap<Bytes, Bytes>;

/// Everything in memory, gone with the value. Clones share one state.
///
/// Behaves as every backend does, but that nothing is durable. A commit while a snapshot is held
/// copies the index, though not the values.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    entries: Arc<RwLock<Arc<Entries>>>,
    watchers: Watchers,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn view(&self) -> View {
        View(Arc::clone(&self.entries.read()))
    }
}

struct View(Arc<Entries>);

impl Snapshot for View {}

#[async_trait]
impl Reader for View {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.0.get(key).cloned())
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, StoreError> {
        Ok(collect(&self.0, &scan))
    }
}

#[async_trait]
impl Reader for MemoryStore {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        Ok(self.entries.read().get(key).cloned())
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, StoreError> {
        Ok(collect(&self.entries.read(), &scan))
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(self.view()))
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check_sizes()?;
        {
            let mut entries = self.entries.write();
            check(&entries, &batch)?;
            apply(Arc::make_mut(&mut entries), &batch);
        }
        self.watchers.wake(&batch);
        Ok(())
    }

    fn watch(&self, prefix: &[u8]) -> Watch {
        self.watchers.watch(prefix)
    }
}

fn collect(entries: &Entries, scan: &Scan) -> Vec<Entry> {
    if scan.is_empty() {
        return Vec::new();
    }
    let entry = |(key, value): (&Bytes, &Bytes)| Entry {
        key: key.clone(),
        value: value.clone(),
    };
    let range = entries.range::<[u8], _>(scan.bounds());
    if scan.reverse {
        range.rev().take(scan.limit).map(entry).collect()
    } else {
        range.take(scan.limit).map(entry).collect()
    }
}

fn check(entries: &Entries, batch: &Batch) -> Result<(), StoreError> {
    let broken = batch
        .expectations()
        .iter()
        .find(|e| entries.get(&e.key) != e.value.as_ref());
    match broken {
        Some(expectation) => Err(StoreError::Conflict {
            key: expectation.key.clone(),
        }),
        None => Ok(()),
    }
}

fn apply(entries: &mut Entries, batch: &Batch) {
    for op in batch.ops() {
        match op {
            Op::Put { key, value } => {
                entries.insert(key.clone(), value.clone());
            }
            Op::Delete { key } => {
                entries.remove(key);
            }
            Op::DeleteRange { start, end } => delete_range(entries, start, end),
        }
    }
}

fn delete_range(entries: &mut Entries, start: &Bound<Bytes>, end: &Bound<Bytes>) {
    if range_is_empty(start, end) {
        return;
    }
    let doomed: Vec<Bytes> = entries
        .range::<[u8], _>((slice(start), slice(end)))
        .map(|(key, _)| key.clone())
        .collect();
    for key in doomed {
        entries.remove(&key);
    }
}
