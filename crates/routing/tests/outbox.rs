//! The outbox on a real store, with time moved by hand and a target that a test decides.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{Clock, ManualClock, Timestamp};
use bytes::Bytes;
use parking_lot::Mutex;
use routing::outbox::{Address, Attribute, Outbox, Parcel, Sender};
use service::ports::ApiCaller;
use service::{RequestContext, ServiceError};
use store::{Batch, MemoryStore, Reader, Scan, Store};
use wire::Value;

/// Answers with what a test has put there, then with success.
#[derive(Default)]
struct Targets {
    refusals: Mutex<Vec<ServiceError>>,
    calls: Mutex<Vec<(String, String, Value)>>,
}

#[async_trait]
impl ApiCaller for Targets {
    async fn call(
        &self,
        service: &str,
        operation: &str,
        _: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        if service == "lambda" {
            // A function that never takes its event.
            return std::future::pending().await;
        }
        let call = (service.to_owned(), operation.to_owned(), input);
        self.calls.lock().push(call);
        match self.refusals.lock().pop() {
            Some(error) => Err(error),
            None => Ok(Value::Map(Vec::new())),
        }
    }
}

struct Rig {
    store: Arc<MemoryStore>,
    manual: ManualClock,
    targets: Arc<Targets>,
    outbox: Outbox,
}

impl Rig {
    fn new(store: Arc<MemoryStore>, refusals: Vec<ServiceError>) -> Self {
        let manual = ManualClock::starting_at(Timestamp::from_millis(0));
        let targets = Arc::new(Targets {
            refusals: Mutex::new(refusals),
            ..Targets::default()
        });
        let api = Arc::clone(&targets) as Arc<dyn ApiCaller>;
        let clock: Clock = manual.clock();
        let outbox = Outbox::new(Arc::clone(&store) as Arc<dyn Store>, clock, api);
        Self {
            store,
            manual,
            targets,
            outbox,
        }
    }

    async fn post(&self, target: &str) {
        let mut batch = Batch::new();
        self.outbox.put(&mut batch, parcel(target)).unwrap();
        self.store.commit(batch).await.unwrap();
        settle().await;
    }

    fn calls(&self) -> usize {
        self.targets.calls.lock().len()
    }

    async fn is_empty(&self) -> bool {
        self.store.scan(Scan::all()).await.unwrap().is_empty()
    }
}

fn parcel(target: &str) -> Parcel {
    Parcel {
        address: Address {
            target: target.parse().unwrap(),
            sender: Sender::Lambda,
            source: "arn:aws:lambda:us-east-1:000000000000:function:f"
                .parse()
                .unwrap(),
            attributes: [("RequestID".to_owned(), Attribute::text("id"))].into(),
            envelope: None,
            object_key: None,
            trace: None,
        },
        body: Bytes::from_static(b"{}"),
    }
}

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";

async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_parcel_arrives_at_once_and_leaves_nothing_behind() {
    let rig = Rig::new(Arc::default(), Vec::new());
    rig.outbox.start();
    settle().await;
    rig.post(QUEUE).await;
    let (service, operation, input) = rig.targets.calls.lock()[0].clone();
    assert_eq!(
        (service.as_str(), operation.as_str()),
        ("sqs", "SendMessage")
    );
    assert_eq!(input.get("MessageBody").and_then(Value::as_str), Some("{}"));
    let attribute = input
        .get("MessageAttributes")
        .and_then(|it| it.get("RequestID"));
    let text = attribute.and_then(|it| it.get("StringValue")?.as_str());
    assert_eq!(text, Some("id"));
    assert!(rig.is_empty().await);
    rig.outbox.close().await;
}

#[tokio::test]
async fn what_may_arrive_later_is_tried_longer_and_longer_apart() {
    let refusals = vec![ServiceError::internal(), ServiceError::internal()];
    let rig = Rig::new(Arc::default(), refusals);
    rig.outbox.start();
    settle().await;
    rig.post(QUEUE).await;
    assert_eq!(rig.calls(), 1);
    for (seconds, calls) in [(1, 2), (2, 3)] {
        // Between half of the pause and all of it.
        rig.manual.advance(Duration::from_millis(seconds * 500 - 1));
        settle().await;
        assert_eq!(rig.calls(), calls - 1);
        rig.manual.advance(Duration::from_millis(seconds * 500 + 1));
        settle().await;
        assert_eq!(rig.calls(), calls);
    }
    assert!(rig.is_empty().await);
    rig.outbox.close().await;
}

#[tokio::test]
async fn a_target_that_does_not_answer_holds_up_no_other() {
    let rig = Rig::new(Arc::default(), Vec::new());
    for _ in 0..700 {
        rig.post("arn:aws:lambda:us-east-1:000000000000:function:stuck")
            .await;
    }
    rig.post(QUEUE).await;
    rig.outbox.start();
    while rig.calls() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.targets.calls.lock()[0].0, "sqs");
}

#[tokio::test]
async fn what_can_never_arrive_is_given_up() {
    let gone = ServiceError::bad_request("QueueDoesNotExist", "no such queue");
    let rig = Rig::new(Arc::default(), vec![gone]);
    rig.outbox.start();
    settle().await;
    rig.post(QUEUE).await;
    rig.post("arn:aws:dynamodb:us-east-1:000000000000:table/t")
        .await;
    assert_eq!(rig.calls(), 1, "a table is no target");
    assert!(rig.is_empty().await);
    rig.outbox.close().await;
}

#[tokio::test]
async fn parcels_of_an_earlier_run_are_taken_up() {
    let store: Arc<MemoryStore> = Arc::default();
    let before = Rig::new(Arc::clone(&store), Vec::new());
    for _ in 0..100 {
        before.post(QUEUE).await;
    }
    assert_eq!(before.calls(), 0, "it has not been started");
    let after = Rig::new(store, Vec::new());
    after.outbox.start();
    for _ in 0..100 {
        settle().await;
    }
    assert_eq!(after.calls(), 100);
    assert!(after.is_empty().await);
    after.outbox.close().await;
}
