//! The store as it will be once a batch in the making is committed, so that several changes of one
//! batch may be about one key.

use std::collections::BTreeMap;
use std::ops::Bound;

use async_trait::async_trait;
use bytes::Bytes;
use store::{Batch, Entry, Op, Reader, Scan, Store, StoreError};

pub struct Overlay<'a> {
    store: &'a dyn Store,
    /// What the batch does to a key: `None` when it deletes it.
    pending: BTreeMap<Bytes, Option<Bytes>>,
    /// How many of the batch's changes are in `pending`.
    seen: usize,
}

impl<'a> Overlay<'a> {
    pub fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            pending: BTreeMap::new(),
            seen: 0,
        }
    }

    /// Takes in what has been added to the batch since the last call.
    pub fn absorb(&mut self, batch: &Batch) {
        for op in &batch.ops()[self.seen..] {
            match op {
                Op::Put { key, value } => self.pending.insert(key.clone(), Some(value.clone())),
                Op::Delete { key } => self.pending.insert(key.clone(), None),
                Op::DeleteRange { .. } => unreachable!("changes of objects delete no ranges"),
            };
        }
        self.seen = batch.ops().len();
    }
}

#[async_trait]
impl Reader for Overlay<'_> {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        match self.pending.get(key) {
            Some(pending) => Ok(pending.clone()),
            None => self.store.get(key).await,
        }
    }

    /// Forwards only: nobody here reads backwards.
    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, StoreError> {
        if scan.is_empty() {
            return Ok(Vec::new());
        }
        let limit = scan.limit;
        let bounds = (scan.start.clone(), scan.end.clone());
        let pending: Vec<_> = self
            .pending
            .range::<[u8], _>((as_slice(&bounds.0), as_slice(&bounds.1)))
            .collect();
        // As many more as may be deleted.
        let enough = limit.saturating_add(pending.len());
        let stored = self.store.scan(scan.limit(enough)).await?;
        if pending.is_empty() {
            return Ok(stored);
        }
        let mut merged: BTreeMap<Bytes, Bytes> = stored
            .into_iter()
            .map(|entry| (entry.key, entry.value))
            .collect();
        for (key, value) in pending {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        let entries = merged.into_iter().take(limit);
        Ok(entries.map(|(key, value)| Entry { key, value }).collect())
    }
}

fn as_slice(bound: &Bound<Bytes>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use store::MemoryStore;

    use super::*;

    type Changes = Vec<(u8, Option<u8>)>;

    fn batch(changes: &Changes) -> Batch {
        let mut batch = Batch::new();
        for (key, value) in changes {
            match value {
                Some(value) => batch.put(vec![*key], vec![*value]),
                None => batch.delete(vec![*key]),
            };
        }
        batch
    }

    async fn same(first: Changes, second: Changes, from: u8, limit: usize) -> bool {
        let (before, after) = (MemoryStore::new(), MemoryStore::new());
        before.commit(batch(&first)).await.unwrap();
        after.commit(batch(&first)).await.unwrap();
        after.commit(batch(&second)).await.unwrap();
        let mut overlay = Overlay::new(&before);
        overlay.absorb(&batch(&second));
        let scan = Scan::range(vec![from], vec![u8::MAX]).limit(limit);
        let scanned = overlay.scan(scan.clone()).await.unwrap();
        let got = overlay.get(&[from]).await.unwrap();
        scanned == after.scan(scan).await.unwrap() && got == after.get(&[from]).await.unwrap()
    }

    proptest! {
        #[test]
        fn it_reads_as_the_store_will(
            first in prop::collection::vec((0..9_u8, prop::option::of(any::<u8>())), 0..12),
            second in prop::collection::vec((0..9_u8, prop::option::of(any::<u8>())), 0..12),
            from in 0..9_u8,
            limit in 0..9_usize,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            prop_assert!(runtime.block_on(same(first, second, from, limit)));
        }
    }
}
