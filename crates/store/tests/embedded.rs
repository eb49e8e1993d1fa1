//! What only a store on disk can get wrong: locks, foreign files, closing.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use store::{
    Batch, BlobId, Blobs, Durability, EmbeddedStore, FileBlobs, Reader, Scan, Store, StoreError,
};

async fn commit(store: &EmbeddedStore, key: &str, durability: Durability) {
    let mut batch = Batch::new();
    batch.put(key.to_owned(), "").durability(durability);
    store.commit(batch).await.unwrap();
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/store");
    let store = EmbeddedStore::open(&path).unwrap();
    commit(&store, "sync", Durability::Sync).await;
    commit(&store, "lazy", Durability::Lazy).await;
    let snapshot = store.snapshot().await.unwrap();
    drop(store);
    assert_eq!(
        snapshot.scan(Scan::all()).await.unwrap().len(),
        2,
        "outlives the store"
    );
    drop(snapshot);
    let store = EmbeddedStore::open(&path).unwrap();
    assert_eq!(store.scan(Scan::all()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_a_crash_left_of_a_creation_does_not_get_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["store.new", "store.new-wal", "store.db-wal", "store.db-shm"] {
        fs::write(dir.path().join(name), [7; 5_000]).unwrap();
    }
    let store = EmbeddedStore::open(dir.path()).unwrap();
    assert!(store.scan(Scan::all()).await.unwrap().is_empty());
    commit(&store, "a", Durability::Sync).await;
    drop(store);
    assert!(!dir.path().join("store.new").exists());
    let store = EmbeddedStore::open(dir.path()).unwrap();
    assert_eq!(store.scan(Scan::all()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_second_opening_is_refused_with_the_pid() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(dir.path()).unwrap();
    let error = EmbeddedStore::open(dir.path()).unwrap_err();
    let this = std::process::id();
    assert!(matches!(&error, StoreError::Locked { pid: Some(pid), .. } if *pid == this));
    assert!(
        error.to_string().contains(&format!("pid {this}")),
        "{error}"
    );
    drop(store);
    EmbeddedStore::open(dir.path()).unwrap();
}

#[test]
fn a_foreign_or_damaged_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("store.db");
    let text = "this is not a database\n".repeat(500);
    fs::write(&file, &text).unwrap();
    let error = EmbeddedStore::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);

    fs::remove_file(&file).unwrap();
    let foreign = rusqlite::Connection::open(&file).unwrap();
    foreign.execute_batch("CREATE TABLE theirs (a)").unwrap();
    let error = EmbeddedStore::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}

#[test]
fn a_later_format_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(EmbeddedStore::open(dir.path()).unwrap());
    let file = rusqlite::Connection::open(dir.path().join("store.db")).unwrap();
    file.pragma_update(None, "user_version", 9).unwrap();
    drop(file);
    let error = EmbeddedStore::open(dir.path()).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Newer {
                found: 9,
                known: 1,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn an_opening_that_crashed_before_its_tables_were_made_is_finished() {
    let dir = tempfile::tempdir().unwrap();
    let file = rusqlite::Connection::open(dir.path().join("store.db")).unwrap();
    file.pragma_update(None, "journal_mode", "wal").unwrap();
    drop(file);
    EmbeddedStore::open(dir.path()).unwrap();
}

/// How often the store has made lazy commits durable.
fn syncs(dir: &Path) -> i64 {
    let file = rusqlite::Connection::open(dir.join("store.db")).unwrap();
    file.query_row("SELECT count FROM syncs", [], |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn lazy_commits_are_synced_by_themselves_before_long() {
    let dir = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(dir.path()).unwrap();
    let patience = Duration::from_secs(20);
    let synced = async |before: i64| {
        while syncs(dir.path()) == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    commit(&store, "one", Durability::Lazy).await;
    tokio::time::timeout(patience, synced(0))
        .await
        .expect("nobody commits any more");

    let before = syncs(dir.path());
    let stream = async {
        loop {
            commit(&store, "stream", Durability::Lazy).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let either = async {
        tokio::select! { () = stream => {}, () = synced(before) => {} }
    };
    tokio::time::timeout(patience, either)
        .await
        .expect("the stream never pauses");
}

#[tokio::test]
async fn a_dropped_commit_is_applied_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(EmbeddedStore::open(dir.path()).unwrap());
    for i in 0..50 {
        let mut batch = Batch::new();
        batch.put(format!("a/{i}"), "").put(format!("b/{i}"), "");
        let commit = store.commit(batch);
        tokio::select! { biased; _ = commit => {}, () = std::future::ready(()) => {} }
    }
    store.commit(Batch::new()).await.unwrap();
    let count = async |prefix: &'static str| store.scan(Scan::prefix(prefix)).await.unwrap().len();
    assert_eq!(count("a/").await, count("b/").await);
}

async fn write_blob(blobs: &FileBlobs, content: &'static [u8]) -> BlobId {
    let mut writer = blobs.create().await.unwrap();
    writer.write(content.into()).await.unwrap();
    writer.finish().await.unwrap()
}

#[tokio::test]
async fn a_sweep_finds_the_blobs_of_earlier_openings_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut earlier = Vec::new();
    let blobs = FileBlobs::open(dir.path()).unwrap();
    assert!(matches!(
        FileBlobs::open(dir.path()),
        Err(StoreError::Locked { .. })
    ));
    for _ in 0..20 {
        earlier.push(write_blob(&blobs, b"old").await);
    }
    assert!(blobs.list_earlier(None, 100).await.unwrap().is_empty());
    drop(blobs);

    let blobs = FileBlobs::open(dir.path()).unwrap();
    let present = write_blob(&blobs, b"new").await;
    let mut listed = Vec::new();
    loop {
        let page = blobs.list_earlier(listed.last(), 7).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 7);
        listed.extend(page);
    }
    assert!(!listed.contains(&present));
    listed.sort_unstable();
    earlier.sort_unstable();
    assert_eq!(listed, earlier);
}

#[tokio::test]
async fn an_abandoned_writer_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let temporary = dir.path().join("temporary");
    let blobs = FileBlobs::open(dir.path()).unwrap();
    let mut writer = blobs.create().await.unwrap();
    // The second one waits for the first to have been written.
    writer.write(vec![7; 2 << 20].into()).await.unwrap();
    writer.write(vec![7; 2 << 20].into()).await.unwrap();
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 1);
    drop(writer);
    let gone = async {
        while fs::read_dir(&temporary).unwrap().count() != 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone)
        .await
        .unwrap();

    // What a crash left is swept at the next opening.
    fs::write(temporary.join("half"), "half").unwrap();
    drop(blobs);
    drop(FileBlobs::open(dir.path()).unwrap());
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}

#[tokio::test]
async fn temporary_blobs_are_removed_with_their_last_user() {
    let blobs = FileBlobs::temporary().unwrap();
    let id = write_blob(&blobs, b"short-lived").await;
    let path = blobs.local_path(&id).unwrap();
    let reader = blobs.open(&id).await.unwrap();
    drop(blobs);
    assert!(path.exists());
    drop(reader);
    assert!(!path.parent().unwrap().parent().unwrap().exists());
}
