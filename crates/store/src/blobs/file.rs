//! A file a blob, spread over 256 directories.
//!
//! ```text
//! lock       held while the store is open
//! opening    how often it has been opened, in decimal
//! temporary/ blobs being written; emptied at every opening
//! 00 .. ff/  finished blobs by the first random byte of their id, directories made as needed
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use super::reader::FileReader;
use super::writer::FileWriter;
use super::{BlobId, BlobReader, BlobWriter, Blobs};
use crate::StoreError;
use crate::embedded::sync_directory;
use crate::lock::DirectoryLock;

const TEMPORARY: &str = "temporary";
const OPENING: &str = "opening";

/// Blobs in files under one directory, held by one process.
#[derive(Debug)]
pub struct FileBlobs {
    shelf: Arc<Shelf>,
}

/// Where the files lie, and whether they must survive.
#[derive(Debug)]
pub(super) struct Shelf {
    root: PathBuf,
    opening: u32,
    durable: bool,
    // Held, not read. The lock is given up before the directory goes.
    _lock: DirectoryLock,
    _temporary: Option<tempfile::TempDir>,
}

impl FileBlobs {
    /// Opens the blobs in `dir`, which is created when missing, and removes what unfinished
    /// writes left. Blocks for milliseconds.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process has it open.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::on(created(dir.as_ref())?, true, None)
    }

    /// The same for what need not survive: nothing is synced.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub fn open_unsynced(dir: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::on(created(dir.as_ref())?, false, None)
    }

    /// Blobs in a new directory under the system's temporary one, removed when the last reader
    /// and writer are gone: for tests. Nothing is synced.
    pub fn temporary() -> Result<Self, StoreError> {
        let dir = tempfile::Builder::new()
            .prefix("blobs-")
            .tempdir()
            .map_err(|error| StoreError::io("create a directory for ephemeral blobs", error))?;
        Self::on(dir.path().to_owned(), false, Some(dir))
    }

    fn on(
        root: PathBuf,
        durable: bool,
        temporary: Option<tempfile::TempDir>,
    ) -> Result<Self, StoreError> {
        let lock = DirectoryLock::take(&root)?;
        let unfinished = root.join(TEMPORARY);
        fs::remove_dir_all(&unfinished)
            .or_else(unless_missing)
            .and_then(|()| fs::create_dir(&unfinished))
            .map_err(|error| StoreError::io("sweep unfinished blobs", error))?;
        let opening = count_opening(&root, durable)?;
        let shelf = Shelf {
            root,
            opening,
            durable,
            _lock: lock,
            _temporary: temporary,
        };
        Ok(Self {
            shelf: Arc::new(shelf),
        })
    }
}

fn created(dir: &Path) -> Result<PathBuf, StoreError> {
    fs::create_dir_all(dir)
        .map_err(|error| StoreError::io("create the blobs' directory", error))?;
    Ok(dir.to_owned())
}

/// Counts this opening, durably: a number used twice would let a sweep miss orphans.
fn count_opening(root: &Path, durable: bool) -> Result<u32, StoreError> {
    let path = root.join(OPENING);
    let before: u32 = match fs::read_to_string(&path) {
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|_| StoreError::corrupt("the blobs' opening count is not a number"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(StoreError::io("read the blobs' opening count", error)),
    };
    let opening = before
        .checked_add(1)
        .ok_or_else(|| StoreError::corrupt("the blobs' opening count is at its end"))?;
    let next = root.join(TEMPORARY).join(OPENING);
    let write = || {
        let mut file = File::create_new(&next)?;
        writeln!(file, "{opening}")?;
        if durable {
            file.sync_all()?;
        }
        fs::rename(&next, &path)
    };
    write().map_err(|error| StoreError::io("write the blobs' opening count", error))?;
    if durable {
        sync_directory(root)?;
        if let Some(parent) = root
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            sync_directory(parent)?;
        }
    }
    Ok(opening)
}

impl Shelf {
    pub(super) fn new_id(&self) -> BlobId {
        BlobId::random(self.opening)
    }

    pub(super) fn durable(&self) -> bool {
        self.durable
    }

    pub(super) fn unfinished(&self, id: &BlobId) -> PathBuf {
        self.root.join(TEMPORARY).join(id.to_string())
    }

    fn shard(&self, shard: u8) -> PathBuf {
        self.root.join(format!("{shard:02x}"))
    }

    pub(super) fn finished(&self, id: &BlobId) -> PathBuf {
        self.shard(id.shard()).join(id.to_string())
    }

    /// Moves a written, synced file to its place, durably.
    pub(super) fn shelve(&self, id: &BlobId) -> Result<(), StoreError> {
        let (from, to) = (self.unfinished(id), self.finished(id));
        let shard = self.shard(id.shard());
        let place = match fs::rename(&from, &to) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::create_dir_all(&shard)
                .and_then(|()| {
                    if self.durable {
                        File::open(&self.root)?.sync_all()?;
                    }
                    fs::rename(&from, &to)
                }),
            other => other,
        };
        place.map_err(|error| StoreError::io("put a blob in its place", error))?;
        if self.durable {
            sync_directory(&shard)?;
        }
        Ok(())
    }

    /// Ids in shard order, then in that of the ids.
    fn list_earlier(&self, after: Option<BlobId>, limit: usize) -> io::Result<Vec<BlobId>> {
        let mut found = Vec::new();
        for shard in after.map_or(0, |id| id.shard())..=u8::MAX {
            if found.len() >= limit {
                break;
            }
            let mut ids = self.ids_of(shard)?;
            ids.retain(|id| {
                id.opening() < self.opening
                    && after.is_none_or(|after| id.shard() > after.shard() || *id > after)
            });
            ids.sort_unstable();
            found.extend(ids);
        }
        found.truncate(limit);
        Ok(found)
    }

    fn ids_of(&self, shard: u8) -> io::Result<Vec<BlobId>> {
        let entries = match fs::read_dir(self.shard(shard)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut ids = Vec::new();
        for entry in entries {
            if let Some(id) = entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok())
            {
                ids.push(id);
            }
        }
        Ok(ids)
    }
}

#[async_trait]
impl Blobs for FileBlobs {
    async fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        Ok(Box::new(FileWriter::new(Arc::clone(&self.shelf))))
    }

    async fn open(&self, id: &BlobId) -> Result<Box<dyn BlobReader>, StoreError> {
        let (shelf, id) = (Arc::clone(&self.shelf), *id);
        let reader = blocking(move || FileReader::open(&shelf, id)).await?;
        Ok(Box::new(reader))
    }

    async fn delete(&self, id: &BlobId) -> Result<(), StoreError> {
        let path = self.shelf.finished(id);
        blocking(move || {
            fs::remove_file(path)
                .or_else(unless_missing)
                .map_err(|error| StoreError::io("delete a blob", error))
        })
        .await
    }

    async fn list_earlier(
        &self,
        after: Option<&BlobId>,
        limit: usize,
    ) -> Result<Vec<BlobId>, StoreError> {
        let (shelf, after) = (Arc::clone(&self.shelf), after.copied());
        blocking(move || {
            shelf
                .list_earlier(after, limit)
                .map_err(|error| StoreError::io("list blobs", error))
        })
        .await
    }

    fn local_path(&self, id: &BlobId) -> Option<PathBuf> {
        Some(self.shelf.finished(id))
    }
}

fn unless_missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(error)
    }
}

/// Runs file work on a thread that may block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| StoreError::Closed)?
}
