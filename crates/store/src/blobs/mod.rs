//! Content of any size under ids that the store chooses: function code, S3 objects.

mod file;
mod id;
mod reader;
mod writer;

use std::ops::Range;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;

pub use file::FileBlobs;
pub use id::{BlobId, InvalidBlobId};

use crate::StoreError;

/// A blob store. Blobs are written once, never changed, and named by records in a
/// [`Store`](crate::Store): write the blob, commit the record that names it, and on replacement
/// delete the old blob last. A crash in between leaves a blob that no record names;
/// [`list_earlier`](Self::list_earlier) finds those at the next start.
#[async_trait]
pub trait Blobs: Send + Sync + 'static {
    /// Begins a blob. Nothing of it is visible until [`BlobWriter::finish`].
    async fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError>;

    /// Opens a blob for reading. A reader outlives the blob's deletion.
    ///
    /// # Errors
    /// [`StoreError::BlobMissing`] when there is none of this id.
    async fn open(&self, id: &BlobId) -> Result<Box<dyn BlobReader>, StoreError>;

    /// Deletes a blob; one that does not exist is no error. The deletion may be undone by a power
    /// loss, which leaves a blob to sweep.
    async fn delete(&self, id: &BlobId) -> Result<(), StoreError>;

    /// Up to `limit` ids of blobs finished before this store was opened, in an order of the
    /// backend's own, from past `after`. Those that no record names are orphans, and nobody can
    /// come to name them.
    async fn list_earlier(
        &self,
        after: Option<&BlobId>,
        limit: usize,
    ) -> Result<Vec<BlobId>, StoreError>;

    /// The file that holds a blob, where the backend keeps one: to mount or map it, never to
    /// change it. `None` says nothing about whether the blob exists.
    fn local_path(&self, id: &BlobId) -> Option<PathBuf>;
}

/// A blob being written. Dropped without [`finish`](Self::finish), it leaves nothing.
#[async_trait]
pub trait BlobWriter: Send {
    /// Appends a chunk, which may be written while the next one is awaited.
    ///
    /// # Errors
    /// Why this chunk or an earlier one could not be written. Nothing can be appended after that.
    async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError>;

    /// Makes the blob durable and gives its id.
    async fn finish(self: Box<Self>) -> Result<BlobId, StoreError>;
}

/// An open blob. Reads are positioned: many can share one reader.
#[async_trait]
pub trait BlobReader: Send + Sync {
    /// Length in bytes.
    fn len(&self) -> u64;

    /// Whether the blob has no content.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes from `range.start`: at least one and at most `range.end - range.start`, as many
    /// as the backend finds convenient at once; none at or past the end of the blob or range.
    /// Call it again from where it ended.
    async fn read(&self, range: Range<u64>) -> Result<Bytes, StoreError>;
}
