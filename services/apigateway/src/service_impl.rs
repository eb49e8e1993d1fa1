//! How the gateway reaches the operations, and what each call is about.

use std::sync::Arc;

use async_trait::async_trait;
use service::{RequestContext, Service, ServiceError, dispatch};
use wire::{ServiceSchema, Value};

use crate::{ApiGateway, OPERATIONS, generated};

/// Operations need the service shared; this is how the gateway shares it.
pub struct ApiGatewayService(pub Arc<ApiGateway>);

#[async_trait]
impl Service for ApiGatewayService {
    fn schema(&self) -> &'static ServiceSchema {
        &generated::SCHEMA
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        let title = "API Gateway";
        dispatch(OPERATIONS, title, &self.0, operation, context, input).await
    }

    /// The action is the HTTP method:
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html>
    fn action(&self, operation: &str) -> String {
        let schema = generated::SCHEMA.operation(operation);
        let method = schema.map_or("GET", |schema| schema.method);
        format!("apigateway:{method}")
    }

    /// The resource is the path of the request.
    fn resource(&self, operation: &str, context: &RequestContext, input: &Value) -> String {
        let schema = generated::SCHEMA.operation(operation);
        let path = schema.map_or_else(|| "/".to_owned(), |schema| schema.path(input));
        format!(
            "arn:{}:apigateway:{}::{path}",
            context.region.partition(),
            context.region
        )
    }
}
