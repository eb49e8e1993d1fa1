//! The service on a store in memory, for the tests.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each file of tests uses a part; a test fails by panicking"
)]

use std::sync::Arc;

use base::{AccountId, Clock, ManualClock, Region, Timestamp};
use logs::{Config, Logs, LogsService};
use service::{Principal, RequestContext, Service, ServiceError};
use store::MemoryStore;
use wire::Value;

pub const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub struct Fixture {
    pub logs: Arc<Logs>,
    pub clock: Clock,
}

impl Fixture {
    pub fn new() -> Self {
        let clock = ManualClock::starting_at(NOW).clock();
        let store = Arc::new(MemoryStore::new());
        let logs = logs::service(Config {
            store,
            clock: clock.clone(),
        });
        Self { logs, clock }
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
        let fixture = Self::new();
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
        let events = offsets
            .iter()
            .map(|offset| {
                let at = NOW.millis() + offset * 1_000;
                let message = text(&format!("event {offset}"));
                Value::Map(vec![
                    ("timestamp".to_owned(), Value::Int(at)),
                    ("message".to_owned(), message),
                ])
            })
            .collect();
        let names = [
            ("logGroupName", text(group)),
            ("logStreamName", text(stream)),
            ("logEvents", Value::List(events)),
        ];
        self.ok("PutLogEvents", &names).await
    }
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
