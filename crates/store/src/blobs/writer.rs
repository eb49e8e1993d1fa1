//! Writing a blob's file.
//!
//! While one stretch goes to the file, the next one gathers: whoever sends the bytes waits for the
//! disk only when it is slower. Stretches begin their way to the disk as they are written, so that
//! the sync at the end finds little left to do.

use std::fs::{self, File};
use std::io::{IoSlice, Write};
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::fs::{Advice, fadvise};
use tokio::task::JoinHandle;

use super::file::{Shelf, blocking};
use super::{BlobId, BlobWriter};
use crate::StoreError;

/// Chunks gather up to this many bytes before they go to the file; a blob that is shorter needs
/// one hop to a blocking thread in all.
const GATHER_BYTES: usize = 1 << 20;
/// So many bytes are written before the kernel is asked to bring them to the disk.
const WRITE_BACK_BYTES: u64 = 4 << 20;

pub(super) struct FileWriter {
    shelf: Arc<Shelf>,
    id: BlobId,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
    progress: Progress,
}

enum Progress {
    /// Everything has fitted in memory so far.
    Unwritten,
    /// A stretch is being written, or has been.
    Writing(JoinHandle<Result<Unfinished, StoreError>>),
    Failed,
}

/// A file in the temporary directory, removed on drop unless it has moved to its place.
struct Unfinished {
    file: File,
    path: PathBuf,
    length: u64,
    /// The disk has been asked to take what comes before.
    sent_back: u64,
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
            progress: Progress::Unwritten,
        }
    }

    /// Waits for what is being written. Whatever goes wrong, the file goes with it.
    async fn settle(&mut self) -> Result<Option<Unfinished>, StoreError> {
        match std::mem::replace(&mut self.progress, Progress::Failed) {
            Progress::Unwritten => Ok(None),
            Progress::Writing(writing) => Ok(Some(writing.await.map_err(|_| StoreError::Closed)??)),
            Progress::Failed => Err(StoreError::Closed),
        }
    }

    /// Writes what has gathered.
    fn append(
        &mut self,
        file: Option<Unfinished>,
    ) -> impl FnOnce() -> Result<Unfinished, StoreError> + Send + use<> {
        let (shelf, id) = (Arc::clone(&self.shelf), self.id);
        let chunks = std::mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        move || {
            let mut file = match file {
                Some(file) => file,
                None => Unfinished::create(shelf.unfinished(&id))?,
            };
            file.append(&chunks)?;
            Ok(file)
        }
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
        let file = self.settle().await?;
        let append = self.append(file);
        let durable = self.shelf.durable();
        self.progress = Progress::Writing(tokio::task::spawn_blocking(move || {
            let mut file = append()?;
            if durable {
                file.send_back();
            }
            Ok(file)
        }));
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<BlobId, StoreError> {
        let (shelf, id) = (Arc::clone(&self.shelf), self.id);
        let file = self.settle().await?;
        let append = self.append(file);
        blocking(move || {
            let mut file = append()?;
            if shelf.durable() {
                file.file
                    .sync_all()
                    .map_err(|error| StoreError::io("sync a blob", error))?;
            }
            shelf.shelve(&id)?;
            file.moved = true;
            Ok(())
        })
        .await?;
        Ok(id)
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        // Removing a large file takes a while: not on a thread that others wait for. One that is
        // still being written goes when that has ended, on the thread that did it.
        if let Progress::Writing(writing) = std::mem::replace(&mut self.progress, Progress::Failed)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(writing));
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
            length: 0,
            sent_back: 0,
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
                Ok(written) => {
                    self.length += written as u64;
                    IoSlice::advance_slices(&mut rest, written);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(StoreError::io("write a blob", error)),
            }
        }
        Ok(())
    }

    /// Starts what has been written on its way to the disk, without waiting: Linux does that when
    /// told that pages are not needed soon, and drops none of them that are not there yet.
    fn send_back(&mut self) {
        let fresh = self.length - self.sent_back;
        if fresh < WRITE_BACK_BYTES {
            return;
        }
        // Only advice: the sync at the end is what counts.
        let _ = fadvise(
            &self.file,
            self.sent_back,
            NonZeroU64::new(fresh),
            Advice::DontNeed,
        );
        self.sent_back = self.length;
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
