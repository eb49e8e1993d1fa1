//! The conformance suite on each backend.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod conformance;

use std::path::PathBuf;
use std::sync::Arc;

use store::{EmbeddedStore, FileBlobs, MemoryStore, Store};

/// New directories under one that goes when the test ends.
struct Directories {
    root: tempfile::TempDir,
    next: std::cell::Cell<u32>,
}

impl Directories {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            next: 0.into(),
        }
    }

    fn next(&self) -> PathBuf {
        self.next.set(self.next.get() + 1);
        self.latest()
    }

    fn latest(&self) -> PathBuf {
        self.root.path().join(self.next.get().to_string())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_store() {
    conformance::run(|| Arc::new(MemoryStore::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_store() {
    let dirs = Directories::new();
    conformance::run(|| Arc::new(EmbeddedStore::open(dirs.next()).unwrap())).await;
}

#[test]
fn memory_store_follows_the_model() {
    conformance::model::run(256, || Arc::new(MemoryStore::new()), |store| store);
}

#[test]
fn embedded_store_follows_the_model() {
    let dirs = Directories::new();
    let reopen = |store: Arc<dyn Store>| -> Arc<dyn Store> {
        drop(store);
        Arc::new(EmbeddedStore::open(dirs.latest()).unwrap())
    };
    conformance::model::run(
        64,
        || Arc::new(EmbeddedStore::open(dirs.next()).unwrap()),
        reopen,
    );
}

#[tokio::test]
async fn file_blobs() {
    let dir = tempfile::tempdir().unwrap();
    conformance::blobs::run(&FileBlobs::open(dir.path()).unwrap()).await;
}

#[tokio::test]
async fn temporary_blobs() {
    conformance::blobs::run(&FileBlobs::temporary().unwrap()).await;
}
