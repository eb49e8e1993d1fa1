//! What every backend must do, run against each by `backends.rs`.

pub mod blobs;
pub mod model;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use store::{
    Batch, Durability, MAX_KEY_BYTES, MAX_VALUE_BYTES, Reader, Scan, Store, StoreError, Watch,
};

/// Runs the whole suite; `make` gives a new, empty store each time.
pub async fn run(make: impl Fn() -> Arc<dyn Store>) {
    empty_keys_and_values(&*make()).await;
    the_order_of_changes(&*make()).await;
    scans(&*make()).await;
    deleted_ranges(&*make()).await;
    conflicts(&*make()).await;
    one_of_many_wins(make()).await;
    counters_lose_nothing(make()).await;
    snapshots(&*make()).await;
    lazy_commits(&*make()).await;
    watches(&*make()).await;
    sizes(&*make()).await;
}

pub async fn put(store: &dyn Store, key: &str, value: &str) {
    let mut batch = Batch::new();
    batch.put(key.to_owned(), value.to_owned());
    store.commit(batch).await.unwrap();
}

pub async fn keys(reader: &(impl Reader + ?Sized), scan: Scan) -> Vec<String> {
    let entries = reader.scan(scan).await.unwrap();
    entries
        .iter()
        .map(|entry| String::from_utf8(entry.key.to_vec()).unwrap())
        .collect()
}

async fn empty_keys_and_values(store: &dyn Store) {
    assert_eq!(store.get(b"").await.unwrap(), None);
    store.commit(Batch::new()).await.unwrap();
    put(store, "", "").await;
    assert_eq!(store.get(b"").await.unwrap(), Some(Bytes::new()));
    assert_eq!(keys(store, Scan::all()).await, [""]);
}

async fn the_order_of_changes(store: &dyn Store) {
    let mut batch = Batch::new();
    batch
        .put("a", "1")
        .delete("a")
        .put("b", "1")
        .put("b", "2")
        .delete("missing");
    batch.put("c/1", "x").delete_prefix("c/").put("c/2", "y");
    store.commit(batch).await.unwrap();
    assert_eq!(keys(store, Scan::all()).await, ["b", "c/2"]);
    assert_eq!(store.get(b"b").await.unwrap().unwrap(), "2");
}

async fn scans(store: &dyn Store) {
    for key in ["a", "b/1", "b/2", "b/3", "b\u{7f}", "c"] {
        put(store, key, key).await;
    }
    assert_eq!(keys(store, Scan::prefix("b/")).await, ["b/1", "b/2", "b/3"]);
    assert_eq!(
        keys(store, Scan::prefix("b/").limit(2)).await,
        ["b/1", "b/2"]
    );
    assert_eq!(
        keys(store, Scan::prefix("b/").after("b/1")).await,
        ["b/2", "b/3"]
    );
    assert_eq!(
        keys(store, Scan::prefix("b/").reversed()).await,
        ["b/3", "b/2", "b/1"]
    );
    let below = Scan::prefix("b/").reversed().after("b/2").limit(9);
    assert_eq!(keys(store, below).await, ["b/1"]);
    assert_eq!(
        keys(store, Scan::range("b/2", "c")).await,
        ["b/2", "b/3", "b\u{7f}"]
    );
    assert_eq!(
        keys(store, Scan::range("c", "b")).await,
        Vec::<String>::new()
    );
    assert_eq!(
        keys(store, Scan::all().limit(0)).await,
        Vec::<String>::new()
    );
    assert_eq!(keys(store, Scan::all()).await.len(), 6);

    let mut batch = Batch::new();
    for i in 0..1000 {
        batch.put(format!("many/{i:04}"), vec![b'v'; 300]);
    }
    store.commit(batch).await.unwrap();
    assert_eq!(keys(store, Scan::prefix("many/")).await.len(), 1000);
    assert_eq!(
        keys(store, Scan::prefix("many/").limit(500)).await[499],
        "many/0499"
    );
}

async fn deleted_ranges(store: &dyn Store) {
    let mut batch = Batch::new();
    for key in [
        &b"a"[..],
        b"a\xff",
        b"a\xff\xff",
        b"b",
        b"c",
        b"\xff",
        b"\xff\xff",
    ] {
        batch.put(Bytes::from_static(key), "");
    }
    store.commit(batch).await.unwrap();
    let mut batch = Batch::new();
    batch
        .delete_prefix(&b"a\xff"[..])
        .delete_range("b", "c")
        .delete_range("z", "a");
    batch.delete_prefix(&b"\xff"[..]);
    store.commit(batch).await.unwrap();
    assert_eq!(keys(store, Scan::all()).await, ["a", "c"]);
    let mut batch = Batch::new();
    batch.delete_prefix("");
    store.commit(batch).await.unwrap();
    assert_eq!(keys(store, Scan::all()).await, Vec::<String>::new());
}

async fn conflicts(store: &dyn Store) {
    put(store, "a", "1").await;
    let mut batch = Batch::new();
    batch
        .put("b", "new")
        .delete("a")
        .expect_absent("free")
        .expect("a", Some("2".into()));
    let error = store.commit(batch).await.unwrap_err();
    assert!(
        matches!(&error, StoreError::Conflict { key } if key == "a"),
        "{error:?}"
    );
    assert_eq!(keys(store, Scan::all()).await, ["a"], "nothing was applied");

    let mut batch = Batch::new();
    batch.put("x", "1").expect_absent("a");
    assert!(store.commit(batch).await.unwrap_err().is_conflict());

    // Preconditions see the state before the batch, not the batch.
    let mut batch = Batch::new();
    batch
        .put("a", "2")
        .expect("a", Some("1".into()))
        .expect_absent("free");
    store.commit(batch).await.unwrap();
    assert_eq!(store.get(b"a").await.unwrap().unwrap(), "2");

    // A batch of preconditions only.
    let mut batch = Batch::new();
    batch.expect("a", Some("1".into()));
    assert!(store.commit(batch).await.unwrap_err().is_conflict());
}

async fn one_of_many_wins(store: Arc<dyn Store>) {
    let mut commits = tokio::task::JoinSet::new();
    for i in 0..64 {
        let store = Arc::clone(&store);
        commits.spawn(async move {
            let mut batch = Batch::new();
            batch
                .expect_absent("name")
                .put("name", i.to_string())
                .put(format!("by/{i}"), "");
            store.commit(batch).await.map(|()| i)
        });
    }
    let results = commits.join_all().await;
    let winners: Vec<i32> = results
        .iter()
        .filter_map(|r| r.as_ref().ok().copied())
        .collect();
    assert_eq!(winners.len(), 1);
    assert!(
        results
            .iter()
            .filter_map(|r| r.as_ref().err())
            .all(StoreError::is_conflict)
    );
    assert_eq!(
        keys(&store, Scan::prefix("by/")).await,
        [format!("by/{}", winners[0])]
    );
}

async fn counters_lose_nothing(store: Arc<dyn Store>) {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for _ in 0..25 {
                increment(&*store).await;
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(store.get(b"count").await.unwrap().unwrap(), "200");
}

async fn increment(store: &dyn Store) {
    loop {
        let before = store.get(b"count").await.unwrap();
        let text = before
            .as_ref()
            .map_or("0", |bytes| std::str::from_utf8(bytes).unwrap());
        let next = text.parse::<u32>().unwrap() + 1;
        let mut batch = Batch::new();
        batch.put("count", next.to_string()).expect("count", before);
        match store.commit(batch).await {
            Ok(()) => return,
            Err(error) => assert!(error.is_conflict(), "{error:?}"),
        }
    }
}

async fn snapshots(store: &dyn Store) {
    put(store, "a", "1").await;
    put(store, "b", "1").await;
    let first = store.snapshot().await.unwrap();
    put(store, "a", "2").await;
    let mut batch = Batch::new();
    batch.delete("b").put("c", "2");
    store.commit(batch).await.unwrap();
    let second = store.snapshot().await.unwrap();
    put(store, "d", "3").await;

    assert_eq!(first.get(b"a").await.unwrap().unwrap(), "1");
    assert_eq!(keys(&first, Scan::all()).await, ["a", "b"]);
    assert_eq!(second.get(b"a").await.unwrap().unwrap(), "2");
    assert_eq!(keys(&second, Scan::all()).await, ["a", "c"]);
    assert_eq!(keys(store, Scan::all()).await, ["a", "c", "d"]);
    drop(first);
    assert_eq!(keys(&second, Scan::all()).await, ["a", "c"]);
    drop(second);
    assert_eq!(
        keys(&store.snapshot().await.unwrap(), Scan::all()).await,
        ["a", "c", "d"]
    );
}

async fn lazy_commits(store: &dyn Store) {
    for i in 0..10 {
        let mut batch = Batch::new();
        batch
            .put("lazy", i.to_string())
            .durability(Durability::Lazy);
        store.commit(batch).await.unwrap();
        assert_eq!(store.get(b"lazy").await.unwrap().unwrap(), i.to_string());
    }
    store.commit(Batch::new()).await.unwrap();
    let mut batch = Batch::new();
    batch
        .expect("lazy", Some("9".into()))
        .delete("lazy")
        .durability(Durability::Lazy);
    store.commit(batch).await.unwrap();
    put(store, "sync", "").await;
    assert_eq!(keys(store, Scan::all()).await, ["sync"]);
}

fn is_awake(watch: &mut Watch) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(watch.changed()).poll(&mut context) == Poll::Ready(())
}

async fn watches(store: &dyn Store) {
    let mut queue = store.watch(b"queue/");
    let mut other = store.watch(b"other/");
    assert!(!is_awake(&mut queue));
    put(store, "queue/1", "").await;
    assert!(is_awake(&mut queue), "awake by the time commit returns");
    assert!(!is_awake(&mut queue), "once");
    put(store, "queue", "").await;
    assert!(!is_awake(&mut queue), "the key is shorter than the prefix");

    let mut refused = Batch::new();
    refused.put("queue/2", "").expect_absent("queue");
    assert!(store.commit(refused).await.is_err());
    assert!(!is_awake(&mut queue), "a conflict changes nothing");

    let mut batch = Batch::new();
    batch.delete_prefix("qu");
    store.commit(batch).await.unwrap();
    assert!(is_awake(&mut queue));
    assert!(!is_awake(&mut other));

    // One that already waits.
    let waiting = async { other.changed().await };
    tokio::join!(waiting, put(store, "other/1", ""));
}

async fn sizes(store: &dyn Store) {
    let long_key = vec![b'k'; MAX_KEY_BYTES];
    let long_value = vec![b'v'; MAX_VALUE_BYTES];
    let mut batch = Batch::new();
    batch.put(long_key.clone(), long_value);
    store.commit(batch).await.unwrap();
    assert_eq!(
        store.get(&long_key).await.unwrap().unwrap().len(),
        MAX_VALUE_BYTES
    );

    let mut batch = Batch::new();
    batch.put("fits", "").put("v", vec![0; MAX_VALUE_BYTES + 1]);
    let error = store.commit(batch).await.unwrap_err();
    assert!(
        matches!(error, StoreError::TooLarge { what: "value", .. }),
        "{error:?}"
    );
    let mut batch = Batch::new();
    batch.put(vec![b'k'; MAX_KEY_BYTES + 1], "");
    let error = store.commit(batch).await.unwrap_err();
    assert!(
        matches!(error, StoreError::TooLarge { what: "key", .. }),
        "{error:?}"
    );
    assert_eq!(store.get(b"fits").await.unwrap(), None);
}
