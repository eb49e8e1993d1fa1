//! Many clients at once, on several threads and the system's clock: nothing is lost, nothing is
//! delivered twice while it is hidden, and groups keep their order.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, Clock, Region};
use parking_lot::Mutex;
use service::{Principal, RequestContext, Service};
use sqs::Config;
use store::MemoryStore;
use tokio::task::JoinHandle;
use wire::Value;

#[derive(Clone)]
struct Client {
    service: Arc<dyn Service>,
    url: Value,
}

/// What came out, in the order in which it was deleted.
type Deleted = Arc<Mutex<Vec<(String, String)>>>;

fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(
        members
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

fn bodies(deleted: &Deleted) -> HashSet<String> {
    deleted
        .lock()
        .iter()
        .map(|(_, body)| body.clone())
        .collect()
}

impl Client {
    async fn start(name: &str, attributes: Value) -> Self {
        let store = Arc::new(MemoryStore::new());
        let service = sqs::service(Config::default(), store, Clock::system())
            .await
            .unwrap();
        let mut client = Self {
            service,
            url: Value::Null,
        };
        let input = map([("QueueName", text(name)), ("Attributes", attributes)]);
        client.url = client
            .call("CreateQueue", input)
            .await
            .get("QueueUrl")
            .unwrap()
            .clone();
        client
    }

    async fn call(&self, operation: &str, mut input: Value) -> Value {
        if let Value::Map(members) = &mut input
            && self.url != Value::Null
        {
            members.push(("QueueUrl".to_owned(), self.url.clone()));
        }
        let account = AccountId::DEFAULT;
        let now = Clock::system().now();
        let root = Principal::Root { account };
        let context = RequestContext::internal(root, account, Region::us_east_1(), now);
        self.service.call(operation, context, input).await.unwrap()
    }

    /// Receives and deletes until `wanted` different messages are deleted.
    async fn consume(self, deleted: Deleted, wanted: usize) {
        while bodies(&deleted).len() < wanted {
            let input = map([
                ("MaxNumberOfMessages", Value::Int(3)),
                ("WaitTimeSeconds", Value::Int(1)),
                (
                    "MessageSystemAttributeNames",
                    Value::List(vec![text("All")]),
                ),
            ]);
            let answer = self.call("ReceiveMessage", input).await;
            let messages = answer
                .get("Messages")
                .and_then(Value::as_list)
                .unwrap_or_default();
            for message in messages {
                let member = |name: &str| message.get(name).cloned().unwrap_or(Value::Null);
                let group = message
                    .get("Attributes")
                    .and_then(|a| a.get("MessageGroupId"));
                let group = group.and_then(Value::as_str).unwrap_or_default().to_owned();
                let body = member("Body").as_str().unwrap().to_owned();
                deleted.lock().push((group, body));
                let input = map([("ReceiptHandle", member("ReceiptHandle"))]);
                self.call("DeleteMessage", input).await;
            }
        }
    }
}

async fn within_a_minute(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        tokio::time::timeout(Duration::from_mins(1), task)
            .await
            .expect("it got stuck")
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_message_of_a_standard_queue_comes_out_once() {
    let client = Client::start("q", map([])).await;
    let deleted = Deleted::default();
    let mut tasks = Vec::new();
    for sender in 0..4 {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            for n in 0..250 {
                let input = map([("MessageBody", text(&format!("{sender}-{n}")))]);
                client.call("SendMessage", input).await;
            }
        }));
    }
    for _ in 0..6 {
        tasks.push(tokio::spawn(
            client.clone().consume(Arc::clone(&deleted), 1000),
        ));
    }
    within_a_minute(tasks).await;
    assert_eq!(bodies(&deleted).len(), 1000);
    assert_eq!(deleted.lock().len(), 1000, "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn groups_keep_their_order_among_many_consumers() {
    let attributes = map([
        ("FifoQueue", text("true")),
        ("ContentBasedDeduplication", text("true")),
    ]);
    let client = Client::start("q.fifo", attributes).await;
    let deleted = Deleted::default();
    let mut tasks = Vec::new();
    for group in ["a", "b", "c"] {
        let client = client.clone();
        tasks.push(tokio::spawn(async move {
            for n in 0..100 {
                let body = text(&format!("{group}-{n:03}"));
                let input = map([("MessageBody", body), ("MessageGroupId", text(group))]);
                client.call("SendMessage", input).await;
            }
        }));
    }
    for _ in 0..6 {
        tasks.push(tokio::spawn(
            client.clone().consume(Arc::clone(&deleted), 300),
        ));
    }
    within_a_minute(tasks).await;
    let mut by_group: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (group, body) in deleted.lock().drain(..) {
        by_group.entry(group).or_default().push(body);
    }
    for (group, bodies) in by_group {
        let expected: Vec<String> = (0..100).map(|n| format!("{group}-{n:03}")).collect();
        assert_eq!(bodies, expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn receivers_that_hang_up_lose_nothing() {
    let client = Client::start("q", map([("VisibilityTimeout", text("1"))])).await;
    let deleted = Deleted::default();
    let mut waiting = Vec::new();
    for n in 0..200 {
        waiting.push(tokio::spawn({
            let client = client.clone();
            async move {
                client
                    .call("ReceiveMessage", map([("WaitTimeSeconds", Value::Int(5))]))
                    .await;
            }
        }));
        client
            .call("SendMessage", map([("MessageBody", text(&n.to_string()))]))
            .await;
        if n % 3 == 0 {
            waiting.swap_remove(n % waiting.len()).abort();
        }
    }
    for waiter in waiting {
        waiter.abort();
    }
    let consumers: Vec<_> = (0..4)
        .map(|_| tokio::spawn(client.clone().consume(Arc::clone(&deleted), 200)))
        .collect();
    within_a_minute(consumers).await;
    assert_eq!(bodies(&deleted).len(), 200);
}
