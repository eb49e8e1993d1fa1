//! How the gateway reaches the operations, and what each call is about.

use std::sync::Arc;

use async_trait::async_trait;
use service::{RequestContext, Service, ServiceError, dispatch};
use wire::{ServiceSchema, Value};

use crate::{ApiGatewayV2, OPERATIONS, generated};

/// Operations need the service shared; this is how the gateway shares it.
pub struct ApiGatewayV2Service(pub Arc<ApiGatewayV2>);

#[async_trait]
impl Service for ApiGatewayV2Service {
    fn schema(&self) -> &'static ServiceSchema {
        &generated::SCHEMA
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        let title = "API Gateway v2";
        dispatch(OPERATIONS, title, &self.0, operation, context, input).await
    }

    /// API Gateway's actions are HTTP's methods.
    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagementv2.html>
    fn action(&self, operation: &str) -> String {
        let known = generated::SCHEMA.operation(operation);
        let method = known.map_or("GET", |known| known.method);
        format!("apigateway:{method}")
    }

    /// Their resources are paths, without an account.
    fn resource(&self, operation: &str, context: &RequestContext, input: &Value) -> String {
        let Some(known) = generated::SCHEMA.operation(operation) else {
            return "*".to_owned();
        };
        let path = known.path(input);
        let path = path.strip_prefix("/v2").unwrap_or(&path);
        let (partition, region) = (context.region.partition(), &context.region);
        format!("arn:{partition}:apigateway:{region}::{path}")
    }
}
