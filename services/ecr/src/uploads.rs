//! Layers on their way in. What has arrived of one is in a blob that nobody can see yet; an upload
//! does not outlive the server, and clients begin again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use service::ServiceError;
use sha2::{Digest as _, Sha256};
use store::{BlobId, BlobWriter, Blobs, StoreError};

use crate::error;
use crate::records::RepositoryId;
use oci::Digest;

/// Uploads at once; each may hold a megabyte in memory.
const MOST: usize = 512;
/// One that nothing was heard of for this long is given up.
const IDLE: Duration = Duration::from_hours(1);

#[derive(Default)]
pub struct Uploads(Mutex<HashMap<String, Arc<Upload>>>);

/// One layer on its way.
pub struct Upload {
    pub repository: RepositoryId,
    pub id: String,
    pub receiving: tokio::sync::Mutex<Receiving>,
    heard_of: Mutex<Instant>,
}

/// What has arrived so far.
pub struct Receiving {
    writer: Box<dyn BlobWriter>,
    hash: Sha256,
    bytes: u64,
    /// Of ECR's own operations: whether a part was short, which only the last may be.
    pub had_short_part: Option<u64>,
    /// A write failed: what has arrived is no more the beginning of anything.
    failed: bool,
}

impl Uploads {
    /// Begins an upload.
    pub async fn begin(
        &self,
        repository: RepositoryId,
        blobs: &dyn Blobs,
    ) -> Result<Arc<Upload>, ServiceError> {
        let writer = blobs.create().await;
        let writer = writer.map_err(|error| error::unavailable(&error))?;
        let upload = Arc::new(Upload {
            repository,
            id: uuid::Uuid::new_v4().to_string(),
            receiving: tokio::sync::Mutex::new(Receiving {
                writer,
                hash: Sha256::new(),
                bytes: 0,
                had_short_part: None,
                failed: false,
            }),
            heard_of: Mutex::new(Instant::now()),
        });
        let mut open = self.0.lock();
        open.retain(|_, upload| {
            Arc::strong_count(upload) > 1 || upload.heard_of.lock().elapsed() < IDLE
        });
        if open.len() >= MOST {
            return Err(error::too_many_uploads());
        }
        open.insert(upload.id.clone(), Arc::clone(&upload));
        Ok(upload)
    }

    /// One of a repository's uploads.
    pub fn find(&self, repository: &RepositoryId, id: &str) -> Option<Arc<Upload>> {
        let upload = Arc::clone(self.0.lock().get(id)?);
        *upload.heard_of.lock() = Instant::now();
        (upload.repository == *repository).then_some(upload)
    }

    /// Takes it away: it is finished, or given up.
    pub fn remove(&self, id: &str) {
        let removed = self.0.lock().remove(id);
        drop(removed);
    }

    /// Gives up those into a repository that is being deleted.
    pub fn remove_all(&self, repository: &RepositoryId) {
        let mut open = self.0.lock();
        open.retain(|_, upload| upload.repository != *repository);
    }
}

impl Receiving {
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub async fn add(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Closed);
        }
        self.failed = true;
        self.hash.update(&chunk);
        let length = chunk.len() as u64;
        self.writer.write(chunk).await?;
        self.bytes += length;
        self.failed = false;
        Ok(())
    }

    /// What its content is called so far.
    pub fn digest(&self) -> Digest {
        Digest::finish(self.hash.clone())
    }

    /// Makes what has arrived a blob. Nothing can be added afterwards.
    pub async fn finish(&mut self, blobs: &dyn Blobs) -> Result<BlobId, StoreError> {
        if std::mem::replace(&mut self.failed, true) {
            return Err(StoreError::Closed);
        }
        let empty = blobs.create().await?;
        std::mem::replace(&mut self.writer, empty).finish().await
    }
}
