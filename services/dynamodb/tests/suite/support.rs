//! A real DynamoDB service on a store in memory, with a clock the test moves, called as the
//! gateway calls it: with inputs checked against the model.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base::{AccountId, ManualClock, Region, Timestamp};
use bytes::Bytes;
use dynamodb::{Config, DynamoDb};
use service::ports::ApiCaller;
use service::{Principal, RequestContext, Service, ServiceError};
use store::{MemoryStore, Store};
use wire::Value;

pub use serde_json::{Value as Json, json};

pub struct World {
    pub service: Arc<dyn Service>,
    pub streams: Arc<dyn Service>,
    pub clock: ManualClock,
    pub store: Arc<dyn Store>,
    pub dynamodb: Arc<DynamoDb>,
    pub account: AccountId,
    pub buckets: Arc<Buckets>,
}

/// What stands in for S3 and CloudWatch Logs: one bucket, `bucket`, and the messages logged.
#[derive(Default)]
pub struct Buckets {
    pub objects: Mutex<BTreeMap<String, Bytes>>,
    pub logged: Mutex<Vec<String>>,
}

#[async_trait]
impl ApiCaller for Buckets {
    async fn call(
        &self,
        service: &str,
        operation: &str,
        _: RequestContext,
        mut input: Value,
    ) -> Result<Value, ServiceError> {
        let nothing = || Ok(Value::Map(Vec::new()));
        if service == "logs" {
            let events = input.get("logEvents").and_then(Value::as_list);
            let texts = events
                .unwrap_or_default()
                .iter()
                .filter_map(|event| event.get("message"));
            let texts = texts.filter_map(|text| Some(text.as_str()?.to_owned()));
            self.logged.lock().unwrap().extend(texts);
            return nothing();
        }
        let text = |name: &str| input.get(name).and_then(Value::as_str).map(str::to_owned);
        if text("Bucket").as_deref() != Some("bucket") {
            return Err(ServiceError::new(
                "NoSuchBucket",
                http::StatusCode::NOT_FOUND,
                "The specified bucket does not exist",
            ));
        }
        let mut objects = self.objects.lock().unwrap();
        match operation {
            "PutObject" => {
                let key = text("Key").unwrap();
                let Some(Value::Blob(body)) = input.take("Body") else {
                    panic!("an object has a body");
                };
                objects.insert(key, body);
                nothing()
            }
            "GetObject" => {
                let body = objects[&text("Key").unwrap()].clone();
                Ok(Value::of_members([Some(("Body", Value::Blob(body)))]))
            }
            "ListObjectsV2" => {
                let (prefix, after) = (text("Prefix").unwrap(), text("ContinuationToken"));
                let keys: Vec<_> = objects
                    .keys()
                    .filter(|key| key.starts_with(&prefix) && Some(*key) > after.as_ref())
                    .cloned()
                    .collect();
                let page = keys.iter().take(1);
                let page =
                    page.map(|key| Value::of_members([Some(("Key", Value::Str(key.clone())))]));
                let next = keys.first().filter(|_| keys.len() > 1);
                Ok(Value::of_members([
                    Some(("Contents", Value::List(page.collect()))),
                    next.map(|key| ("NextContinuationToken", Value::Str(key.clone()))),
                ]))
            }
            other => panic!("{other} is not asked for"),
        }
    }
}

impl World {
    pub async fn start() -> Self {
        let clock = ManualClock::starting_at(Timestamp::from_millis(1_795_466_144_123));
        Self::on(Arc::new(MemoryStore::new()), clock).await
    }

    /// One that refuses what is beyond a table's capacity.
    pub async fn throttling() -> Self {
        let clock = ManualClock::starting_at(Timestamp::from_millis(1_795_466_144_123));
        Self::with(Arc::new(MemoryStore::new()), clock, Arc::default(), true).await
    }

    pub async fn on(store: Arc<dyn Store>, clock: ManualClock) -> Self {
        Self::with(store, clock, Arc::default(), false).await
    }

    async fn with(
        store: Arc<dyn Store>,
        clock: ManualClock,
        buckets: Arc<Buckets>,
        throttles: bool,
    ) -> Self {
        let config = Config {
            store: Arc::clone(&store),
            clock: clock.clock(),
            authority: "localhost:4566".into(),
            api: Arc::clone(&buckets) as Arc<dyn ApiCaller>,
            throttles,
        };
        let dynamodb = dynamodb::service(config).await.unwrap();
        dynamodb.resume().await.unwrap();
        Self {
            buckets,
            service: dynamodb::endpoint(&dynamodb),
            streams: dynamodb::streams_endpoint(&dynamodb),
            clock,
            store,
            dynamodb,
            account: AccountId::DEFAULT,
        }
    }

    /// Another start on the same state.
    pub async fn restart(self) -> Self {
        self.dynamodb.end().await;
        let (store, clock) = (Arc::clone(&self.store), self.clock.clone());
        let buckets = Arc::clone(&self.buckets);
        drop(self);
        Self::with(store, clock, buckets, false).await
    }

    fn context(&self) -> RequestContext {
        let account = self.account;
        let now = self.clock.clock().now();
        RequestContext::internal(
            Principal::Root { account },
            account,
            Region::us_east_1(),
            now,
        )
    }

    /// Pairs of action and resource that the gateway would authorize.
    pub fn accesses(&self, operation: &str, input: Json) -> Vec<(String, String)> {
        self.endpoint(operation)
            .accesses(operation, &self.context(), &value(input))
    }

    fn endpoint(&self, operation: &str) -> &Arc<dyn Service> {
        let is_streams = self.streams.schema().operation(operation).is_some();
        if is_streams {
            &self.streams
        } else {
            &self.service
        }
    }

    pub async fn call(&self, operation: &str, input: Json) -> Result<Json, ServiceError> {
        let service = self.endpoint(operation);
        let schema = service.schema().operation(operation).expect(operation);
        let input = value(input);
        wire::validate(service.schema(), schema, &input)
            .map_err(|error| ServiceError::bad_request(error.code, error.message))?;
        let answer = service.call(operation, self.context(), input).await?;
        Ok(json_of(answer))
    }

    pub async fn ok(&self, operation: &str, input: Json) -> Json {
        self.call(operation, input)
            .await
            .unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// Code and message.
    pub async fn refused(&self, operation: &str, input: Json) -> (String, String) {
        let error = self.call(operation, input).await.expect_err(operation);
        (error.code.into_owned(), error.message)
    }

    /// The message of a ValidationException.
    pub async fn invalid(&self, operation: &str, input: Json) -> String {
        let (code, message) = self.refused(operation, input).await;
        assert_eq!(code, "ValidationException", "{message}");
        message
    }

    /// A table `t` with hash key `pk` and range key `sk`, a number; and what else is given.
    pub async fn table(&self, more: Json) {
        let mut input = json!({
            "TableName": "test",
            "KeySchema": [
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "AttributeDefinitions": [
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "N"},
            ],
            "BillingMode": "PAY_PER_REQUEST",
        });
        for (name, value) in more.as_object().unwrap() {
            input[name] = value.clone();
        }
        self.ok("CreateTable", input).await;
    }

    pub async fn put(&self, item: Json) {
        self.ok("PutItem", json!({"TableName": "test", "Item": item}))
            .await;
    }

    /// The item of a key, `Null` if there is none.
    pub async fn get(&self, pk: &str, sk: i64) -> Json {
        let input = json!({"TableName": "test", "Key": key(pk, sk)});
        self.ok("GetItem", input).await["Item"].clone()
    }

    pub async fn update(&self, pk: &str, sk: i64, more: Json) -> Json {
        self.ok(
            "UpdateItem",
            with(json!({"TableName": "test", "Key": key(pk, sk)}), more),
        )
        .await
    }

    pub async fn query(&self, more: Json) -> Json {
        self.ok("Query", with(json!({"TableName": "test"}), more))
            .await
    }

    pub async fn scan(&self, more: Json) -> Json {
        self.ok("Scan", with(json!({"TableName": "test"}), more))
            .await
    }

    /// Lets the tasks behind run until the only index of the table is filled.
    pub async fn index_filled(&self) {
        until(|| async {
            let table = self.ok("DescribeTable", json!({"TableName": "test"})).await;
            table["Table"]["GlobalSecondaryIndexes"][0]["IndexStatus"] == "ACTIVE"
        })
        .await;
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

pub fn key(pk: &str, sk: i64) -> Json {
    json!({"pk": {"S": pk}, "sk": {"N": sk.to_string()}})
}

pub fn with(mut input: Json, more: Json) -> Json {
    for (name, value) in more.as_object().unwrap() {
        input[name] = value.clone();
    }
    input
}

/// The range keys of items.
pub fn range_keys(answer: &Json) -> Vec<i64> {
    let items = answer["Items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["sk"]["N"].as_str().unwrap().parse().unwrap())
        .collect()
}

/// Lets the tasks behind run until `done`.
pub async fn until<F: Future<Output = bool>>(mut done: impl FnMut() -> F) {
    for _ in 0..10_000 {
        if done().await {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it never came about");
}

fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => Value::Int(number.as_i64().unwrap()),
        // In these tests binaries and times are texts that begin with a mark.
        Json::String(text) => match (text.strip_prefix("b!"), text.strip_prefix("t!")) {
            (Some(binary), _) => Value::Blob(binary.to_owned().into()),
            (_, Some(time)) => Value::Time(Timestamp::from_millis(time.parse().unwrap())),
            _ => Value::Str(text),
        },
        Json::Array(items) => Value::List(items.into_iter().map(value).collect()),
        Json::Object(members) => Value::Map(
            members
                .into_iter()
                .map(|(name, json)| (name, value(json)))
                .collect(),
        ),
    }
}

pub fn json_of(value: Value) -> Json {
    match value {
        Value::Null => json!(null),
        Value::Bool(truth) => json!(truth),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Str(text) => json!(text),
        Value::Blob(bytes) => json!(format!("b!{}", String::from_utf8_lossy(&bytes))),
        Value::Time(at) => json!(at.millis()),
        Value::List(items) => items.into_iter().map(json_of).collect(),
        Value::Map(members) => members
            .into_iter()
            .map(|(name, value)| (name, json_of(value)))
            .collect(),
    }
}
