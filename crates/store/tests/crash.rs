//! Killed in mid-load, and out of disk: nothing acknowledged is lost, nothing is half there.
//!
//! Each test runs this same binary again as the process to kill, told by a variable what to do.
//! A kill leaves the page cache in place, so this proves order and atomicity; that a commit waits
//! for the sync is SQLite's `synchronous = FULL`.

#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test")]

use std::collections::HashSet;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use store::{
    Batch, Blobs, Durability, EmbeddedStore, FileBlobs, Key, Reader, Scan, Store, StoreError,
};

const CHILD_DIR: &str = "STORE_CRASH_TEST_DIR";
const CLIENTS: u64 = 16;

fn child(test: &str, dir: &Path) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(CHILD_DIR, dir).stdout(Stdio::piped());
    command
}

/// Kills the child after it has acknowledged `count` writes; gives all that it acknowledged.
fn kill_after(mut child: Child, count: usize) -> Vec<String> {
    let lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let mut acknowledged = Vec::new();
    for line in lines {
        // The test harness prints without a newline before ours.
        let Some((_, id)) = line.split_once("ack ") else {
            continue;
        };
        acknowledged.push(id.to_owned());
        if acknowledged.len() == count {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= count, "the child ended by itself");
    acknowledged
}

fn acknowledge(id: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "ack {id}").unwrap();
    out.flush().unwrap();
}

/// For the child: commits for ever, three keys a batch.
async fn load_store(dir: &Path) {
    let store = Arc::new(EmbeddedStore::open(dir).unwrap());
    let round = std::process::id();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let store = Arc::clone(&store);
        clients.spawn(async move {
            for i in 0_u64.. {
                let id = format!("{round}-{client}-{i}");
                let mut batch = Batch::new();
                for part in ["a", "b", "c"] {
                    batch.put(Key::of((part, &id)), vec![b'v'; 1024]);
                }
                // Every fourth client deletes what it wrote before, so that pages are reused.
                if client % 4 == 0 && i > 0 {
                    batch.delete(Key::of(("a", &format!("{round}-{client}-{}", i - 1))));
                    batch.delete(Key::of(("b", &format!("{round}-{client}-{}", i - 1))));
                    batch.delete(Key::of(("c", &format!("{round}-{client}-{}", i - 1))));
                }
                let lazy = i % 5 == 4;
                batch.durability(if lazy {
                    Durability::Lazy
                } else {
                    Durability::Sync
                });
                store.commit(batch).await.unwrap();
                // A killed process loses no lazy commit either, as the kernel has it.
                acknowledge(&id);
            }
        });
    }
    clients.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_store_keeps_all_it_acknowledged() {
    const THIS: &str = "a_killed_store_keeps_all_it_acknowledged";
    if let Some(dir) = env::var_os(CHILD_DIR) {
        return load_store(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    // Enough in all to fold the log into the file many times over.
    for count in [1, 2000, 500, 3000] {
        acknowledged.extend(kill_after(child(THIS, dir.path()).spawn().unwrap(), count));

        let store = EmbeddedStore::open(dir.path()).unwrap();
        let ids = async |part: &str| -> HashSet<String> {
            let entries = store.scan(Scan::prefix(Key::of(part))).await.unwrap();
            let id = |key: &[u8]| {
                let key = Key::from_bytes(key);
                let mut parts = key.reader();
                parts.text().unwrap();
                parts.text().unwrap()
            };
            entries.iter().map(|entry| id(&entry.key)).collect()
        };
        let (a, b, c) = (ids("a").await, ids("b").await, ids("c").await);
        assert_eq!(a, b, "no half batch");
        assert_eq!(a, c, "no half batch");
        let kept = |id: &&String| {
            let client: u64 = id.split('-').nth(1).unwrap().parse().unwrap();
            !client.is_multiple_of(4)
        };
        let lost: Vec<_> = acknowledged
            .iter()
            .filter(kept)
            .filter(|id| !a.contains(*id))
            .collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
        drop(store);
        check_integrity(dir.path());
    }
}

fn check_integrity(dir: &Path) {
    let file = rusqlite::Connection::open(dir.join("store.db")).unwrap();
    let verdict: String = file
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok");
}

/// For the child: writes blobs for ever, of 1 byte to 3 MiB.
async fn load_blobs(dir: &Path) {
    let blobs = Arc::new(FileBlobs::open(dir).unwrap());
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..4_usize {
        let blobs = Arc::clone(&blobs);
        clients.spawn(async move {
            for i in 0_usize.. {
                let length = if i % 8 == 7 {
                    3 << 20
                } else {
                    1 + (client + i * 37) % 5000
                };
                let mut writer = blobs.create().await.unwrap();
                writer
                    .write(vec![length as u8; length].into())
                    .await
                    .unwrap();
                let id = writer.finish().await.unwrap();
                acknowledge(&format!("{id} {length}"));
            }
        });
    }
    clients.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_blobs_keep_all_they_acknowledged() {
    const THIS: &str = "killed_blobs_keep_all_they_acknowledged";
    if let Some(dir) = env::var_os(CHILD_DIR) {
        return load_blobs(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let acknowledged = kill_after(child(THIS, dir.path()).spawn().unwrap(), 200);
    let blobs = FileBlobs::open(dir.path()).unwrap();
    for line in &acknowledged {
        let (id, length) = line.split_once(' ').unwrap();
        let (id, length) = (id.parse().unwrap(), length.parse::<u64>().unwrap());
        assert_eq!(blobs.open(&id).await.unwrap().len(), length);
        let content = std::fs::read(blobs.local_path(&id).unwrap()).unwrap();
        assert!(content.iter().all(|byte| *byte == length as u8));
    }
    let all = blobs.list_earlier(None, usize::MAX).await.unwrap();
    assert!(all.len() >= acknowledged.len(), "orphans are listed too");
    assert_eq!(
        std::fs::read_dir(dir.path().join("temporary"))
            .unwrap()
            .count(),
        0
    );
}

/// For the child: fills a file system of a few MiB, then frees some of it.
async fn fill_disk(dir: &Path) {
    let ballast = dir.join("ballast");
    std::fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let store = EmbeddedStore::open(dir.join("store")).unwrap();
    let blobs = FileBlobs::open(dir.join("blobs")).unwrap();
    let put = async |i: u32| {
        let mut batch = Batch::new();
        batch
            .put(format!("a/{i:06}"), vec![7; 4000])
            .put(format!("b/{i:06}"), vec![7; 4000]);
        store.commit(batch).await
    };
    let mut written = 0;
    let error = loop {
        match put(written).await {
            Ok(()) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full), "{error:?}");
    assert!(written > 0);
    let mut writer = blobs.create().await.unwrap();
    // Chunks are written behind their sender's back: the one after learns of it.
    writer.write(vec![1; 2 << 20].into()).await.unwrap();
    let full = writer.write(vec![1; 2 << 20].into()).await.unwrap_err();
    assert!(matches!(full, StoreError::Full), "{full:?}");
    writer.finish().await.expect_err("what has failed stays so");

    let count = async |prefix: &'static str| store.scan(Scan::prefix(prefix)).await.unwrap().len();
    assert_eq!(
        (count("a/").await, count("b/").await),
        (written as usize, written as usize)
    );
    std::fs::remove_file(&ballast).unwrap();
    put(written).await.expect("there is space again");
    assert_eq!(
        (count("a/").await, count("b/").await),
        (written as usize + 1, written as usize + 1)
    );
    drop(store);
    let store = EmbeddedStore::open(dir.join("store")).unwrap();
    let entries = store.scan(Scan::all()).await.unwrap();
    assert_eq!(entries.len(), 2 * (written as usize + 1));
    acknowledge("full");
}

#[tokio::test]
async fn a_full_disk_refuses_writes_until_there_is_space() {
    const THIS: &str = "a_full_disk_refuses_writes_until_there_is_space";
    if let Some(dir) = env::var_os(CHILD_DIR) {
        return fill_disk(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = r#"mount -t tmpfs -o size=6m tmpfs "$0" || exit 77; exec "$@""#;
    let inner = child(THIS, dir.path());
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(dir.path());
    command
        .arg(inner.get_program())
        .args(inner.get_args())
        .env(CHILD_DIR, dir.path());
    let Ok(output) = command.output() else {
        eprintln!("skipped: this needs `unshare` of util-linux");
        return;
    };
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if !out.contains("running 1 test") {
        eprintln!("skipped: no user namespace with a mount of its own here: {err}");
        return;
    }
    assert!(
        output.status.success() && out.contains("ack full"),
        "{out}\n{err}"
    );
}
