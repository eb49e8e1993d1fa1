//! Event source mappings on a real queue, with a function that the test plays.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{AccountId, Region};
use http::StatusCode;
use routing::{SqsMapping, SqsPollers};
use service::ports::{ApiCaller, Invocation, InvokeRequest, Invoker};
use service::{RequestContext, ServiceError};
use support::{Sqs, bodies, json, settle, text};
use tokio::sync::{mpsc, oneshot};
use wire::Value;

struct Api(Sqs);

#[async_trait]
impl ApiCaller for Api {
    async fn call(
        &self,
        service: &str,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        assert_eq!(service, "sqs");
        self.0.service.call(operation, context, input).await
    }
}

/// One invocation, which the test answers.
struct Invoked {
    event: serde_json::Value,
    context: RequestContext,
    answer: oneshot::Sender<Result<Invocation, ServiceError>>,
}

struct Function(mpsc::UnboundedSender<Invoked>);

#[async_trait]
impl Invoker for Function {
    async fn invoke(&self, request: InvokeRequest) -> Result<Invocation, ServiceError> {
        let (answer, answered) = oneshot::channel();
        let event = serde_json::from_slice(&request.payload).unwrap();
        let context = request.context;
        self.0
            .send(Invoked {
                event,
                context,
                answer,
            })
            .ok()
            .unwrap();
        answered.await.unwrap()
    }

    async fn invoke_async(&self, _: InvokeRequest) -> Result<(), ServiceError> {
        panic!("a mapping invokes synchronously");
    }
}

impl Invoked {
    fn records(&self) -> &Vec<serde_json::Value> {
        self.event["Records"].as_array().unwrap()
    }

    fn bodies(&self) -> Vec<String> {
        self.records()
            .iter()
            .map(|record| text(&record["body"]))
            .collect()
    }

    fn returns(self, payload: &str) {
        let invocation = Invocation {
            payload: payload.to_owned().into(),
            function_error: None,
            executed_version: "$LATEST".into(),
        };
        self.answer.send(Ok(invocation)).ok().unwrap();
    }

    fn fails(self) {
        let invocation = Invocation {
            payload: r#"{"errorMessage": "boom"}"#.into(),
            function_error: Some("Unhandled"),
            executed_version: "$LATEST".into(),
        };
        self.answer.send(Ok(invocation)).ok().unwrap();
    }

    fn gets_refused(self, status: StatusCode) {
        let error = ServiceError::new("TooManyRequestsException", status, "Rate Exceeded.");
        self.answer.send(Err(error)).ok().unwrap();
    }
}

struct World {
    sqs: Sqs,
    pollers: Arc<SqsPollers>,
    invoked: mpsc::UnboundedReceiver<Invoked>,
}

impl World {
    async fn start() -> Self {
        let sqs = Sqs::start().await;
        let (sender, invoked) = mpsc::unbounded_channel();
        let pollers = SqsPollers::new(
            Arc::new(Api(sqs.clone())),
            Arc::new(Function(sender)),
            sqs.clock.clock(),
        );
        Self {
            sqs,
            pollers,
            invoked,
        }
    }

    async fn next(&mut self) -> Invoked {
        self.invoked.recv().await.unwrap()
    }

    async fn is_quiet(&mut self) -> bool {
        settle().await;
        self.invoked.try_recv().is_err()
    }

    async fn result(&self) -> String {
        settle().await;
        self.pollers.last_result("m").unwrap()
    }
}

fn mapping(queue: &str) -> SqsMapping {
    SqsMapping {
        uuid: "m".into(),
        account: AccountId::DEFAULT,
        region: Region::us_east_1(),
        queue: format!("arn:aws:sqs:us-east-1:000000000000:{queue}")
            .parse()
            .unwrap(),
        function: "arn:aws:lambda:us-east-1:000000000000:function:f"
            .parse()
            .unwrap(),
        batch_size: 10,
        batching_window: Duration::ZERO,
        report_batch_item_failures: false,
        maximum_concurrency: None,
        provisioned: None,
        filters: routing::poller::Filters::default(),
    }
}

#[tokio::test]
async fn an_arrival_runs_the_function_and_success_deletes() {
    let mut world = World::start().await;
    let url = world.sqs.queue("q", json!({})).await;
    world.pollers.start(mapping("q"));
    assert!(world.is_quiet().await);
    assert_eq!(world.result().await, "No records processed");
    let traced = json!({
        "QueueUrl": url, "MessageBody": "hello",
        "MessageSystemAttributes": {
            "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-2-3"},
        },
    });
    world.sqs.ok("SendMessage", traced).await;
    let invoked = world.next().await;
    let record = &invoked.records()[0];
    assert_eq!(record["body"], "hello");
    assert_eq!(record["eventSource"], "aws:sqs");
    assert_eq!(
        record["eventSourceARN"],
        "arn:aws:sqs:us-east-1:000000000000:q"
    );
    assert_eq!(record["awsRegion"], "us-east-1");
    assert_eq!(record["attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(invoked.context.trace.as_deref(), Some("Root=1-2-3"));
    assert_eq!(
        world.sqs.counts(&url).await,
        ["0", "1", "0"],
        "hidden meanwhile"
    );
    invoked.returns("null");
    assert_eq!(world.result().await, "OK");
    assert_eq!(world.sqs.counts(&url).await, ["0", "0", "0"]);
}

#[tokio::test]
async fn batches_hold_at_most_batch_size() {
    let mut world = World::start().await;
    let url = world.sqs.queue("q", json!({})).await;
    let entries: Vec<_> = (0..10)
        .map(|n| json!({"Id": n.to_string(), "MessageBody": n.to_string()}))
        .collect();
    world
        .sqs
        .ok(
            "SendMessageBatch",
            json!({"QueueUrl": url, "Entries": entries}),
        )
        .await;
    world.pollers.start(SqsMapping {
        batch_size: 4,
        ..mapping("q")
    });
    let mut sizes = Vec::new();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let invoked = world.next().await;
        sizes.push(invoked.records().len());
        seen.extend(invoked.bodies());
        invoked.returns("");
    }
    assert_eq!(sizes, [4, 4, 2]);
    assert_eq!(seen, (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_failed_batch_comes_back_after_the_visibility_timeout() {
    let mut world = World::start().await;
    let url = world
        .sqs
        .queue("q", json!({"VisibilityTimeout": "7"}))
        .await;
    world.sqs.send(&url, "m").await;
    world.pollers.start(mapping("q"));
    world.next().await.fails();
    assert_eq!(world.result().await, "PROBLEM: Function call failed");
    world.sqs.advance(6);
    assert!(world.is_quiet().await);
    world.sqs.advance(1);
    let again = world.next().await;
    assert_eq!(
        again.records()[0]["attributes"]["ApproximateReceiveCount"],
        "2"
    );
    again.returns("{}");
    assert_eq!(world.result().await, "OK");
}

#[tokio::test]
async fn only_the_reported_failures_come_back() {
    let mut world = World::start().await;
    let url = world.sqs.queue("q", json!({})).await;
    for body in ["good", "bad"] {
        world.sqs.send(&url, body).await;
    }
    world.pollers.start(SqsMapping {
        report_batch_item_failures: true,
        ..mapping("q")
    });
    let invoked = world.next().await;
    let bad = text(&invoked.records()[1]["messageId"]);
    invoked.returns(&json!({"batchItemFailures": [{"itemIdentifier": bad}]}).to_string());
    settle().await;
    world.sqs.advance(30);
    let again = world.next().await;
    assert_eq!(again.bodies(), ["bad"]);
    again.returns(&json!({"batchItemFailures": [{"itemIdentifier": "unknown"}]}).to_string());
    assert_eq!(world.result().await, "PROBLEM: Function call failed");
    world.sqs.advance(30);
    world.next().await.returns(r#"{"batchItemFailures": []}"#);
    settle().await;
    assert_eq!(world.sqs.counts(&url).await, ["0", "0", "0"]);
}

#[tokio::test]
async fn five_batches_run_at_once_and_more_as_long_as_there_are_messages() {
    let mut world = World::start().await;
    let url = world
        .sqs
        .queue("q", json!({"VisibilityTimeout": "600"}))
        .await;
    for n in 0..8 {
        world.sqs.send(&url, &n.to_string()).await;
    }
    world.pollers.start(SqsMapping {
        batch_size: 1,
        ..mapping("q")
    });
    let mut running = HashMap::new();
    for _ in 0..5 {
        let invoked = world.next().await;
        running.insert(invoked.bodies()[0].clone(), invoked);
    }
    assert!(world.is_quiet().await, "five to begin with");
    world.sqs.clock.advance(Duration::from_millis(200));
    let sixth = world.next().await;
    assert!(world.is_quiet().await, "300 a minute");
    sixth.returns("");
    let seventh = world.next().await;
    running.insert(seventh.bodies()[0].clone(), seventh);
    world.sqs.clock.advance(Duration::from_millis(200));
    let eighth = world.next().await;
    running.insert(eighth.bodies()[0].clone(), eighth);
    assert_eq!(running.len(), 7);
    for (_, invoked) in running {
        invoked.returns("");
    }
    settle().await;
    assert_eq!(world.sqs.counts(&url).await, ["0", "0", "0"]);
}

#[tokio::test]
async fn a_window_gathers_a_batch_until_it_is_full_or_over() {
    let mut world = World::start().await;
    let url = world.sqs.queue("q", json!({})).await;
    world.pollers.start(SqsMapping {
        batch_size: 12,
        batching_window: Duration::from_secs(5),
        ..mapping("q")
    });
    settle().await;
    for n in 0..3 {
        world.sqs.send(&url, &n.to_string()).await;
        assert!(world.is_quiet().await);
        world.sqs.advance(1);
    }
    world.sqs.advance(2);
    let windowed = world.next().await;
    assert_eq!(windowed.bodies(), ["0", "1", "2"]);
    windowed.returns("");
    for n in 0..12 {
        world.sqs.send(&url, &n.to_string()).await;
    }
    let full = world.next().await;
    assert_eq!(full.records().len(), 12);
    full.returns("");
}

#[tokio::test]
async fn an_event_never_exceeds_six_megabytes() {
    let mut world = World::start().await;
    let url = world.sqs.queue("q", json!({})).await;
    for _ in 0..8 {
        world.sqs.send(&url, &"x".repeat(1_000_000)).await;
    }
    world.pollers.start(mapping("q"));
    let (first, second) = (world.next().await, world.next().await);
    assert_eq!((first.records().len(), second.records().len()), (6, 2));
}

#[tokio::test]
async fn a_throttled_batch_is_tried_again_while_its_messages_are_hidden() {
    let mut world = World::start().await;
    let url = world
        .sqs
        .queue("q", json!({"VisibilityTimeout": "4"}))
        .await;
    world.sqs.send(&url, "m").await;
    world.pollers.start(mapping("q"));
    for _ in 0..3 {
        world
            .next()
            .await
            .gets_refused(StatusCode::TOO_MANY_REQUESTS);
        settle().await;
        assert_eq!(world.sqs.counts(&url).await, ["0", "1", "0"]);
        world.sqs.clock.advance(Duration::from_millis(400));
    }
    assert_eq!(world.result().await, "PROBLEM: Rate Exceeded.");
    let fourth = world.next().await;
    assert_eq!(
        fourth.records()[0]["attributes"]["ApproximateReceiveCount"],
        "1"
    );
    fourth.returns("");
    settle().await;
    assert_eq!(world.sqs.counts(&url).await, ["0", "0", "0"]);
    assert_eq!(world.result().await, "OK");
}

#[tokio::test]
async fn a_function_that_is_not_there_is_a_problem_and_the_messages_stay() {
    let mut world = World::start().await;
    let url = world
        .sqs
        .queue("q", json!({"VisibilityTimeout": "7"}))
        .await;
    world.sqs.send(&url, "m").await;
    world.pollers.start(mapping("q"));
    world.next().await.gets_refused(StatusCode::NOT_FOUND);
    assert_eq!(world.result().await, "PROBLEM: Rate Exceeded.");
    world.sqs.advance(7);
    world.next().await.returns("");
    assert_eq!(world.result().await, "OK");
}

#[tokio::test]
async fn a_fifo_group_has_one_batch_in_flight_and_stops_behind_a_failure() {
    let mut world = World::start().await;
    let attributes = json!({"FifoQueue": "true", "VisibilityTimeout": "7"});
    let url = world.sqs.queue("q.fifo", attributes).await;
    world.pollers.start(SqsMapping {
        batch_size: 1,
        ..mapping("q.fifo")
    });
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1")] {
        world.sqs.send_to_group(&url, group, body).await;
    }
    let (first, second) = (world.next().await, world.next().await);
    let mut both = [first.bodies(), second.bodies()].concat();
    both.sort();
    assert_eq!(both, ["a1", "b1"]);
    assert!(world.is_quiet().await);
    let (a, b) = if first.bodies() == ["a1"] {
        (first, second)
    } else {
        (second, first)
    };
    a.fails();
    b.returns("");
    assert!(world.is_quiet().await, "a2 may not overtake a1");
    world.sqs.advance(7);
    let again = world.next().await;
    assert_eq!(again.bodies(), ["a1"]);
    again.returns("");
    let next = world.next().await;
    assert_eq!(next.bodies(), ["a2"]);
    next.returns("");
}

#[tokio::test]
async fn a_queue_that_is_gone_disturbs_no_other_mapping() {
    let mut world = World::start().await;
    let url = world.sqs.queue("q", json!({})).await;
    let gone = world.sqs.queue("gone", json!({})).await;
    world.pollers.start(mapping("q"));
    world.pollers.start(SqsMapping {
        uuid: "gone".into(),
        ..mapping("gone")
    });
    settle().await;
    world.sqs.ok("DeleteQueue", json!({"QueueUrl": gone})).await;
    settle().await;
    assert_eq!(
        world.pollers.last_result("gone").unwrap(),
        "PROBLEM: The specified queue does not exist."
    );
    world.sqs.send(&url, "m").await;
    world.next().await.returns("");
    assert_eq!(world.result().await, "OK");
    world.sqs.queue("gone", json!({})).await;
    world.sqs.send(&gone, "back").await;
    world.sqs.advance(60);
    assert_eq!(world.next().await.bodies(), ["back"], "it tries again");
}

#[tokio::test]
async fn stopping_finishes_what_is_in_hand_and_leaves_the_rest() {
    let mut world = World::start().await;
    let url = world.sqs.queue("q", json!({})).await;
    world.sqs.send(&url, "in hand").await;
    world.pollers.start(mapping("q"));
    let in_hand = world.next().await;
    let stopping = tokio::spawn({
        let pollers = Arc::clone(&world.pollers);
        async move { pollers.stop("m").await }
    });
    settle().await;
    assert!(!stopping.is_finished());
    assert_eq!(world.pollers.last_result("m"), None);
    world.sqs.send(&url, "left").await;
    in_hand.returns("");
    stopping.await.unwrap();
    assert!(world.is_quiet().await);
    assert_eq!(bodies(&world.sqs.receive(&url).await), ["left"]);
}

#[tokio::test]
async fn an_idle_mapping_waits_without_ticking() {
    let mut world = World::start().await;
    let url = world.sqs.queue("q", json!({})).await;
    world.pollers.start(mapping("q"));
    for _ in 0..5 {
        settle().await;
        world.sqs.advance(20);
    }
    settle().await;
    world.sqs.send(&url, "m").await;
    world.next().await.returns("");
}
