//! A real SQS service on a store in memory, with a clock the test moves, called as the gateway
//! calls it.
#![allow(clippy::unwrap_used, reason = "a test may fail")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, ManualClock, Region, Timestamp};
use service::{Origin, Principal, RequestContext, Service, ServiceError};
use sqs::Config;
use store::{MemoryStore, Store};
use wire::Value;

pub use serde_json::json;

#[derive(Clone)]
pub struct Sqs {
    pub service: Arc<dyn Service>,
    pub clock: ManualClock,
}

impl Sqs {
    pub async fn start() -> Self {
        Self::on(Arc::new(MemoryStore::new()), Config::default()).await
    }

    pub async fn on(store: Arc<dyn Store>, config: Config) -> Self {
        let clock = ManualClock::starting_at(Timestamp::from_millis(1_795_466_144_123));
        Self::with_clock(store, config, clock).await
    }

    pub async fn with_clock(store: Arc<dyn Store>, config: Config, clock: ManualClock) -> Self {
        let service = sqs::service(config, store, clock.clock()).await.unwrap();
        Self { service, clock }
    }

    pub fn context(&self) -> RequestContext {
        let mut context = RequestContext::internal(
            Principal::User {
                arn: "arn:aws:iam::000000000000:user/me".parse().unwrap(),
                user_id: "AIDAME".into(),
            },
            AccountId::DEFAULT,
            Region::us_east_1(),
            self.clock.clock().now(),
        );
        context.origin = Origin::Http {
            peer: None,
            authority: Some("127.0.0.1:4566".into()),
            user_agent: None,
            is_tls: false,
        };
        context
    }

    pub async fn call(
        &self,
        operation: &str,
        input: serde_json::Value,
    ) -> Result<serde_json::Value, ServiceError> {
        let answer = self
            .service
            .call(operation, self.context(), value(input))
            .await?;
        Ok(json_of(answer))
    }

    pub async fn ok(&self, operation: &str, input: serde_json::Value) -> serde_json::Value {
        self.call(operation, input)
            .await
            .unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// The code as both protocols show it, and the message.
    pub async fn refused(
        &self,
        operation: &str,
        input: serde_json::Value,
    ) -> (String, String, String) {
        let error = self.call(operation, input).await.expect_err(operation);
        let query_code = error.query_code.unwrap_or_default().to_owned();
        (error.code.into_owned(), query_code, error.message)
    }

    /// Creates a queue and returns its URL.
    pub async fn queue(&self, name: &str, attributes: serde_json::Value) -> String {
        let input = json!({"QueueName": name, "Attributes": attributes});
        text(&self.ok("CreateQueue", input).await["QueueUrl"])
    }

    pub async fn send(&self, url: &str, body: &str) -> String {
        let input = json!({"QueueUrl": url, "MessageBody": body});
        text(&self.ok("SendMessage", input).await["MessageId"])
    }

    pub async fn send_to_group(&self, url: &str, group: &str, body: &str) -> serde_json::Value {
        let input = json!({
            "QueueUrl": url,
            "MessageBody": body,
            "MessageGroupId": group,
            "MessageDeduplicationId": format!("{group}-{body}"),
        });
        self.ok("SendMessage", input).await
    }

    /// Receives up to ten messages with everything there is to know of them.
    pub async fn receive(&self, url: &str) -> Vec<serde_json::Value> {
        self.receive_with(url, json!({})).await
    }

    pub async fn receive_with(&self, url: &str, more: serde_json::Value) -> Vec<serde_json::Value> {
        let mut input = json!({
            "QueueUrl": url,
            "MaxNumberOfMessages": 10,
            "MessageSystemAttributeNames": ["All"],
            "MessageAttributeNames": ["All"],
        });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        let answer = self.ok("ReceiveMessage", input).await;
        answer["Messages"].as_array().cloned().unwrap_or_default()
    }

    pub async fn delete(&self, url: &str, message: &serde_json::Value) {
        let input = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
        self.ok("DeleteMessage", input).await;
    }

    pub async fn attributes(&self, url: &str) -> serde_json::Value {
        let input = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        self.ok("GetQueueAttributes", input).await["Attributes"].clone()
    }

    /// Visible, in flight, delayed.
    pub async fn counts(&self, url: &str) -> [String; 3] {
        let attributes = self.attributes(url).await;
        ["", "NotVisible", "Delayed"]
            .map(|kind| text(&attributes[format!("ApproximateNumberOfMessages{kind}")]))
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub fn text(value: &serde_json::Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not text: {value}"))
        .to_owned()
}

pub fn bodies(messages: &[serde_json::Value]) -> Vec<String> {
    messages
        .iter()
        .map(|message| text(&message["Body"]))
        .collect()
}

/// Lets every task run until it waits. The tests are single-threaded.
pub async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn value(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(truth),
        serde_json::Value::Number(number) => Value::Int(number.as_i64().unwrap()),
        serde_json::Value::String(text) => Value::Str(text),
        serde_json::Value::Array(items) => Value::List(items.into_iter().map(value).collect()),
        serde_json::Value::Object(members) => Value::Map(
            members
                .into_iter()
                .map(|(name, json)| (name, value(json)))
                .collect(),
        ),
    }
}

fn json_of(value: Value) -> serde_json::Value {
    match value {
        Value::Null => json!(null),
        Value::Bool(truth) => json!(truth),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Str(text) => json!(text),
        Value::Blob(bytes) => json!(bytes.to_vec()),
        Value::Time(at) => json!(at.millis()),
        Value::List(items) => items.into_iter().map(json_of).collect(),
        Value::Map(members) => members
            .into_iter()
            .map(|(name, value)| (name, json_of(value)))
            .collect(),
    }
}
