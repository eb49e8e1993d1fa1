//! Where state is kept: a data directory, or memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use store::{Batch, Blobs, EmbeddedStore, FileBlobs, MemoryStore, Store};

use crate::config;
use crate::ephemeral::Folder;

/// Blobs listed at once.
const PAGE: usize = 1_000;

/// The stores that every composition of one server shares.
#[derive(Clone)]
pub struct State {
    pub store: Arc<dyn Store>,
    pub blobs: Arc<dyn Blobs>,
    /// For what must be files: unpacked code, bootstraps. Inside the data directory, or temporary.
    pub folder: PathBuf,
    /// Keeps a temporary folder until the server ends.
    _temporary: Option<Arc<Folder>>,
}

impl State {
    pub fn open(state: &config::State) -> anyhow::Result<Self> {
        match state {
            config::State::Directory(dir) => Self::in_directory(dir)
                .with_context(|| format!("open the data directory {}", dir.display())),
            config::State::Ephemeral => Self::ephemeral().context("make a temporary folder"),
        }
    }

    fn in_directory(dir: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        Ok(Self {
            store: Arc::new(EmbeddedStore::open(dir.join("store"))?),
            blobs: Arc::new(FileBlobs::open(dir.join("blobs"))?),
            folder: dir.to_owned(),
            _temporary: None,
        })
    }

    fn ephemeral() -> anyhow::Result<Self> {
        let folder = Folder::take()?;
        Ok(Self {
            store: Arc::new(MemoryStore::new()),
            blobs: Arc::new(FileBlobs::open_unsynced(folder.path().join("blobs"))?),
            folder: folder.path().to_owned(),
            _temporary: Some(Arc::new(folder)),
        })
    }

    /// Removes every record, and the blobs of earlier runs. Blobs of this run that no record names
    /// any more are swept at the next start.
    pub async fn clear(&self) -> anyhow::Result<()> {
        let mut everything = Batch::new();
        everything.delete_prefix(Vec::new());
        self.store
            .commit(everything)
            .await
            .context("remove the records")?;
        let mut last = None;
        loop {
            let ids = self
                .blobs
                .list_earlier(last.as_ref(), PAGE)
                .await
                .context("list blobs")?;
            for id in &ids {
                self.blobs.delete(id).await.context("remove a blob")?;
            }
            match ids.last() {
                Some(id) => last = Some(*id),
                None => return Ok(()),
            }
        }
    }
}
