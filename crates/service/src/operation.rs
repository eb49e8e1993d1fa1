//! How a service declares its operations: one visible table, typed handlers behind it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use wire::{ServiceSchema, Value};

use crate::{Body, RequestContext, ServiceError};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Takes the decoded, validated and authorized input of one operation.
pub type Handler<S> =
    fn(Arc<S>, RequestContext, Value) -> BoxFuture<'static, Result<Value, ServiceError>>;

/// A row of a service's `OPERATIONS` table; write it with [`operation!`](crate::operation).
pub struct Operation<S> {
    pub name: &'static str,
    pub schema: &'static wire::OperationSchema,
    pub handler: Handler<S>,
}

/// One row of an `OPERATIONS` table: the generated marker type and the function that answers it,
/// `async fn(Arc<S>, RequestContext, Input) -> Result<Output, ServiceError>`.
///
/// ```ignore
/// pub static OPERATIONS: &[Operation<Sqs>] = &[
///     operation!(SendMessage => ops::send_message),
/// ];
/// ```
#[macro_export]
macro_rules! operation {
    ($marker:ty => $handler:path) => {
        $crate::Operation {
            name: <$marker as ::wire::Operation>::SCHEMA.name,
            schema: <$marker as ::wire::Operation>::SCHEMA,
            handler: |service, context, input| {
                ::std::boxed::Box::pin(async move {
                    let input =
                        <<$marker as ::wire::Operation>::Input as ::wire::Shape>::from_value(input);
                    let output: <$marker as ::wire::Operation>::Output =
                        $handler(service, context, input).await?;
                    Ok(::wire::Shape::into_value(output))
                })
            },
        }
    };
}

/// Answers one operation whose output has a body that goes out while it is being made.
pub type StreamingHandler<S> =
    fn(Arc<S>, RequestContext, Value) -> BoxFuture<'static, Result<(Value, Body), ServiceError>>;

/// A row of a service's table of such operations; write it with [`streamed!`](crate::streamed).
pub struct StreamedOperation<S> {
    pub name: &'static str,
    pub handler: StreamingHandler<S>,
}

/// As [`operation!`](crate::operation), of a function that returns its output with a [`Body`].
#[macro_export]
macro_rules! streamed {
    ($marker:ty => $handler:path) => {
        $crate::StreamedOperation {
            name: <$marker as ::wire::Operation>::SCHEMA.name,
            handler: |service, context, input| {
                ::std::boxed::Box::pin(async move {
                    let input =
                        <<$marker as ::wire::Operation>::Input as ::wire::Shape>::from_value(input);
                    let (output, body): (<$marker as ::wire::Operation>::Output, $crate::Body) =
                        $handler(service, context, input).await?;
                    Ok((::wire::Shape::into_value(output), body))
                })
            },
        }
    };
}

/// Runs the row of that name, or answers that the service, which `title` names to people, does not
/// have it.
pub async fn dispatch<S>(
    table: &'static [Operation<S>],
    title: &str,
    service: &Arc<S>,
    operation: &str,
    context: RequestContext,
    input: Value,
) -> Result<Value, ServiceError> {
    match table.iter().find(|row| row.name == operation) {
        Some(row) => (row.handler)(Arc::clone(service), context, input).await,
        None => Err(ServiceError::not_implemented(title, operation)),
    }
}

/// An AWS service whose requests the gateway decodes by its model.
#[async_trait]
pub trait Service: Send + Sync + 'static {
    fn schema(&self) -> &'static ServiceSchema;

    /// Runs one operation of the table. The input has been decoded and validated against the
    /// operation's schema, and the principal may call it.
    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError>;

    /// Runs one operation whose output has a streamed body; `None` of any other.
    async fn stream(
        &self,
        operation: &str,
        context: &RequestContext,
        input: &mut Value,
    ) -> Option<Result<(Value, Body), ServiceError>> {
        let _ = (operation, context, input);
        None
    }

    /// The ARN the call is about, for policy evaluation; `*` where the operation names none.
    fn resource(&self, operation: &str, context: &RequestContext, input: &Value) -> String {
        let _ = (operation, context, input);
        "*".to_owned()
    }

    /// The IAM action a call needs, where it is not `signing_name:OperationName`
    /// (`lambda:InvokeFunction` for `Invoke`).
    fn action(&self, operation: &str) -> String {
        format!("{}:{operation}", self.schema().signing_name)
    }

    /// Everything a call needs permission for, as pairs of action and resource: more than one where
    /// it is about several resources, or does several things.
    fn accesses(
        &self,
        operation: &str,
        context: &RequestContext,
        input: &Value,
    ) -> Vec<(String, String)> {
        vec![(
            self.action(operation),
            self.resource(operation, context, input),
        )]
    }

    /// Whether answers carry the CRC-32 of their bodies, as DynamoDB's do and its clients check.
    fn checksums_answers(&self) -> bool {
        false
    }
}
