//! Deliveries on a real store, with time moved by hand and targets that a test decides.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{AccountId, ManualClock, Region, Timestamp};
use parking_lot::Mutex;
use routing::deliveries::{Attribute, Deliveries, Envelope, NoWeb, Notice, Parcel, Source};
use serde_json::{Value as Json, json};
use service::ports::ApiCaller;
use service::{RequestContext, ServiceError};
use store::{Batch, Key, MemoryStore, Reader, Scan, Store, Table};
use tokio::sync::Semaphore;
use wire::Value;

/// Answers with what a test has put there, then with success.
struct Targets {
    refusals: Mutex<Vec<Refusal>>,
    calls: Mutex<Vec<(String, RequestContext, Value)>>,
    /// A function takes its event when it gets one of these.
    permits: Semaphore,
}

type Refusal = Result<Value, ServiceError>;

#[async_trait]
impl ApiCaller for Targets {
    async fn call(
        &self,
        service: &str,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        let call = (format!("{service} {operation}"), context, input);
        self.calls.lock().push(call);
        if service == "lambda" {
            self.permits.acquire().await.unwrap().forget();
        }
        let refusal = self.refusals.lock().pop();
        refusal.unwrap_or(Ok(Value::Map(Vec::new())))
    }
}

struct Rig {
    store: Arc<MemoryStore>,
    manual: ManualClock,
    targets: Arc<Targets>,
    deliveries: Arc<Deliveries>,
}

impl Rig {
    fn new(refusals: Vec<Refusal>) -> Self {
        Self::on(Arc::default(), refusals)
    }

    fn on(store: Arc<MemoryStore>, refusals: Vec<Refusal>) -> Self {
        let manual = ManualClock::starting_at(Timestamp::from_millis(0));
        let targets = Arc::new(Targets {
            refusals: Mutex::new(refusals),
            calls: Mutex::default(),
            permits: Semaphore::new(0),
        });
        let deliveries = Deliveries::new(
            "lambda.amazonaws.com",
            Arc::clone(&store) as Arc<dyn Store>,
            manual.clock(),
            Arc::clone(&targets) as Arc<dyn ApiCaller>,
            Arc::new(NoWeb),
        );
        Self {
            store,
            manual,
            targets,
            deliveries,
        }
    }

    async fn post(&self, target: &str) {
        self.send(parcel(target)).await;
    }

    async fn send(&self, parcel: Parcel) {
        let mut batch = Batch::new();
        let staged = self.deliveries.stage(&mut batch, [parcel]).unwrap();
        self.store.commit(batch).await.unwrap();
        staged.send_off();
        settle().await;
    }

    fn calls(&self) -> usize {
        self.targets.calls.lock().len()
    }

    async fn is_empty(&self) -> bool {
        self.store.scan(Scan::all()).await.unwrap().is_empty()
    }
}

fn notice(target: &str) -> Notice {
    let source = Source {
        arn: "arn:aws:lambda:us-east-1:000000000000:function:f"
            .parse()
            .unwrap(),
        account: AccountId::DEFAULT,
        region: Region::us_east_1(),
    };
    Notice {
        attributes: vec![Attribute::text("RequestID", "id")],
        trace: Some("Root=1".to_owned()),
        ..Notice::new(target.parse().unwrap(), source, "{}".to_owned())
    }
}

fn parcel(target: &str) -> Parcel {
    notice(target).parcel(Timestamp::from_millis(0))
}

const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:slow";

async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// A member of a member, and so on.
fn at<'a>(input: &'a Value, path: &[&str]) -> Option<&'a Value> {
    path.iter().try_fold(input, |value, name| value.get(name))
}

#[tokio::test]
async fn a_parcel_arrives_at_once_and_leaves_nothing_behind() {
    let rig = Rig::new(Vec::new());
    rig.post(QUEUE).await;
    let (call, context, input) = rig.targets.calls.lock()[0].clone();
    assert_eq!(call, "sqs SendMessage");
    assert_eq!(context.trace.as_deref(), Some("Root=1"));
    assert_eq!(input.get("MessageBody").and_then(Value::as_str), Some("{}"));
    let text = at(&input, &["MessageAttributes", "RequestID", "StringValue"]);
    assert_eq!(text.and_then(Value::as_str), Some("id"));
    assert!(rig.is_empty().await);
}

#[tokio::test]
async fn each_kind_of_target_gets_a_notice_in_its_own_way() {
    let rig = Rig::new(Vec::new());
    rig.post("arn:aws:sns:eu-west-1:000000000000:t").await;
    rig.send(
        Notice {
            object_key: Some("k".to_owned()),
            ..notice("arn:aws:s3:::b")
        }
        .parcel(Timestamp::from_millis(0)),
    )
    .await;
    rig.send(
        Notice {
            envelope: Some(Envelope {
                source: "lambda".to_owned(),
                detail_type: "Result".to_owned(),
                resources: vec![FUNCTION.parse().unwrap()],
            }),
            ..notice("arn:aws:events:us-east-1:000000000000:event-bus/mine")
        }
        .parcel(Timestamp::from_millis(7)),
    )
    .await;
    let calls = rig.targets.calls.lock();
    let [
        (topic, published, message),
        (bucket, _, object),
        (bus, _, event),
    ] = &calls[..]
    else {
        panic!("{} calls", calls.len());
    };
    assert_eq!(topic, "sns Publish");
    assert_eq!(published.region.as_str(), "eu-west-1");
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    assert_eq!(text(message.get("Message")).as_deref(), Some("{}"));
    let attribute = at(message, &["MessageAttributes", "RequestID", "StringValue"]);
    assert_eq!(text(attribute).as_deref(), Some("id"));
    assert_eq!(bucket, "s3 PutObject");
    assert_eq!(text(object.get("Key")).as_deref(), Some("k"));
    assert_eq!(object.get("Body"), Some(&Value::Blob("{}".into())));
    assert_eq!(bus, "events PutEvents");
    let entry = &event.get("Entries").and_then(Value::as_list).unwrap()[0];
    let name = text(entry.get("EventBusName"));
    assert!(name.unwrap().ends_with("event-bus/mine"));
    assert_eq!(
        entry.get("Time"),
        Some(&Value::Time(Timestamp::from_millis(7)))
    );
    assert_eq!(text(entry.get("Detail")).as_deref(), Some("{}"));
}

#[tokio::test]
async fn what_may_arrive_later_is_tried_longer_and_longer_apart() {
    let rig = Rig::new(vec![
        Err(ServiceError::internal()),
        Err(ServiceError::internal()),
    ]);
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
}

#[tokio::test]
async fn an_entry_that_a_bus_does_not_take_is_tried_again_only_if_that_helps() {
    let entry = |code: &str| {
        let code = Some(("ErrorCode", Value::Str(code.to_owned())));
        let entries = Value::List(vec![Value::of_members([code])]);
        let count = Some(("FailedEntryCount", Value::Int(1)));
        Ok(Value::of_members([count, Some(("Entries", entries))]))
    };
    let rig = Rig::new(vec![entry("MalformedDetail"), entry("InternalFailure")]);
    let envelope = Envelope {
        source: "lambda".to_owned(),
        detail_type: "Result".to_owned(),
        resources: Vec::new(),
    };
    let bus = "arn:aws:events:us-east-1:000000000000:event-bus/default";
    let notice = Notice {
        envelope: Some(envelope),
        ..notice(bus)
    };
    rig.send(notice.parcel(Timestamp::from_millis(0))).await;
    assert!(!rig.is_empty().await, "it is to be tried again");
    rig.manual.advance(Duration::from_secs(1));
    settle().await;
    assert_eq!(rig.calls(), 2);
    assert!(rig.is_empty().await);
}

#[tokio::test]
async fn a_target_that_does_not_answer_is_tried_again_and_holds_up_no_other() {
    let rig = Rig::new(Vec::new());
    for _ in 0..700 {
        rig.post(FUNCTION).await;
    }
    assert_eq!(rig.calls(), 32, "no more than its share is under way");
    rig.post(QUEUE).await;
    assert_eq!(rig.targets.calls.lock()[32].0, "sqs SendMessage");
    rig.manual.advance(Duration::from_mins(1));
    settle().await;
    assert_eq!(rig.calls(), 65, "others get their turn");
}

#[tokio::test]
async fn what_can_never_arrive_is_given_up() {
    let gone = ServiceError::bad_request("QueueDoesNotExist", "no such queue");
    let rig = Rig::new(vec![Err(gone)]);
    rig.post(QUEUE).await;
    rig.post("arn:aws:dynamodb:us-east-1:000000000000:table/t")
        .await;
    assert_eq!(rig.calls(), 1, "a table is no target");
    assert!(rig.is_empty().await);
}

#[tokio::test]
async fn parcels_of_an_earlier_run_are_taken_up() {
    let store: Arc<MemoryStore> = Arc::default();
    let before = Rig::on(Arc::clone(&store), Vec::new());
    before.deliveries.end();
    for _ in 0..100 {
        before.post(QUEUE).await;
    }
    assert_eq!(before.calls(), 0, "it begins no more");
    let after = Rig::on(store, Vec::new());
    after.deliveries.resume().await.unwrap();
    for _ in 0..10 {
        settle().await;
    }
    assert_eq!(after.calls(), 100);
    assert!(after.is_empty().await);
}

/// As versions before this path wrote it.
#[tokio::test]
async fn what_waits_in_the_outbox_of_an_earlier_version_is_delivered() {
    let rig = Rig::new(Vec::new());
    let mut batch = Batch::new();
    for (due, id, target, more) in [
        (
            5_i64,
            "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f01",
            QUEUE,
            json!({"attributes": {"ErrorCode": {"data_type": "Number", "value": "200"}}}),
        ),
        (
            9_000_000,
            "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f02",
            "arn:aws:events:us-east-1:000000000000:event-bus/default",
            json!({"envelope": {
                "source": "aws.lambda", "detail_type": "D", "resources": [FUNCTION],
            }}),
        ),
        (
            9_000_000,
            "0f0f0f0f-0f0f-4f0f-8f0f-0f0f0f0f0f03",
            "arn:aws:s3:::b",
            json!({"object_key": "k", "trace": "Root=2"}),
        ),
    ] {
        let mut address = more;
        address["target"] = target.into();
        address["sender"] = "Lambda".into();
        address["source"] = "arn:aws:lambda:eu-west-1:111111111111:function:f".into();
        let head = json!({"id": id, "address": address, "accepted_at": 0, "failures": 3});
        let heads = Table::<Json>::new("routing.outbox", 1);
        heads.put(&mut batch, (due, id), &head).unwrap();
        let body = Key::of(("routing.outbox_body", id));
        batch.put(body, format!("{{\"id\":\"{id}\"}}"));
    }
    rig.store.commit(batch).await.unwrap();
    rig.deliveries.take_over_outbox().await.unwrap();
    settle().await;
    let calls = rig.targets.calls.lock().clone();
    let call = |name: &str| calls.iter().find(|it| it.0 == name).unwrap();
    let (_, _, message) = call("sqs SendMessage");
    let body = message.get("MessageBody").and_then(Value::as_str);
    assert!(body.unwrap().ends_with("01\"}"), "{body:?}");
    let code = at(message, &["MessageAttributes", "ErrorCode", "StringValue"]);
    assert_eq!(code.and_then(Value::as_str), Some("200"));
    call("events PutEvents");
    let (_, context, object) = call("s3 PutObject");
    assert_eq!(context.trace.as_deref(), Some("Root=2"));
    assert_eq!(context.account.as_str(), "111111111111");
    assert_eq!(object.get("Key").and_then(Value::as_str), Some("k"));
    assert!(rig.is_empty().await, "nothing of it stays");
}

#[tokio::test]
async fn the_end_waits_for_what_is_under_way() {
    let rig = Rig::new(Vec::new());
    rig.post(FUNCTION).await;
    rig.deliveries.end();
    let ended = tokio::spawn({
        let deliveries = Arc::clone(&rig.deliveries);
        async move { deliveries.ended().await }
    });
    settle().await;
    assert!(!ended.is_finished());
    rig.targets.permits.add_permits(1);
    ended.await.unwrap();
    assert!(rig.is_empty().await);
}
