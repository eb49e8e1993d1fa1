//! Writing a blob's file.

use std::fs::{self, File};
use std::io::{IoSlice, Write};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use super::file::{Shelf, blocking};
use super::{BlobId, BlobWriter};
use crate::StoreError;

/// Chunks gather up to this many bytes before they go to the file; a blob that is shorter needs
/// one hop to a blocking thread in all.
const GATHER_BYTES: usize = 1 << 20;

pub(super) struct FileWriter {
    shelf: Arc<Shelf>,
    id: BlobId,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    /// Made by the first write that does not fit in memory. `None` after a failure, too.
    file: Option<Unfinished>,
    failed: bool,
}

/// A file in the temporary directory, removed on drop unless it has moved to its place.
struct Unfinished {
    file: File,
    path: PathBuf,
    moved: bool,
}

impl FileWriter {
    pub(super) fn new(shelf: Arc<Shelf>) -> Self {
        let id = shelf.new_id();
        Self {
            shelf,
            id,
            gathered: Vec::new(),
            gathered_bytes: 0,
            file: None,
            failed: false,
        }
    }

    /// Writes what has gathered, then does `more` on the same thread. Whatever goes wrong, the
    /// file goes with it.
    async fn flush<T: Send + 'static>(
        &mut self,
        more: impl FnOnce(&Shelf, &mut Unfinished) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if std::mem::replace(&mut self.failed, true) {
            return Err(StoreError::Closed);
        }
        let (shelf, file, id) = (Arc::clone(&self.shelf), self.file.take(), self.id);
        let chunks = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        let (file, result) = blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => Unfinished::create(shelf.unfinished(&id))?,
            };
            file.append(&chunks)?;
            let result = more(&shelf, &mut file)?;
            Ok((file, result))
        })
        .await?;
        self.file = Some(file);
        self.failed = false;
        Ok(result)
    }
}

#[async_trait]
impl BlobWriter for FileWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<(), StoreError> {
        self.gathered_bytes += chunk.len();
        self.gathered.push(chunk);
        if self.gathered_bytes < GATHER_BYTES {
            return Ok(());
        }
        self.flush(|_, _| Ok(())).await
    }

    async fn finish(mut self: Box<Self>) -> Result<BlobId, StoreError> {
        let id = self.id;
        self.flush(move |shelf, unfinished| {
            if shelf.durable() {
                unfinished
                    .file
                    .sync_all()
                    .map_err(|error| StoreError::io("sync a blob", error))?;
            }
            shelf.shelve(&id)?;
            unfinished.moved = true;
            Ok(())
        })
        .await?;
        Ok(id)
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        // Removing a large file takes a while: not on a thread that others wait for.
        if let (Some(file), Ok(runtime)) = (self.file.take(), tokio::runtime::Handle::try_current())
        {
            runtime.spawn_blocking(move || drop(file));
        }
    }
}

impl Unfinished {
    fn create(path: PathBuf) -> Result<Self, StoreError> {
        let file =
            File::create_new(&path).map_err(|error| StoreError::io("create a blob", error))?;
        Ok(Self {
            file,
            path,
            moved: false,
        })
    }

    fn append(&mut self, chunks: &[Bytes]) -> Result<(), StoreError> {
        let mut slices: Vec<_> = chunks.iter().map(|chunk| IoSlice::new(chunk)).collect();
        let mut rest = slices.as_mut_slice();
        // Skips empty chunks, which would read as "nothing could be written".
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match self.file.write_vectored(rest) {
                Ok(0) => {
                    let error = std::io::ErrorKind::WriteZero.into();
                    return Err(StoreError::io("write a blob", error));
                }
                Ok(written) => IoSlice::advance_slices(&mut rest, written),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::io("write a blob", error)),
            }
        }
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.moved
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "an abandoned blob stays");
        }
    }
}
