//! Reads beside the writer: a pool of connections, and snapshots.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use rusqlite::Connection;

use super::connection::{self, classify, open_reader};
use crate::lock::DirectoryLock;
use crate::{Entry, Reader, Scan, Snapshot, StoreError};

/// Connections kept open while nobody reads; each may hold a mebibyte of cache.
const MAX_IDLE: usize = 4;
/// Scans of up to this many entries run on the calling thread: a hop to another costs more.
const SHORT_SCAN: usize = 128;

#[derive(Debug)]
pub(super) struct Readers {
    dir: PathBuf,
    idle: Mutex<Vec<Connection>>,
    _lock: DirectoryLock,
}

impl Readers {
    /// The lock is held as long as any reader may still have the files open.
    pub(super) fn new(dir: &Path, lock: DirectoryLock) -> Self {
        Self {
            dir: dir.to_owned(),
            idle: Mutex::default(),
            _lock: lock,
        }
    }

    pub(super) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let connection = self.take()?;
        let result = read(&connection);
        self.give_back(connection);
        result
    }

    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.idle.lock().pop();
        idle.map_or_else(|| open_reader(&self.dir), Ok)
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock();
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }
}

/// Runs a scan where its length allows: here, or on a thread that may block.
pub(super) async fn run(
    scan: Scan,
    read: impl FnOnce(&Scan) -> Result<Vec<Entry>, StoreError> + Send + 'static,
) -> Result<Vec<Entry>, StoreError> {
    if scan.limit <= SHORT_SCAN {
        return read(&scan);
    }
    tokio::task::spawn_blocking(move || read(&scan))
        .await
        .map_err(|_| StoreError::Closed)?
}

/// A snapshot: a connection within a read transaction.
#[derive(Clone)]
pub(super) struct View(Arc<OpenView>);

struct OpenView {
    /// Taken only on drop.
    connection: Mutex<Option<Connection>>,
    readers: Arc<Readers>,
}

impl View {
    pub(super) fn begin(readers: &Arc<Readers>) -> Result<Self, StoreError> {
        let connection = readers.take()?;
        // The view is fixed by the first read, not by BEGIN.
        connection
            .execute_batch("BEGIN; SELECT 1 FROM entries LIMIT 1")
            .map_err(|error| classify("begin a snapshot", error))?;
        let connection = Mutex::new(Some(connection));
        Ok(Self(Arc::new(OpenView {
            connection,
            readers: Arc::clone(readers),
        })))
    }

    fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.0
            .connection
            .lock()
            .as_ref()
            .map_or(Err(StoreError::Closed), read)
    }
}

impl Drop for OpenView {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.get_mut().take()
            && connection.execute_batch("COMMIT").is_ok()
        {
            self.readers.give_back(connection);
        }
    }
}

impl Snapshot for View {}

#[async_trait]
impl Reader for View {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.with(|connection| connection::get(connection, key))
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, StoreError> {
        let view = self.clone();
        run(scan, move |scan| {
            view.with(|connection| connection::scan(connection, scan))
        })
        .await
    }
}
