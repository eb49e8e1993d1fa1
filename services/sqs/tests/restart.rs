//! What survives a restart, and what a store that fails leaves behind.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use sqs::Config;
use store::{Batch, Entry, MemoryStore, Reader, Scan, Snapshot, Store, StoreError, Watch};
use support::{Sqs, bodies, json, settle, text};

async fn restarted(sqs: Sqs, store: &MemoryStore) -> Sqs {
    settle().await;
    let clock = sqs.clock.clone();
    drop(sqs);
    Sqs::with_clock(Arc::new(store.clone()), Config::default(), clock).await
}

#[tokio::test]
async fn messages_survive_and_those_in_flight_are_visible_again() {
    let store = MemoryStore::new();
    let sqs = Sqs::on(Arc::new(store.clone()), Config::default()).await;
    let attributes = json!({"VisibilityTimeout": "5"});
    let url = sqs.queue("q", attributes).await;
    for body in ["deleted", "returned", "held", "waiting"] {
        sqs.send(&url, body).await;
    }
    let delayed = json!({"QueueUrl": url, "MessageBody": "delayed", "DelaySeconds": 60});
    sqs.ok("SendMessage", delayed).await;
    let received = sqs
        .receive_with(&url, json!({"MaxNumberOfMessages": 2}))
        .await;
    sqs.delete(&url, &received[0]).await;
    sqs.advance(5);
    sqs.receive_with(&url, json!({"MaxNumberOfMessages": 2}))
        .await;

    let sqs = restarted(sqs, &store).await;
    assert_eq!(sqs.counts(&url).await, ["3", "0", "1"]);
    assert_eq!(sqs.attributes(&url).await["VisibilityTimeout"], "5");
    let received = sqs.receive(&url).await;
    assert_eq!(bodies(&received), ["returned", "held", "waiting"]);
    let counts: Vec<_> = received
        .iter()
        .map(|message| text(&message["Attributes"]["ApproximateReceiveCount"]))
        .collect();
    assert_eq!(
        counts,
        ["2", "1", "1"],
        "a receive is written down when the message comes back"
    );
    sqs.advance(60);
    assert!(bodies(&sqs.receive(&url).await).contains(&"delayed".to_owned()));
}

#[tokio::test]
async fn fifo_order_sequence_numbers_and_deduplication_survive() {
    let store = MemoryStore::new();
    let sqs = Sqs::on(Arc::new(store.clone()), Config::default()).await;
    let url = sqs.queue("q.fifo", json!({"FifoQueue": "true"})).await;
    let first = sqs.send_to_group(&url, "g", "1").await;
    sqs.send_to_group(&url, "g", "2").await;
    sqs.receive(&url).await;

    let sqs = restarted(sqs, &store).await;
    assert_eq!(
        sqs.send_to_group(&url, "g", "1").await,
        first,
        "still a duplicate"
    );
    let third = sqs.send_to_group(&url, "g", "3").await;
    assert!(text(&third["SequenceNumber"]) > text(&first["SequenceNumber"]));
    assert_eq!(bodies(&sqs.receive(&url).await), ["1", "2", "3"]);
}

#[tokio::test]
async fn deleted_and_purged_stay_gone() {
    let store = MemoryStore::new();
    let sqs = Sqs::on(Arc::new(store.clone()), Config::default()).await;
    let (kept, gone) = (
        sqs.queue("kept", json!({})).await,
        sqs.queue("gone", json!({})).await,
    );
    sqs.send(&kept, "purged").await;
    sqs.send(&gone, "gone").await;
    sqs.ok("PurgeQueue", json!({"QueueUrl": kept})).await;
    sqs.ok("DeleteQueue", json!({"QueueUrl": gone})).await;

    let sqs = restarted(sqs, &store).await;
    assert!(sqs.receive(&kept).await.is_empty());
    assert_eq!(
        sqs.refused("PurgeQueue", json!({"QueueUrl": gone})).await.0,
        "QueueDoesNotExist"
    );
    let left = store.scan(Scan::all()).await.unwrap();
    assert_eq!(left.len(), 1, "only the queue that is left: {left:?}");
}

#[tokio::test]
async fn the_delay_of_a_fifo_queue_is_its_present_one() {
    let store = MemoryStore::new();
    let sqs = Sqs::on(Arc::new(store.clone()), Config::default()).await;
    let attributes = json!({"FifoQueue": "true", "DelaySeconds": "100"});
    let url = sqs.queue("q.fifo", attributes).await;
    sqs.send_to_group(&url, "g", "m").await;
    let shorter = json!({"QueueUrl": url, "Attributes": {"DelaySeconds": "5"}});
    sqs.ok("SetQueueAttributes", shorter).await;

    let sqs = restarted(sqs, &store).await;
    assert!(sqs.receive(&url).await.is_empty());
    sqs.advance(5);
    assert_eq!(bodies(&sqs.receive(&url).await), ["m"]);
}

/// Fails commits when told to, and reads after so many.
struct FailingStore {
    inner: MemoryStore,
    fails: AtomicBool,
    reads_left: AtomicUsize,
}

#[async_trait]
impl Reader for FailingStore {
    async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        if self.reads_left.load(Ordering::Relaxed) == 0 {
            return Err(StoreError::Full);
        }
        self.reads_left.fetch_sub(1, Ordering::Relaxed);
        self.inner.get(key).await
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<Entry>, StoreError> {
        self.inner.scan(scan).await
    }
}

#[async_trait]
impl Store for FailingStore {
    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.inner.snapshot().await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        if self.fails.load(Ordering::Relaxed) {
            return Err(StoreError::Full);
        }
        self.inner.commit(batch).await
    }

    fn watch(&self, prefix: &[u8]) -> Watch {
        self.inner.watch(prefix)
    }
}

async fn on_failing_store() -> (Sqs, Arc<FailingStore>) {
    with_config(Config::default()).await
}

async fn with_config(config: Config) -> (Sqs, Arc<FailingStore>) {
    let store = Arc::new(FailingStore {
        inner: MemoryStore::new(),
        fails: AtomicBool::new(false),
        reads_left: AtomicUsize::new(usize::MAX),
    });
    let sqs = Sqs::on(Arc::clone(&store) as Arc<dyn Store>, config).await;
    (sqs, store)
}

#[tokio::test]
async fn a_move_that_fails_half_way_locks_no_group() {
    let (sqs, store) = with_config(Config {
        content_in_memory: 0,
        ..Config::default()
    })
    .await;
    let dead = sqs.queue("dead.fifo", json!({"FifoQueue": "true"})).await;
    let policy = json!({
        "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:dead.fifo",
        "maxReceiveCount": 1,
    });
    let attributes = json!({
        "FifoQueue": "true", "RedrivePolicy": policy.to_string(), "VisibilityTimeout": "1",
    });
    let source = sqs.queue("source.fifo", attributes).await;
    for group in ["a", "b"] {
        sqs.send_to_group(&source, group, group).await;
    }
    assert_eq!(sqs.receive(&source).await.len(), 2);
    sqs.advance(1);
    store.reads_left.store(1, Ordering::Relaxed);
    let receive = json!({"QueueUrl": source});
    let (code, _, _) = sqs.refused("ReceiveMessage", receive).await;
    assert_eq!(code, "ServiceUnavailable");
    store.reads_left.store(usize::MAX, Ordering::Relaxed);
    assert!(sqs.receive(&source).await.is_empty());
    assert_eq!(bodies(&sqs.receive(&dead).await), ["a", "b"]);
}

#[tokio::test]
async fn a_full_disk_refuses_and_changes_nothing() {
    let (sqs, store) = on_failing_store().await;
    let url = sqs.queue("q.fifo", json!({"FifoQueue": "true"})).await;
    sqs.send_to_group(&url, "g", "1").await;
    let held = sqs.receive(&url).await;
    store.fails.store(true, Ordering::Relaxed);
    let send = json!({
        "QueueUrl": url, "MessageBody": "2", "MessageGroupId": "g", "MessageDeduplicationId": "2",
    });
    assert_eq!(
        sqs.refused("SendMessage", send.clone()).await.0,
        "ServiceUnavailable"
    );
    let delete = json!({"QueueUrl": url, "ReceiptHandle": held[0]["ReceiptHandle"]});
    assert_eq!(
        sqs.refused("DeleteMessage", delete).await.0,
        "ServiceUnavailable"
    );
    let set = json!({"QueueUrl": url, "Attributes": {"VisibilityTimeout": "1"}});
    assert_eq!(
        sqs.refused("SetQueueAttributes", set).await.0,
        "ServiceUnavailable"
    );
    store.fails.store(false, Ordering::Relaxed);
    assert_eq!(sqs.attributes(&url).await["VisibilityTimeout"], "30");
    assert_eq!(sqs.counts(&url).await, ["1", "0", "0"]);
    sqs.ok("SendMessage", send).await;
    assert_eq!(
        bodies(&sqs.receive(&url).await),
        ["1", "2"],
        "its id was not used up"
    );
}

#[tokio::test]
async fn a_sender_that_hangs_up_leaves_a_whole_message() {
    let (sqs, _store) = on_failing_store().await;
    let url = sqs.queue("q", json!({})).await;
    let sending = tokio::spawn({
        let (sqs, url) = (sqs.clone(), url.clone());
        async move { sqs.send(&url, "m").await }
    });
    tokio::task::yield_now().await;
    sending.abort();
    assert!(
        sending.await.unwrap_err().is_cancelled(),
        "it was on its way"
    );
    settle().await;
    assert_eq!(bodies(&sqs.receive(&url).await), ["m"]);
}

#[tokio::test]
async fn a_repeated_request_succeeds_no_sooner_than_the_first() {
    let (sqs, store) = on_failing_store().await;
    let url = sqs.queue("q.fifo", json!({"FifoQueue": "true"})).await;
    let send = json!({
        "QueueUrl": url, "MessageBody": "1", "MessageGroupId": "g", "MessageDeduplicationId": "1",
    });
    let twice = async |operation: &str, input: &serde_json::Value| {
        let (first, second) = tokio::join!(
            sqs.call(operation, input.clone()),
            sqs.call(operation, input.clone())
        );
        [first, second].map(|answer| answer.map_err(|error| error.code.into_owned()))
    };
    let failure = || Err("ServiceUnavailable".to_owned());

    store.fails.store(true, Ordering::Relaxed);
    assert_eq!(twice("SendMessage", &send).await, [failure(), failure()]);
    store.fails.store(false, Ordering::Relaxed);
    let [first, second] = twice("SendMessage", &send).await;
    assert_eq!(first.unwrap(), second.unwrap());

    let held = sqs.receive(&url).await;
    let delete = json!({"QueueUrl": url, "ReceiptHandle": held[0]["ReceiptHandle"]});
    store.fails.store(true, Ordering::Relaxed);
    assert_eq!(
        twice("DeleteMessage", &delete).await,
        [failure(), failure()]
    );
    store.fails.store(false, Ordering::Relaxed);
    assert_eq!(bodies(&sqs.receive(&url).await), ["1"]);
}
