//! Lambda behind the gateway: dispatch, and what a call is about.

use std::sync::Arc;

use async_trait::async_trait;
use service::{RequestContext, Service, ServiceError, dispatch};
use wire::{ServiceSchema, Value};

use crate::domain::function_name::{FunctionName, Place};
use crate::generated::SCHEMA;
use crate::{Lambda, OPERATIONS};

/// What the gateway calls.
pub fn endpoint(lambda: &Arc<Lambda>) -> Arc<dyn Service> {
    Arc::new(Endpoint(Arc::clone(lambda)))
}

struct Endpoint(Arc<Lambda>);

#[async_trait]
impl Service for Endpoint {
    fn schema(&self) -> &'static ServiceSchema {
        &SCHEMA
    }

    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        dispatch(OPERATIONS, "Lambda", &self.0, operation, context, input).await
    }

    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html>
    fn resource(&self, _: &str, context: &RequestContext, input: &Value) -> String {
        let here = Place {
            account: context.account,
            region: context.region.clone(),
        };
        let text = |member| input.get(member).and_then(Value::as_str);
        if let Some(arn) = text("Resource") {
            return arn.to_owned();
        }
        if let Some(uuid) = text("UUID") {
            return here.mapping_arn(uuid).to_string();
        }
        let name = text("FunctionName")
            .and_then(|name| FunctionName::parse(name, text("Qualifier"), &here).ok());
        name.map_or_else(|| "*".to_owned(), |name| name.arn().to_string())
    }

    fn action(&self, operation: &str) -> String {
        match operation {
            "Invoke" => "lambda:InvokeFunction".to_owned(),
            _ => format!("lambda:{operation}"),
        }
    }
}
