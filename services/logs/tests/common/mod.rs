//! The service on a store in memory, for the tests.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each file of tests uses a part; a test fails by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use base::{AccountId, Clock, ManualClock, Region, Timestamp};
use logs::{Config, Logs, LogsService};
use service::ports::ApiCaller;
use service::{Principal, RequestContext, Service, ServiceError};
use store::{MemoryStore, Store};
use tokio::sync::mpsc;
use wire::Value;

pub const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub struct Fixture {
    pub logs: Arc<Logs>,
    pub clock: Clock,
    store: Arc<dyn Store>,
    pub functions: Arc<Functions>,
    pub got: mpsc::UnboundedReceiver<Got>,
}

/// An event of a function, and who sent it.
pub struct Got {
    pub function: String,
    pub payload: Vec<u8>,
    pub sender: String,
}

/// The functions' side of the ports.
pub struct Functions {
    told: mpsc::UnboundedSender<Got>,
    pub refuse: AtomicBool,
}

impl Functions {
    fn answer(&self, busy: bool) -> Result<(), ServiceError> {
        match (self.refuse.load(Ordering::SeqCst), busy) {
            (false, _) => Ok(()),
            (true, false) => Err(ServiceError::bad_request("AccessDeniedException", "no")),
            (true, true) => Err(ServiceError::internal()),
        }
    }
}

#[async_trait]
impl ApiCaller for Functions {
    async fn call(
        &self,
        service: &str,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        assert_eq!((service, operation), ("lambda", "Invoke"));
        let text = |name| input.get(name).and_then(Value::as_str);
        if text("InvocationType") == Some("DryRun") {
            return self.answer(false).map(|()| Value::Null);
        }
        assert_eq!(text("InvocationType"), Some("Event"));
        self.answer(true)?;
        let sender = match &context.principal {
            Principal::Service {
                name,
                source_arn: Some(arn),
                ..
            } => format!("{name} {arn}"),
            other => format!("{other:?}"),
        };
        let function = text("FunctionName").unwrap().to_owned();
        let Some(Value::Blob(payload)) = input.get("Payload") else {
            panic!("{input:?}");
        };
        let payload = payload.to_vec();
        let _ = self.told.send(Got {
            function,
            payload,
            sender,
        });
        Ok(Value::Null)
    }
}

impl Fixture {
    pub async fn new() -> Self {
        Self::open(Arc::new(MemoryStore::new())).await
    }

    async fn open(store: Arc<dyn Store>) -> Self {
        let clock = ManualClock::starting_at(NOW).clock();
        let (told, got) = mpsc::unbounded_channel();
        let functions = Arc::new(Functions {
            told,
            refuse: AtomicBool::new(false),
        });
        let logs = logs::service(Config {
            store: Arc::clone(&store),
            clock: clock.clone(),
            api: Arc::clone(&functions) as Arc<dyn ApiCaller>,
        })
        .await
        .unwrap();
        logs.resume().await.unwrap();
        Self {
            logs,
            clock,
            store,
            functions,
            got,
        }
    }

    /// Ends the service as a crash does, and opens another on its records.
    pub async fn restart(self) -> Self {
        self.logs.end();
        Self::open(self.store).await
    }

    pub async fn call(
        &self,
        operation: &str,
        members: &[(&str, Value)],
    ) -> Result<Value, ServiceError> {
        let account = AccountId::DEFAULT;
        let principal = Principal::Root { account };
        let region = Region::us_east_1();
        let context = RequestContext::internal(principal, account, region, self.clock.now());
        let members = members
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()));
        LogsService(Arc::clone(&self.logs))
            .call(operation, context, Value::Map(members.collect()))
            .await
    }

    pub async fn ok(&self, operation: &str, members: &[(&str, Value)]) -> Value {
        self.call(operation, members).await.unwrap()
    }

    pub async fn code(&self, operation: &str, members: &[(&str, Value)]) -> String {
        self.call(operation, members)
            .await
            .unwrap_err()
            .code
            .into_owned()
    }

    pub async fn with_stream(group: &str, stream: &str) -> Self {
        let fixture = Self::new().await;
        fixture
            .ok("CreateLogGroup", &[("logGroupName", text(group))])
            .await;
        fixture.create_stream(group, stream).await;
        fixture
    }

    pub async fn create_stream(&self, group: &str, stream: &str) {
        let names = [
            ("logGroupName", text(group)),
            ("logStreamName", text(stream)),
        ];
        self.ok("CreateLogStream", &names).await;
    }

    /// Events at these offsets from now in seconds, each with its offset as message.
    pub async fn put(&self, group: &str, stream: &str, offsets: &[i64]) -> Value {
        let events = offsets.iter().map(|offset| {
            let at = NOW.millis() + offset * 1_000;
            event(at, &format!("event {offset}"))
        });
        self.put_events(group, stream, events.collect()).await
    }

    pub async fn put_events(&self, group: &str, stream: &str, events: Vec<Value>) -> Value {
        let names = [
            ("logGroupName", text(group)),
            ("logStreamName", text(stream)),
            ("logEvents", Value::List(events)),
        ];
        self.ok("PutLogEvents", &names).await
    }
}

/// One of PutLogEvents, at an instant in milliseconds.
pub fn event(at: i64, message: &str) -> Value {
    Value::Map(vec![
        ("timestamp".to_owned(), Value::Int(at)),
        ("message".to_owned(), text(message)),
    ])
}

pub fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

pub fn messages(answer: &Value) -> Vec<&str> {
    let events = answer.get("events").and_then(Value::as_list).unwrap();
    events
        .iter()
        .map(|event| event.get("message").and_then(Value::as_str).unwrap())
        .collect()
}
