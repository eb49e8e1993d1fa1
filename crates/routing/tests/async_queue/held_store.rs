//! A store on a slow disk: commits wait until the test lets them through, or fails them; or they are
//! there for all to read long before their writer knows.

use async_trait::async_trait;
use bytes::Bytes;
use store::{
    Batch, Entry, MemoryStore, Reader, Scan, Snapshot, Store, StoreError, Watch as KeyWatch,
};
use tokio::sync::watch;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    Works,
    Holds,
    Fails,
    TellsLate,
}

pub struct HeldStore {
    inner: MemoryStore,
    disk: watch::Sender<Disk>,
}

impl HeldStore {
    pub fn new() -> Self {
        Self {
            inner: MemoryStore::new(),
            disk: watch::channel(Disk::Works).0,
        }
    }

    pub fn set(&self, disk: Disk) {
        self.disk.send_replace(disk);
    }
}

#[async_trait]
impl Reader for HeldStore {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.inner.get(key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, StoreError> {
        self.inner.scan(scan).await
    }
}

#[async_trait]
impl Store for HeldStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.inner.snapshot().await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let mut disk = self.disk.subscribe();
        let own = "the sender is self's own";
        let now = *disk.wait_for(|disk| *disk != Disk::Holds).await.expect(own);
        if now == Disk::Fails {
            return Err(StoreError::Full);
        }
        let outcome = self.inner.commit(batch).await;
        if now == Disk::TellsLate {
            let late = disk.wait_for(|disk| *disk != Disk::TellsLate);
            late.await.expect(own);
        }
        outcome
    }

    fn watch(&self, prefix: &[u8]) -> KeyWatch {
        self.inner.watch(prefix)
    }
}
