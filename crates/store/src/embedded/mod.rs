//! The durable store of one node: SQLite in WAL mode under one writer thread.
//!
//! Why SQLite and how it was measured: `docs/decisions/0002-embedded-engine.md`.

mod connection;
mod readers;
mod writer;

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::lock::DirectoryLock;
use crate::watch::Watchers;
use crate::{Batch, Entry, Reader, Scan, Snapshot, Store, StoreError, Watch};
use readers::{Readers, View};
use writer::Writer;

/// A durable store in one directory, held by one process.
///
/// Commits go to a writer thread that applies all that wait as one transaction with one sync.
/// Reads run beside it, each on its own connection; short ones on the calling thread.
/// Dropping the store makes lazy commits durable and blocks until that is done.
#[derive(Debug)]
pub struct EmbeddedStore {
    writer: Writer,
    readers: Arc<Readers>,
    watchers: Watchers,
}

impl EmbeddedStore {
    /// Opens the store in `dir`, which is created when missing, and recovers it after a crash.
    /// Blocks for milliseconds.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has it open, [`StoreError::Corrupt`] when
    /// `dir` holds something else, [`StoreError::Newer`] when a later version of the program
    /// wrote it.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        let dir = dir.as_ref();
        fs::create_dir_all(dir)
            .map_err(|error| StoreError::io("create the store's directory", error))?;
        let lock = DirectoryLock::take(dir)?;
        let connection = connection::open_writer(dir)?;
        // The files are there by now; their names must be as durable as what they hold.
        sync_directory(dir)?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_directory(parent)?;
        }
        let watchers = Watchers::default();
        let writer = Writer::start(connection, watchers.clone())?;
        Ok(Self {
            writer,
            readers: Arc::new(Readers::new(dir, lock)),
            watchers,
        })
    }
}

#[async_trait]
impl Reader for EmbeddedStore {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.readers
            .with(|connection| connection::get(connection, key))
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, StoreError> {
        let readers = Arc::clone(&self.readers);
        readers::run(scan, move |scan| {
            readers.with(|connection| connection::scan(connection, scan))
        })
        .await
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        Ok(Box::new(View::begin(&self.readers)?))
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check_sizes()?;
        self.writer.commit(batch).await
    }

    fn watch(&self, prefix: &[u8]) -> Watch {
        self.watchers.watch(prefix)
    }
}

/// Makes the names in a directory durable.
pub(crate) fn sync_directory(dir: &Path) -> Result<(), StoreError> {
    File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(|error| StoreError::io("sync a directory", error))
}
