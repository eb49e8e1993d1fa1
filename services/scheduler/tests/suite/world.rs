//! A scheduler whose targets write down what they get.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{AccountId, Clock, ManualClock, Region, Timestamp};
use scheduler::{Config, Scheduler, SchedulerService};
use service::ports::ApiCaller;
use service::{Principal, Reach, RequestContext, Service, ServiceError};
use store::{MemoryStore, Store};
use tokio::sync::mpsc;
use wire::Value;

pub struct World {
    pub time: ManualClock,
    pub clock: Clock,
    store: Arc<dyn Store>,
    pub scheduler: Arc<Scheduler>,
    pub got: mpsc::UnboundedReceiver<String>,
}

/// The functions' and the other services' side of the ports.
struct Targets(mpsc::UnboundedSender<String>);

#[async_trait]
impl ApiCaller for Targets {
    async fn call(
        &self,
        service: &str,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        let body = input.get("MessageBody").and_then(Value::as_str);
        let told = match input.get("Payload") {
            Some(Value::Blob(event)) => String::from_utf8(event.to_vec()).unwrap(),
            _ => format!("{service} {operation} {}", body.unwrap_or_default()),
        };
        let _ = self.0.send(match context.reach {
            Reach::Anywhere => told,
            Reach::Function => format!("of a function: {told}"),
        });
        Ok(Value::Null)
    }
}

impl World {
    pub async fn at(start: &str) -> Self {
        let time = ManualClock::starting_at(Timestamp::parse_iso8601(start).unwrap());
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let (scheduler, got) = open(&store, &time).await;
        Self {
            clock: time.clock(),
            time,
            store,
            scheduler,
            got,
        }
    }

    /// Ends the service as a crash does, and opens another on its records.
    pub async fn restart(self, away: Duration) -> Self {
        self.scheduler.end();
        self.time.advance(away);
        let (scheduler, got) = open(&self.store, &self.time).await;
        Self {
            scheduler,
            got,
            ..self
        }
    }

    pub async fn call(
        &self,
        operation: &str,
        members: &[(&str, Value)],
    ) -> Result<Value, ServiceError> {
        self.call_within(Reach::Anywhere, operation, members).await
    }

    pub async fn call_within(
        &self,
        reach: Reach,
        operation: &str,
        members: &[(&str, Value)],
    ) -> Result<Value, ServiceError> {
        let account = AccountId::DEFAULT;
        let principal = Principal::Root { account };
        let now = self.clock.now();
        let context =
            RequestContext::internal(principal, account, Region::us_east_1(), now).within(reach);
        let service = SchedulerService(Arc::clone(&self.scheduler));
        service.call(operation, context, structure(members)).await
    }

    pub async fn create(&self, name: &str, expression: &str, more: &[(&str, Value)]) {
        let mut members = schedule(name, expression);
        members.extend(more.iter().cloned());
        self.call("CreateSchedule", &members).await.unwrap();
    }

    /// Moves the clock to an instant, and waits for what a target gets then.
    pub async fn next_at(&mut self, at: Timestamp) -> String {
        self.time.advance(at.since(self.clock.now()));
        self.got.recv().await.unwrap()
    }

    pub fn nothing_yet(&mut self) -> bool {
        self.got.try_recv().is_err()
    }
}

async fn open(
    store: &Arc<dyn Store>,
    time: &ManualClock,
) -> (Arc<Scheduler>, mpsc::UnboundedReceiver<String>) {
    let (told, got) = mpsc::unbounded_channel();
    let scheduler = scheduler::service(Config {
        store: Arc::clone(store),
        clock: time.clock(),
        api: Arc::new(Targets(told)),
        web: Arc::new(proxy::client::Client::new()),
        calls_anything: true,
    })
    .await
    .unwrap();
    scheduler.resume().await.unwrap();
    (scheduler, got)
}

/// A schedule that calls a function with the time it was scheduled for.
pub fn schedule(name: &str, expression: &str) -> Vec<(&'static str, Value)> {
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let target = structure(&[
        ("Arn", text(function)),
        ("RoleArn", text("arn:aws:iam::000000000000:role/r")),
        ("Input", text("<aws.scheduler.scheduled-time>")),
    ]);
    vec![
        ("Name", text(name)),
        ("ScheduleExpression", text(expression)),
        ("FlexibleTimeWindow", structure(&[("Mode", text("OFF"))])),
        ("Target", target),
    ]
}

pub fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

pub fn structure(members: &[(&str, Value)]) -> Value {
    let member = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
    Value::Map(members.iter().map(member).collect())
}

pub fn instant(text: &str) -> Timestamp {
    Timestamp::parse_iso8601(text).unwrap()
}
