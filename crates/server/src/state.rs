//! Where state is kept: a data directory, or memory.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use store::{Batch, Blobs, EmbeddedStore, FileBlobs, MemoryStore, Store};

use crate::config;
use crate::ephemeral::Folder;

/// Inside the data directory.
const STORE: &str = "store";

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
        keep_private(dir)?;
        Ok(Self {
            store: Arc::new(EmbeddedStore::open(dir.join(STORE))?),
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

/// Makes the data directory its owner's alone, for it holds secret keys, objects and messages as they
/// are. One that is there already, and has other things in it, stays open to whom it was.
fn keep_private(dir: &Path) -> io::Result<()> {
    if !dir.exists() {
        return DirBuilder::new().recursive(true).mode(0o700).create(dir);
    }
    let mode = fs::metadata(dir)?.permissions().mode() & 0o777;
    if mode & 0o700 == mode {
        return Ok(());
    }
    let is_ours = dir.join(STORE).exists() || fs::read_dir(dir)?.next().is_none();
    let closed = is_ours && fs::set_permissions(dir, Permissions::from_mode(mode & 0o700)).is_ok();
    if !closed {
        tracing::warn!(
            dir = %dir.display(),
            "other users of this machine can read the data directory, and the secrets in it; \
             `chmod 700` closes it"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_data_directory_is_its_owners_alone() {
        let parent = tempfile::tempdir().unwrap();
        let new = parent.path().join("a/b");
        keep_private(&new).unwrap();
        assert_eq!(mode(&new), 0o700);

        // Of an earlier version.
        fs::create_dir(new.join(STORE)).unwrap();
        fs::set_permissions(&new, Permissions::from_mode(0o755)).unwrap();
        keep_private(&new).unwrap();
        assert_eq!(mode(&new), 0o700);

        let home = parent.path().join("home");
        fs::create_dir_all(home.join("documents")).unwrap();
        fs::set_permissions(&home, Permissions::from_mode(0o755)).unwrap();
        keep_private(&home).unwrap();
        assert_eq!(mode(&home), 0o755);
    }
}
