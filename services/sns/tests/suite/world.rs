//! SNS whose targets write down what they get, and refuse it when told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use base::{AccountId, Clock, ManualClock, Region, Timestamp};
use service::ports::ApiCaller;
use service::{Principal, Reach, RequestContext, Service, ServiceError};
use sns::{Config, Sns, SnsService};
use store::{MemoryStore, Store};
use tokio::sync::mpsc;
use wire::Value;

pub struct World {
    pub time: ManualClock,
    pub clock: Clock,
    store: Arc<dyn Store>,
    pub sns: Arc<Sns>,
    targets: Arc<Targets>,
    pub got: mpsc::UnboundedReceiver<Value>,
}

/// The functions' and the queues' side of the ports.
pub struct Targets {
    told: mpsc::UnboundedSender<Value>,
    refuses: AtomicBool,
    attempts: mpsc::UnboundedSender<Value>,
}

#[async_trait]
impl ApiCaller for Targets {
    async fn call(
        &self,
        _: &str,
        _: &str,
        _: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        let event = match input.get("Payload") {
            Some(Value::Blob(event)) => String::from_utf8(event.to_vec()).ok(),
            _ => None,
        };
        self.take(event.map_or(input, Value::Str))?;
        Ok(Value::Null)
    }
}

impl Targets {
    fn take(&self, what: Value) -> Result<(), ServiceError> {
        if self.refuses.load(Ordering::SeqCst) {
            let _ = self.attempts.send(what);
            return Err(ServiceError::internal());
        }
        let _ = self.told.send(what);
        Ok(())
    }
}

impl World {
    pub async fn new() -> Self {
        let start = Timestamp::from_millis(1_800_000_000_000);
        let time = ManualClock::starting_at(start);
        Self::open(Arc::new(MemoryStore::new()), time).await.0
    }

    async fn open(
        store: Arc<dyn Store>,
        time: ManualClock,
    ) -> (Self, mpsc::UnboundedReceiver<Value>) {
        let (told, got) = mpsc::unbounded_channel();
        let (attempts, attempted) = mpsc::unbounded_channel();
        let targets = Arc::new(Targets {
            told,
            refuses: AtomicBool::new(false),
            attempts,
        });
        let sns = sns::service(Config {
            store: Arc::clone(&store),
            clock: time.clock(),
            api: Arc::clone(&targets) as Arc<dyn ApiCaller>,
            web: Arc::new(proxy::client::Client::new()),
            onlooker: None,
            authority: "localhost:4566".to_owned(),
        })
        .await
        .unwrap();
        sns.resume().await.unwrap();
        let world = Self {
            clock: time.clock(),
            time,
            store,
            sns,
            targets,
            got,
        };
        (world, attempted)
    }

    /// Lets targets refuse whatever comes, as what is away does; answers what they refuse.
    pub async fn refusing() -> (Self, mpsc::UnboundedReceiver<Value>) {
        let time = ManualClock::starting_at(Timestamp::from_millis(1_800_000_000_000));
        let (world, attempted) = Self::open(Arc::new(MemoryStore::new()), time).await;
        world.targets.refuses.store(true, Ordering::SeqCst);
        (world, attempted)
    }

    pub fn accept_again(&self) {
        self.targets.refuses.store(false, Ordering::SeqCst);
    }

    /// Ends the service as a crash does, and opens another on its records.
    pub async fn restart(self) -> Self {
        self.sns.end();
        Self::open(self.store, self.time).await.0
    }

    pub async fn call_as(
        &self,
        account: &str,
        operation: &str,
        members: &[(&str, Value)],
    ) -> Result<Value, ServiceError> {
        let account: AccountId = account.parse().unwrap();
        self.call_within(Reach::Anywhere, account, operation, members)
            .await
    }

    async fn call_within(
        &self,
        reach: Reach,
        account: AccountId,
        operation: &str,
        members: &[(&str, Value)],
    ) -> Result<Value, ServiceError> {
        let principal = Principal::Root { account };
        let now = self.clock.now();
        let context = RequestContext::internal(principal, account, Region::us_east_1(), now);
        let service = SnsService(Arc::clone(&self.sns));
        service
            .call(operation, context.within(reach), structure(members))
            .await
    }

    /// A call that came through the gateway of an environment.
    pub async fn call_of_a_function(&self, operation: &str, members: &[(&str, Value)]) -> Value {
        self.call_within(Reach::Function, AccountId::DEFAULT, operation, members)
            .await
            .unwrap()
    }

    pub async fn call(
        &self,
        operation: &str,
        members: &[(&str, Value)],
    ) -> Result<Value, ServiceError> {
        let account = AccountId::DEFAULT.to_string();
        self.call_as(&account, operation, members).await
    }

    pub async fn ok(&self, operation: &str, members: &[(&str, Value)]) -> Value {
        self.call(operation, members).await.unwrap()
    }

    pub async fn refusal(&self, operation: &str, members: &[(&str, Value)]) -> String {
        self.call(operation, members).await.unwrap_err().message
    }

    pub async fn topic(&self, name: &str, attributes: &[(&str, &str)]) -> String {
        let made = self
            .ok(
                "CreateTopic",
                &[("Name", text(name)), ("Attributes", texts(attributes))],
            )
            .await;
        made.get("TopicArn").unwrap().as_str().unwrap().to_owned()
    }

    pub async fn subscribe_queue(&self, topic: &str, queue: &str, attributes: &[(&str, &str)]) {
        let endpoint = format!("arn:aws:sqs:us-east-1:000000000000:{queue}");
        let members = [
            ("TopicArn", text(topic)),
            ("Protocol", text("sqs")),
            ("Endpoint", text(&endpoint)),
            ("Attributes", texts(attributes)),
        ];
        self.ok("Subscribe", &members).await;
    }

    /// The body of the next message that a queue gets.
    pub async fn next_body(&mut self) -> String {
        let message = self.got.recv().await.unwrap();
        body(&message)
    }
}

pub fn body(message: &Value) -> String {
    let body = message.get("MessageBody").and_then(Value::as_str);
    body.unwrap().to_owned()
}

pub fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

pub fn texts(members: &[(&str, &str)]) -> Value {
    let member = |(name, value): &(&str, &str)| ((*name).to_owned(), text(value));
    Value::Map(members.iter().map(member).collect())
}

pub fn structure(members: &[(&str, Value)]) -> Value {
    let member = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
    Value::Map(members.iter().map(member).collect())
}
