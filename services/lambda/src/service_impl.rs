//! Lambda behind the gateway: dispatch, and what a call is about.

use std::sync::Arc;

use async_trait::async_trait;
use service::{Body, RequestContext, Service, ServiceError, dispatch};
use wire::{ServiceSchema, Value};

use crate::domain::capacity_provider;
use crate::domain::function_name::{FunctionName, Place};
use crate::domain::layer::LayerName;
use crate::durable;
use crate::generated::SCHEMA;
use crate::{Lambda, OPERATIONS, STREAMED};

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

    async fn stream(
        &self,
        operation: &str,
        context: &RequestContext,
        input: &mut Value,
    ) -> Option<Result<(Value, Body), ServiceError>> {
        let row = STREAMED.iter().find(|row| row.name == operation)?;
        let input = std::mem::replace(input, Value::Null);
        Some((row.handler)(Arc::clone(&self.0), context.clone(), input).await)
    }

    /// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html>
    fn resource(&self, _: &str, context: &RequestContext, input: &Value) -> String {
        let here = Place {
            account: context.account,
            region: context.region.clone(),
        };
        let text = |member| input.get(member).and_then(Value::as_str);
        if let Some(execution) = text("DurableExecutionArn") {
            return execution.to_owned();
        }
        if let Some(callback) = text("CallbackId") {
            let execution = durable::callback_execution(callback);
            return execution.map_or_else(|| "*".to_owned(), |it| it.to_string());
        }
        if let Some(arn) = text("Resource").or_else(|| text("ResourceArn")) {
            return arn.to_owned();
        }
        if let Some(provider) = text("CapacityProviderName") {
            let arn = capacity_provider::named(provider, &here);
            return arn.map_or_else(|_| "*".to_owned(), |arn| arn.to_string());
        }
        if let Some(uuid) = text("UUID") {
            return here.mapping_arn(uuid).to_string();
        }
        if let Some(layer) = text("LayerName") {
            let layer = LayerName::parse(layer, &here);
            let arn = match input.get("VersionNumber") {
                Some(Value::Int(version)) => layer.version_arn(*version),
                _ => layer.place.layer_arn(&layer.name),
            };
            return arn.to_string();
        }
        // Of a layer version.
        if let Some(arn) = text("Arn") {
            return arn.to_owned();
        }
        let name = text("FunctionName")
            .and_then(|name| FunctionName::parse(name, text("Qualifier"), &here).ok());
        name.map_or_else(|| "*".to_owned(), |name| name.arn().to_string())
    }

    fn action(&self, operation: &str) -> String {
        match operation {
            "GetLayerVersionByArn" => "lambda:GetLayerVersion".to_owned(),
            "Invoke" | "InvokeWithResponseStream" => "lambda:InvokeFunction".to_owned(),
            _ => format!("lambda:{operation}"),
        }
    }

    /// A checkpoint that begins chained invocations is these invocations too, and whoever puts a
    /// function on a capacity provider passes it that.
    fn accesses(
        &self,
        operation: &str,
        context: &RequestContext,
        input: &Value,
    ) -> Vec<(String, String)> {
        let here = Place {
            account: context.account,
            region: context.region.clone(),
        };
        let own = (
            self.action(operation),
            self.resource(operation, context, input),
        );
        let chained = durable::chained_functions(input, &here)
            .into_iter()
            .map(|function| ("lambda:InvokeFunction".to_owned(), function));
        let provider = input
            .get("CapacityProviderConfig")
            .and_then(|config| config.get("LambdaManagedInstancesCapacityProviderConfig"))
            .and_then(|config| config.get("CapacityProviderArn"))
            .and_then(Value::as_str)
            .map(|arn| ("lambda:PassCapacityProvider".to_owned(), arn.to_owned()));
        std::iter::once(own)
            .chain(chained)
            .chain(provider)
            .collect()
    }
}
