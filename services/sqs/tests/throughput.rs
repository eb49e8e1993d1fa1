//! How fast the service is on a real disk: run by hand with `--ignored --nocapture`.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(clippy::print_stdout, reason = "figures are what it is for")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use base::{AccountId, Clock, Region};
use routing::{SqsMapping, SqsPollers};
use service::ports::{ApiCaller, Invocation, InvokeRequest, Invoker};
use service::{Principal, RequestContext, Service, ServiceError};
use sqs::Config;
use store::EmbeddedStore;
use tokio::sync::mpsc;
use wire::Value;

const CLIENTS: usize = 64;
const MESSAGES: usize = 20_000;

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

fn context() -> RequestContext {
    let account = AccountId::DEFAULT;
    let root = Principal::Root { account };
    RequestContext::internal(root, account, Region::us_east_1(), Clock::system().now())
}

async fn start() -> (Arc<dyn Service>, Value, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(EmbeddedStore::open(dir.path()).unwrap());
    let service = sqs::service(Config::default(), store, Clock::system())
        .await
        .unwrap();
    let created = service
        .call("CreateQueue", context(), map([("QueueName", text("q"))]))
        .await
        .unwrap();
    (service, created.get("QueueUrl").unwrap().clone(), dir)
}

/// Runs `one` by 64 clients until it has been done often enough; prints how often a second.
async fn measure<F, Fut>(name: &str, wanted: usize, one: F)
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = usize> + Send,
{
    let done = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (one, done) = (one.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                while done.load(Ordering::Relaxed) < wanted {
                    done.fetch_add(one().await, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    let rate = done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64();
    println!("{name}: {rate:.0}/s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn sends_receives_and_deletes_a_second() {
    let (service, url, _dir) = start().await;
    let body = "x".repeat(1024);
    let sender = (Arc::clone(&service), url.clone());
    measure(
        "durable SendMessage, 1 KB, 64 clients",
        MESSAGES,
        move || {
            let (service, url) = sender.clone();
            let input = map([("QueueUrl", url), ("MessageBody", text(&body))]);
            async move {
                service.call("SendMessage", context(), input).await.unwrap();
                1
            }
        },
    )
    .await;
    measure(
        "ReceiveMessage and DeleteMessage, one each, 64 clients",
        MESSAGES,
        move || {
            let (service, url) = (Arc::clone(&service), url.clone());
            async move {
                let input = map([("QueueUrl", url.clone())]);
                let answer = service
                    .call("ReceiveMessage", context(), input)
                    .await
                    .unwrap();
                let Some(messages) = answer.get("Messages").and_then(Value::as_list) else {
                    return 1;
                };
                let handle = messages[0].get("ReceiptHandle").unwrap().clone();
                let input = map([("QueueUrl", url), ("ReceiptHandle", handle)]);
                service
                    .call("DeleteMessage", context(), input)
                    .await
                    .unwrap();
                1
            }
        },
    )
    .await;
}

struct Api(Arc<dyn Service>);

#[async_trait]
impl ApiCaller for Api {
    async fn call(
        &self,
        _: &str,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        self.0.call(operation, context, input).await
    }
}

struct Function(mpsc::UnboundedSender<Instant>);

#[async_trait]
impl Invoker for Function {
    async fn invoke(&self, _: InvokeRequest) -> Result<Invocation, ServiceError> {
        self.0.send(Instant::now()).unwrap();
        Ok(Invocation {
            payload: "null".into(),
            function_error: None,
            executed_version: "$LATEST".into(),
        })
    }

    async fn invoke_async(&self, _: InvokeRequest) -> Result<(), ServiceError> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn from_send_to_function() {
    let (service, url, _dir) = start().await;
    let (sender, mut invoked) = mpsc::unbounded_channel();
    let pollers = SqsPollers::new(
        Arc::new(Api(Arc::clone(&service))),
        Arc::new(Function(sender)),
        Clock::system(),
    );
    pollers.start(SqsMapping {
        uuid: "m".into(),
        account: AccountId::DEFAULT,
        region: Region::us_east_1(),
        queue: "arn:aws:sqs:us-east-1:000000000000:q".parse().unwrap(),
        function: "arn:aws:lambda:us-east-1:000000000000:function:f"
            .parse()
            .unwrap(),
        batch_size: 10,
        batching_window: Duration::ZERO,
        report_batch_item_failures: false,
        maximum_concurrency: None,
        provisioned: None,
        filters: routing::poller::Filters::default(),
    });
    let (mut to_function, mut to_answer) = (Vec::new(), Vec::new());
    for _ in 0..500 {
        let begun = Instant::now();
        let input = map([("QueueUrl", url.clone()), ("MessageBody", text("m"))]);
        service.call("SendMessage", context(), input).await.unwrap();
        to_answer.push(begun.elapsed());
        to_function.push(invoked.recv().await.unwrap().duration_since(begun));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    to_function.sort();
    to_answer.sort();
    println!("SendMessage called to answered: p50 {:?}", to_answer[250]);
    println!(
        "SendMessage called to function invoked: p50 {:?}",
        to_function[250]
    );
}
