//! How the gateway reaches the operations, and what each call is about.

use std::sync::Arc;

use async_trait::async_trait;
use service::{RequestContext, Service, ServiceError, dispatch};
use wire::{ServiceSchema, Value};

use crate::domain::arn;
use crate::{OPERATIONS, Sns, generated};

/// Operations need the service shared; this is how the gateway shares it.
pub struct SnsService(pub Arc<Sns>);

#[async_trait]
impl Service for SnsService {
    fn schema(&self) -> &'static ServiceSchema {
        &generated::SCHEMA
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        dispatch(OPERATIONS, "SNS", &self.0, operation, context, input).await
    }

    /// The topic; of a subscription too, as IAM knows no ARNs of subscriptions.
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsns.html>
    fn resource(&self, _: &str, context: &RequestContext, input: &Value) -> String {
        let text = |name: &str| input.get(name).and_then(Value::as_str);
        if let Some(arn) = ["TopicArn", "TargetArn", "ResourceArn"]
            .into_iter()
            .find_map(text)
        {
            return arn.to_owned();
        }
        if let Some(Ok((topic, _))) = text("SubscriptionArn").map(arn::subscription) {
            return topic.arn().to_string();
        }
        match text("Name") {
            Some(name) => arn::own(context, name).arn().to_string(),
            None => "*".to_owned(),
        }
    }

    /// A batch needs the permission of the single operation; links in messages need none.
    fn action(&self, operation: &str) -> String {
        match operation {
            "ConfirmSubscription" => String::new(),
            "PublishBatch" => "sns:Publish".to_owned(),
            _ => format!("sns:{operation}"),
        }
    }
}
