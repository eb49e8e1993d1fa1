//! DynamoDB Streams, through the same door as any client.

use std::sync::Arc;

use async_trait::async_trait;
use base::Timestamp;
use serde_json::Value as Json;
use service::{BoxFuture, Principal, RequestContext, ServiceError};
use wire::Value;

use super::record::{Record, to_json};
use super::source::{Page, Position, Shard, StreamSource};
use super::{Ports, StreamMapping};

pub struct DynamoDbStream {
    ports: Arc<Ports>,
    mapping: StreamMapping,
}

impl DynamoDbStream {
    pub fn new(ports: Arc<Ports>, mapping: StreamMapping) -> Self {
        Self { ports, mapping }
    }

    async fn call<const N: usize>(
        &self,
        operation: &str,
        members: [(&str, Value); N],
    ) -> Result<Value, ServiceError> {
        let StreamMapping {
            stream, function, ..
        } = &self.mapping;
        let principal = Principal::Service {
            name: "lambda.amazonaws.com",
            source_arn: Some(function.clone()),
            source_account: Some(self.mapping.account),
        };
        let context = RequestContext::internal(
            principal,
            stream.account_id().unwrap_or(self.mapping.account),
            stream
                .region()
                .unwrap_or_else(|| self.mapping.region.clone()),
            self.ports.clock.now(),
        );
        let owned = members
            .into_iter()
            .filter(|(_, value)| *value != Value::Null)
            .map(|(name, value)| (name.to_owned(), value));
        let input = Value::Map(owned.collect());
        let api = &self.ports.api;
        api.call("dynamodbstreams", operation, context, input).await
    }

    fn arn(&self) -> Value {
        Value::Str(self.mapping.stream.to_string())
    }

    /// Lambda adds the stream, and writes the identity's members in its own way.
    fn record(&self, value: &Value) -> Option<Record> {
        let change = value.get("dynamodb")?;
        let sequence = change.get("SequenceNumber")?.as_str()?.to_owned();
        let at = match change.get("ApproximateCreationDateTime") {
            Some(Value::Time(at)) => *at,
            _ => Timestamp::default(),
        };
        let key = change.get("Keys").map(to_json)?.to_string();
        let Json::Object(mut json) = to_json(value) else {
            return None;
        };
        let arn = self.mapping.stream.to_string();
        json.insert("eventSourceARN".to_owned(), arn.into());
        if let Some(Json::Object(identity)) = json.get_mut("userIdentity") {
            for (theirs, ours) in [("PrincipalId", "principalId"), ("Type", "type")] {
                if let Some(member) = identity.remove(theirs) {
                    identity.insert(ours.to_owned(), member);
                }
            }
        }
        Some(Record {
            sequence,
            at,
            key,
            json: Json::Object(json),
        })
    }
}

#[async_trait]
impl StreamSource for DynamoDbStream {
    async fn shards(&self) -> Result<Vec<Shard>, ServiceError> {
        let mut shards = Vec::new();
        let mut start = Value::Null;
        loop {
            let members = [("StreamArn", self.arn()), ("ExclusiveStartShardId", start)];
            let answer = self.call("DescribeStream", members).await?;
            let description = answer.get("StreamDescription");
            let page = description
                .and_then(|it| it.get("Shards")?.as_list())
                .unwrap_or_default();
            shards.extend(page.iter().filter_map(|shard| {
                let text = |name| shard.get(name).and_then(Value::as_str).map(str::to_owned);
                Some(Shard {
                    id: text("ShardId")?,
                    parent: text("ParentShardId"),
                })
            }));
            let last = description.and_then(|it| it.get("LastEvaluatedShardId")?.as_str());
            match last {
                Some(last) => start = Value::Str(last.to_owned()),
                None => return Ok(shards),
            }
        }
    }

    async fn iterator(&self, shard: &str, position: &Position) -> Result<String, ServiceError> {
        let (kind, sequence, timestamp) = match position {
            Position::TrimHorizon => ("TRIM_HORIZON", Value::Null, Value::Null),
            Position::At(at) => ("AT_TIMESTAMP", Value::Null, Value::Time(*at)),
            Position::After(sequence) => (
                "AFTER_SEQUENCE_NUMBER",
                Value::Str(sequence.clone()),
                Value::Null,
            ),
        };
        let members = [
            ("StreamArn", self.arn()),
            ("ShardId", Value::Str(shard.to_owned())),
            ("ShardIteratorType", Value::Str(kind.to_owned())),
            ("SequenceNumber", sequence),
            ("Timestamp", timestamp),
        ];
        let answer = self.call("GetShardIterator", members).await?;
        let iterator = answer.get("ShardIterator").and_then(Value::as_str);
        Ok(iterator.unwrap_or_default().to_owned())
    }

    async fn read(&self, iterator: &str) -> Result<Page, ServiceError> {
        let members = [("ShardIterator", Value::Str(iterator.to_owned()))];
        let answer = self.call("GetRecords", members).await?;
        let records = answer
            .get("Records")
            .and_then(Value::as_list)
            .unwrap_or_default();
        let next = answer.get("NextShardIterator").and_then(Value::as_str);
        Ok(Page {
            records: records.iter().filter_map(|it| self.record(it)).collect(),
            next: next.map(str::to_owned),
        })
    }

    fn changed(&self) -> BoxFuture<'static, ()> {
        self.ports.signals.changed(&self.mapping.stream)
    }

    fn batch_info(&self) -> &'static str {
        "DDBStreamBatchInfo"
    }
}
