//! The three SQS calls a mapping makes, through the same door as any client.

use std::sync::Arc;

use base::Clock;
use service::ports::ApiCaller;
use service::{Principal, RequestContext, ServiceError};
use wire::Value;

use super::SqsMapping;
use super::event::Record;

/// Most messages one receive returns, and one delete takes.
pub const MAX_MESSAGES: usize = 10;
/// The longest a receive waits, in seconds.
const LONG_POLL: i64 = 20;
/// Deletes are repeated, for a message that is not deleted is handled twice.
const DELETE_ATTEMPTS: usize = 3;

pub struct QueueClient {
    api: Arc<dyn ApiCaller>,
    clock: Clock,
    url: String,
}

impl QueueClient {
    pub fn new(api: Arc<dyn ApiCaller>, clock: Clock, mapping: &SqsMapping) -> Self {
        // Only the path of a queue's URL counts.
        let url = format!(
            "http://localhost/{}/{}",
            mapping.queue.account, mapping.queue.resource
        );
        Self { api, clock, url }
    }

    /// Waits for messages; returns none after 20 seconds without.
    pub async fn receive(
        &self,
        mapping: &SqsMapping,
        max: usize,
    ) -> Result<Vec<Record>, ServiceError> {
        let all = || Value::List(vec![Value::Str("All".into())]);
        let input = self.input([
            (
                "MaxNumberOfMessages",
                Value::Int(max.clamp(1, MAX_MESSAGES) as i64),
            ),
            ("WaitTimeSeconds", Value::Int(LONG_POLL)),
            ("MessageSystemAttributeNames", all()),
            ("MessageAttributeNames", all()),
        ]);
        let answer = self.call("ReceiveMessage", mapping, input).await?;
        let messages = answer
            .get("Messages")
            .and_then(Value::as_list)
            .unwrap_or_default();
        Ok(messages
            .iter()
            .filter_map(|message| Record::new(message, mapping))
            .collect())
    }

    /// Deletes messages. What cannot be deleted is logged and will be received again.
    pub async fn delete(&self, mapping: &SqsMapping, receipt_handles: Vec<&str>) {
        for handles in receipt_handles.chunks(MAX_MESSAGES) {
            let mut left: Vec<&str> = handles.to_vec();
            for _ in 0..DELETE_ATTEMPTS {
                left = self.try_delete(mapping, left).await;
                if left.is_empty() {
                    break;
                }
            }
            if !left.is_empty() {
                tracing::warn!(
                    queue = %mapping.queue,
                    messages = left.len(),
                    "sqs mapping: messages were handled but could not be deleted"
                );
            }
        }
    }

    /// Returns the handles that are still there and may be tried again.
    async fn try_delete<'a>(&self, mapping: &SqsMapping, handles: Vec<&'a str>) -> Vec<&'a str> {
        let entry = |(at, handle): (usize, &&str)| {
            Value::Map(vec![
                ("Id".into(), Value::Str(at.to_string())),
                ("ReceiptHandle".into(), Value::Str((*handle).to_owned())),
            ])
        };
        let entries = handles.iter().enumerate().map(entry).collect();
        let input = self.input([("Entries", Value::List(entries))]);
        let answer = match self.call("DeleteMessageBatch", mapping, input).await {
            Ok(answer) => answer,
            Err(error) if error.is_server_fault() => return handles,
            Err(error) => {
                tracing::warn!(queue = %mapping.queue, %error, "sqs mapping: delete messages");
                return Vec::new();
            }
        };
        let failed = answer
            .get("Failed")
            .and_then(Value::as_list)
            .unwrap_or_default();
        let repeatable = |entry: &Value| {
            // A sender fault, such as an expired receipt, would only fail again.
            if entry.get("SenderFault") == Some(&Value::Bool(true)) {
                return None;
            }
            let at: usize = entry.get("Id")?.as_str()?.parse().ok()?;
            handles.get(at).copied()
        };
        failed.iter().filter_map(repeatable).collect()
    }

    /// The queue's visibility timeout, in seconds.
    pub async fn visibility_timeout(&self, mapping: &SqsMapping) -> Result<u64, ServiceError> {
        let names = Value::List(vec![Value::Str("VisibilityTimeout".into())]);
        let input = self.input([("AttributeNames", names)]);
        let answer = self.call("GetQueueAttributes", mapping, input).await?;
        let seconds = answer
            .get("Attributes")
            .and_then(|attributes| attributes.get("VisibilityTimeout"))
            .and_then(Value::as_str)
            .and_then(|text| text.parse().ok());
        Ok(seconds.unwrap_or_default())
    }

    fn input<const N: usize>(&self, members: [(&str, Value); N]) -> Value {
        let url = ("QueueUrl", Value::Str(self.url.clone()));
        let owned = |(name, value): (&str, Value)| (name.to_owned(), value);
        Value::Map(std::iter::once(url).chain(members).map(owned).collect())
    }

    async fn call(
        &self,
        operation: &str,
        mapping: &SqsMapping,
        input: Value,
    ) -> Result<Value, ServiceError> {
        let context = RequestContext::internal(
            Principal::Service {
                name: "lambda.amazonaws.com",
                source_arn: Some(mapping.function.clone()),
                source_account: Some(mapping.account),
            },
            mapping.queue.account_id().unwrap_or(mapping.account),
            mapping
                .queue
                .region()
                .unwrap_or_else(|| mapping.region.clone()),
            self.clock.now(),
        );
        self.api.call("sqs", operation, context, input).await
    }
}
