//! How the gateway reaches the operations, and what each call is about.

use std::sync::Arc;

use async_trait::async_trait;
use base::Arn;
use service::{RequestContext, Service, ServiceError, dispatch};
use wire::{ServiceSchema, Value};

use crate::domain::move_task::MoveTask;
use crate::domain::queue_url::{self, QueueAddress};
use crate::queue::Queue;
use crate::records::QueueName;
use crate::{OPERATIONS, Sqs, error, generated};

/// Operations need the service shared; this is how the gateway shares it.
pub struct SqsService(pub Arc<Sqs>);

impl Sqs {
    /// The queue a URL names.
    pub(crate) fn queue(
        &self,
        context: &RequestContext,
        url: &str,
    ) -> Result<Arc<Queue>, ServiceError> {
        let address = queue_url::parse(url).ok_or_else(|| error::invalid_address(url))?;
        let find = |region| {
            self.queues.get(&QueueName {
                account: address.account,
                region,
                name: address.name.clone(),
            })
        };
        let found = match (address.region.clone(), address.host_region.clone()) {
            (Some(region), _) => find(region),
            (None, Some(region)) => find(region).or_else(|| find(context.region.clone())),
            (None, None) => find(context.region.clone()),
        };
        found.ok_or_else(error::queue_does_not_exist)
    }

    /// The URL of a queue for this caller.
    pub(crate) fn url(&self, context: &RequestContext, queue: &QueueName) -> String {
        let authority = context.authority().unwrap_or(&self.config.authority);
        queue_url::format(authority, queue.account, &queue.name)
    }
}

#[async_trait]
impl Service for SqsService {
    fn schema(&self) -> &'static ServiceSchema {
        &generated::SCHEMA
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        dispatch(OPERATIONS, "SQS", &self.0, operation, context, input).await
    }

    fn resource(&self, _operation: &str, context: &RequestContext, input: &Value) -> String {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        // Message move tasks name their source by its ARN.
        if let Some(arn) = text("SourceArn") {
            return arn.to_owned();
        }
        if let Some((_, source)) = text("TaskHandle").and_then(MoveTask::read_handle) {
            return source.to_string();
        }
        let QueueAddress {
            account,
            region,
            host_region: _,
            name,
        } = text("QueueUrl")
            .and_then(queue_url::parse)
            .unwrap_or_else(|| QueueAddress {
                account: text("QueueOwnerAWSAccountId")
                    .and_then(|owner| owner.parse().ok())
                    .unwrap_or(context.account),
                region: None,
                host_region: None,
                name: text("QueueName").unwrap_or("*").to_owned(),
            });
        let region = region.as_ref().unwrap_or(&context.region);
        Arn::regional("sqs", region, account, name).to_string()
    }

    /// Batches need the permission of the single operation.
    ///
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-api-permissions-reference.html>
    fn action(&self, operation: &str) -> String {
        format!(
            "sqs:{}",
            operation.strip_suffix("Batch").unwrap_or(operation)
        )
    }
}
