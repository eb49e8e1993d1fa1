//! Handing an event over, by the port of its destination.

use base::Arn;
use bytes::Bytes;
use service::ports::{Event, InvokeRequest};
use service::{Principal, RequestContext, ServiceError};
use wire::Value;

use super::{Destination, Entry, Outbox};

/// S3 as other services see it.
pub const PRINCIPAL: &str = "s3.amazonaws.com";

/// A call S3 makes for a bucket.
pub fn context(
    bucket: &str,
    account: base::AccountId,
    region: &base::Region,
    now: base::Timestamp,
) -> RequestContext {
    let principal = Principal::Service {
        name: PRINCIPAL,
        source_arn: Some(bucket_arn(bucket, region)),
        source_account: Some(account),
    };
    RequestContext::internal(principal, account, region.clone(), now)
}

pub fn bucket_arn(bucket: &str, region: &base::Region) -> Arn {
    Arn {
        partition: region.partition().to_owned(),
        service: "s3".to_owned(),
        region: String::new(),
        account: String::new(),
        resource: bucket.to_owned(),
    }
}

impl Outbox {
    pub(super) async fn deliver(&self, entry: &Entry) -> Result<(), ServiceError> {
        let context = RequestContext {
            trace: entry.trace.clone(),
            ..context(
                &entry.bucket,
                entry.account,
                &entry.region,
                self.clock.now(),
            )
        };
        match &entry.destination {
            Destination::Function(arn) => {
                let request = InvokeRequest {
                    function: arn.clone(),
                    payload: Bytes::from(entry.payload.clone()),
                    context,
                };
                self.ports.invoker.invoke_async(request).await
            }
            Destination::Queue(arn) => self.send(arn, context, &entry.payload).await,
            Destination::Topic(arn) => self.publish(arn, context, &entry.payload).await,
            Destination::EventBus { detail_type } => match &self.ports.events {
                Some(events) => {
                    let resource = bucket_arn(&entry.bucket, &entry.region);
                    events
                        .publish(bus_event(entry, detail_type, resource))
                        .await
                }
                None => Ok(()),
            },
        }
    }

    /// Sends a message to a queue by its ARN.
    pub async fn send(
        &self,
        queue: &Arn,
        context: RequestContext,
        body: &str,
    ) -> Result<(), ServiceError> {
        let url = self.queue_url(queue, context.clone()).await?;
        let input = Value::Map(vec![
            ("QueueUrl".to_owned(), Value::Str(url)),
            ("MessageBody".to_owned(), Value::Str(body.to_owned())),
        ]);
        let sent = self
            .ports
            .api
            .call("sqs", "SendMessage", context, input)
            .await;
        if sent.is_err() {
            self.queue_urls.lock().remove(&queue.to_string());
        }
        sent.map(|_| ())
    }

    /// Publishes a message to a topic, with the subject that S3 gives it.
    pub async fn publish(
        &self,
        topic: &Arn,
        context: RequestContext,
        body: &str,
    ) -> Result<(), ServiceError> {
        let input = Value::of_members([
            Some(("TopicArn", Value::Str(topic.to_string()))),
            Some(("Subject", Value::Str("Amazon S3 Notification".to_owned()))),
            Some(("Message", Value::Str(body.to_owned()))),
        ]);
        let published = self.ports.api.call("sns", "Publish", context, input).await;
        published.map(|_| ())
    }

    /// The URL of a queue, which SendMessage wants.
    async fn queue_url(
        &self,
        queue: &Arn,
        context: RequestContext,
    ) -> Result<String, ServiceError> {
        let known = self.queue_urls.lock().get(&queue.to_string()).cloned();
        if let Some(url) = known {
            return Ok(url);
        }
        let url = look_up_queue(&*self.ports.api, queue, context).await?;
        self.queue_urls
            .lock()
            .insert(queue.to_string(), url.clone());
        Ok(url)
    }
}

/// Asks for the URL of a queue.
///
/// # Errors
/// What SQS answers when there is none.
pub async fn look_up_queue(
    api: &dyn service::ports::ApiCaller,
    queue: &Arn,
    context: RequestContext,
) -> Result<String, ServiceError> {
    let input = Value::Map(vec![
        ("QueueName".to_owned(), Value::Str(queue.resource.clone())),
        (
            "QueueOwnerAWSAccountId".to_owned(),
            Value::Str(queue.account.clone()),
        ),
    ]);
    let output = api.call("sqs", "GetQueueUrl", context, input).await?;
    match output.get("QueueUrl").and_then(Value::as_str) {
        Some(url) => Ok(url.to_owned()),
        None => Err(ServiceError::internal()),
    }
}

fn bus_event(entry: &Entry, detail_type: &str, resource: Arn) -> Event {
    Event {
        account: entry.account,
        region: entry.region.clone(),
        source: "aws.s3".to_owned(),
        detail_type: detail_type.to_owned(),
        detail: entry.payload.clone(),
        resources: vec![resource],
        time: entry.happened_at,
    }
}
