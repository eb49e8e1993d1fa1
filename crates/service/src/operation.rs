//! How a service declares its operations: one visible table, typed handlers behind it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use wire::{ServiceSchema, Value};

use crate::{RequestContext, ServiceError};

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
}
