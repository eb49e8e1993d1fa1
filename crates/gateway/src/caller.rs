//! Calls between services: the same validation and dispatch as a call from outside, without HTTP.
//!
//! Nobody outside can make one, so the calling service is taken at its word: a call is made in the
//! name of an AWS service (`lambda.amazonaws.com`), or of a principal that service has already
//! authorized. The called operation judges resource policies where it has them.

use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use service::ports::ApiCaller;
use service::{RequestContext, ServiceError};
use wire::Value;

use crate::modelled::validation_error;
use crate::registry::{Endpoint, Registry};

/// The port by which services call each other. It is made before them and learns of them after;
/// holding no more than a weak reference, it does not keep them alive.
#[derive(Default)]
pub struct Caller(OnceLock<Weak<Registry>>);

impl Caller {
    /// Names the services. Once per composition.
    pub fn connect(&self, registry: &Arc<Registry>) {
        // A second call could only name the same composition.
        let _ = self.0.set(Arc::downgrade(registry));
    }
}

#[async_trait]
impl ApiCaller for Caller {
    async fn call(
        &self,
        service: &str,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        let Some(registry) = self.0.get().and_then(Weak::upgrade) else {
            tracing::warn!(
                service,
                operation,
                "a port was used before or after its services"
            );
            return Err(ServiceError::internal());
        };
        match registry.by_id(service) {
            Some(Endpoint::Modelled(found)) => {
                let schema = found.schema();
                let Some(known) = schema.operation(operation) else {
                    return Err(ServiceError::not_implemented(service, operation));
                };
                wire::validate(schema, known, &input).map_err(validation_error)?;
                found.call(operation, context, input).await
            }
            Some(Endpoint::Http(found)) => found.call(operation, context, input).await,
            None => Err(ServiceError::not_implemented(service, operation)),
        }
    }
}
