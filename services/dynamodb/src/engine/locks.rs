//! One lock a key: writes to one item take turns, writes to others do not wait.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Keys are spread over this many maps.
const SHARDS: usize = 64;

/// Who takes a lock. A write that meets a transaction's lock is refused; what meets a plain
/// write's waits, since that is over as soon as it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    Write,
    Transaction,
    /// Waits for whoever holds the lock.
    Patient,
}

/// The key is held by a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conflict;

#[derive(Default)]
pub struct Locks {
    shards: Vec<Mutex<HashMap<Bytes, Arc<Entry>>>>,
}

#[derive(Default)]
struct Entry {
    turn: Arc<AsyncMutex<()>>,
    by_transaction: AtomicBool,
}

/// A lock, let go of on drop.
pub struct Held {
    locks: Arc<Locks>,
    key: Bytes,
    entry: Option<(Arc<Entry>, OwnedMutexGuard<()>)>,
}

impl Locks {
    pub fn new() -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Arc::new(Self { shards })
    }

    pub async fn take(self: &Arc<Self>, key: Bytes, holder: Holder) -> Result<Held, Conflict> {
        let entry = Arc::clone(self.shard(&key).lock().entry(key.clone()).or_default());
        let free = Arc::clone(&entry.turn).try_lock_owned();
        let turn = match free {
            Ok(turn) => turn,
            Err(_) if holder != Holder::Patient && entry.by_transaction.load(Ordering::Acquire) => {
                self.forget(&key, entry);
                return Err(Conflict);
            }
            Err(_) => Arc::clone(&entry.turn).lock_owned().await,
        };
        entry
            .by_transaction
            .store(holder == Holder::Transaction, Ordering::Release);
        Ok(Held {
            locks: Arc::clone(self),
            key,
            entry: Some((entry, turn)),
        })
    }

    fn shard(&self, key: &[u8]) -> &Mutex<HashMap<Bytes, Arc<Entry>>> {
        // The last bytes differ most: keys begin with their table's name.
        let sum = key.iter().rev().take(24).fold(0_usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
        });
        &self.shards[sum % SHARDS]
    }

    /// Drops an entry from the map once nobody else has it.
    fn forget(&self, key: &Bytes, entry: Arc<Entry>) {
        let mut shard = self.shard(key).lock();
        drop(entry);
        if shard
            .get(key)
            .is_some_and(|entry| Arc::strong_count(entry) == 1)
        {
            shard.remove(key);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some((entry, turn)) = self.entry.take() {
            entry.by_transaction.store(false, Ordering::Release);
            drop(turn);
            self.locks.forget(&self.key, entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn writes_wait_for_writes_and_are_refused_by_transactions() {
        let locks = Locks::new();
        let key = || Bytes::from_static(b"k");
        let first = locks.take(key(), Holder::Write).await.ok().unwrap();
        let mut second = Box::pin(locks.take(key(), Holder::Transaction));
        let waits = tokio::select! { biased; _ = &mut second => false, () = tokio::task::yield_now() => true };
        assert!(waits);
        drop(first);
        let second = second.await.ok().unwrap();
        assert!(locks.take(key(), Holder::Write).await.is_err());
        assert!(locks.take(key(), Holder::Transaction).await.is_err());
        drop(second);
        assert!(locks.take(key(), Holder::Write).await.is_ok());
        assert!(locks.shards.iter().all(|shard| shard.lock().is_empty()));
    }
}
