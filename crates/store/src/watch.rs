//! Waking those who wait for keys to change.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::scan::{prefix_end, range_is_empty};
use crate::{Batch, Op};

/// Wakes after commits that touch a prefix. Made by [`Store::watch`](crate::Store::watch).
///
/// Make the watch first and read afterwards: a commit between the two then wakes it. Several
/// commits may wake it once.
#[derive(Debug)]
pub struct Watch {
    changes: watch::Receiver<()>,
    prefix: Bytes,
    watchers: Watchers,
}

impl Watch {
    /// Returns once a commit has touched the prefix since the watch was made or this last
    /// returned. May be dropped and called again without losing a wake-up.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            // The sender lives in `self.watchers` for as long as a receiver does.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watchers.forget(&self.prefix);
    }
}

/// The prefixes that are watched, kept by length: a key meets a watcher in one look-up a length.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watchers {
    by_length: Arc<Mutex<ByLength>>,
}

type ByLength = BTreeMap<usize, HashMap<Bytes, watch::Sender<()>>>;

impl Watchers {
    pub(crate) fn watch(&self, prefix: &[u8]) -> Watch {
        let prefix = Bytes::copy_from_slice(prefix);
        let mut by_length = self.by_length.lock();
        let same_length = by_length.entry(prefix.len()).or_default();
        let sender = same_length
            .entry(prefix.clone())
            .or_insert_with(|| watch::channel(()).0);
        Watch {
            changes: sender.subscribe(),
            prefix,
            watchers: self.clone(),
        }
    }

    /// Wakes whoever watches a key that the batch touches.
    pub(crate) fn wake(&self, batch: &Batch) {
        let by_length = self.by_length.lock();
        if by_length.is_empty() {
            return;
        }
        for op in batch.ops() {
            match op {
                Op::Put { key, .. } | Op::Delete { key } => wake_key(&by_length, key),
                Op::DeleteRange { start, end } => wake_range(&by_length, start, end),
            }
        }
    }

    /// Drops the entry of `prefix` with its last watch, which is the one being dropped.
    fn forget(&self, prefix: &Bytes) {
        let mut by_length = self.by_length.lock();
        let Some(same_length) = by_length.get_mut(&prefix.len()) else {
            return;
        };
        if same_length
            .get(prefix)
            .is_some_and(|sender| sender.receiver_count() <= 1)
        {
            same_length.remove(prefix);
        }
        if same_length.is_empty() {
            by_length.remove(&prefix.len());
        }
    }
}

fn wake_key(by_length: &ByLength, key: &[u8]) {
    for (length, prefixes) in by_length.range(..=key.len()) {
        if let Some(sender) = prefixes.get(&key[..*length]) {
            sender.send_replace(());
        }
    }
}

fn wake_range(by_length: &ByLength, start: &Bound<Bytes>, end: &Bound<Bytes>) {
    for (prefix, sender) in by_length.values().flatten() {
        let prefix_end = prefix_end(prefix).map_or(Bound::Unbounded, Bound::Excluded);
        let prefix_start = Bound::Included(prefix.clone());
        if !range_is_empty(&prefix_start, end) && !range_is_empty(start, &prefix_end) {
            sender.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn is_awake(watch: &mut Watch) -> bool {
        tokio::time::timeout(Duration::ZERO, watch.changed())
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn only_the_prefixes_of_a_key_wake() {
        let watchers = Watchers::default();
        let mut whole = watchers.watch(b"");
        let mut short = watchers.watch(b"a");
        let mut long = watchers.watch(b"a/b/c");
        let mut other = watchers.watch(b"b");
        let mut batch = Batch::new();
        batch.put("a/b", "1");
        watchers.wake(&batch);
        assert!(is_awake(&mut whole).await);
        assert!(is_awake(&mut short).await);
        assert!(!is_awake(&mut long).await);
        assert!(!is_awake(&mut other).await);
        assert!(!is_awake(&mut short).await, "one commit wakes once");
    }

    #[tokio::test]
    async fn a_deleted_range_wakes_those_it_overlaps() {
        let watchers = Watchers::default();
        let mut inside = watchers.watch(b"a/5");
        let mut outside = watchers.watch(b"b");
        let mut batch = Batch::new();
        batch.delete_prefix("a/");
        watchers.wake(&batch);
        assert!(is_awake(&mut inside).await);
        assert!(!is_awake(&mut outside).await);
    }

    #[test]
    fn a_dropped_watch_leaves_nothing_behind() {
        let watchers = Watchers::default();
        let first = watchers.watch(b"a");
        let second = watchers.watch(b"a");
        drop(first);
        assert_eq!(watchers.by_length.lock().len(), 1);
        drop(second);
        assert!(watchers.by_length.lock().is_empty());
    }
}
