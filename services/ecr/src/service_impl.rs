//! How the gateway reaches the operations, and what each call is about.

use std::sync::Arc;

use async_trait::async_trait;
use service::{RequestContext, Service, ServiceError, dispatch};
use wire::{ServiceSchema, Value};

use crate::ops::repository;
use crate::{Ecr, OPERATIONS, generated};

/// What the gateway calls.
pub fn endpoint(ecr: &Arc<Ecr>) -> Arc<dyn Service> {
    Arc::new(Endpoint(Arc::clone(ecr)))
}

struct Endpoint(Arc<Ecr>);

#[async_trait]
impl Service for Endpoint {
    fn schema(&self) -> &'static ServiceSchema {
        &generated::SCHEMA
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        dispatch(OPERATIONS, "ECR", &self.0, operation, context, input).await
    }

    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html>
    fn resource(&self, _: &str, context: &RequestContext, input: &Value) -> String {
        let text = |member| input.get(member).and_then(Value::as_str);
        if let Some(arn) = text("resourceArn") {
            return arn.to_owned();
        }
        match text("repositoryName") {
            Some(name) => repository(context, text("registryId"), name)
                .arn()
                .to_string(),
            None => "*".to_owned(),
        }
    }
}
