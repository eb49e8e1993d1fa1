//! Calls between services: the same validation and dispatch as a call from outside, without HTTP.
//!
//! Nobody outside can make one, so the calling service is taken at its word: a call is made in the
//! name of an AWS service (`lambda.amazonaws.com`), or of a principal that service has already
//! authorized. The called operation judges resource policies where it has them.

use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, Uri};
use service::ports::ApiCaller;
use service::{RequestContext, ServiceError};
use wire::{Protocol, ServiceSchema, Value};

use crate::body::full;
use crate::modelled::{self, validation_error};
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

    async fn send(
        &self,
        service: &str,
        action: Option<&str>,
        context: RequestContext,
        request: Request<Bytes>,
    ) -> Response<Bytes> {
        let registry = self.0.get().and_then(Weak::upgrade);
        let (mut parts, mut body) = request.into_parts();
        // Some services read their own URLs by it.
        let host = HeaderValue::from_static("localhost");
        parts.headers.entry(HOST).or_insert(host);
        let found = registry.as_ref().and_then(|registry| {
            registry
                .by_scope(service, &parts.method, parts.uri.path())
                .cloned()
        });
        match found {
            Some(Endpoint::Modelled(found)) => {
                if let Some(action) = action {
                    say_action(found.schema(), action, &mut parts, &mut body);
                }
                modelled::answer_inside(&*found, context, &parts, &body).await
            }
            Some(Endpoint::Http(found)) => {
                let body = full(body);
                let answer = found
                    .handle(context, Request::from_parts(parts, body))
                    .await;
                let (parts, body) = answer.into_parts();
                let Ok(body) = proxy::request::collect(body, MOST_ANSWERED).await else {
                    tracing::warn!(service, "an answer was too long, or broke off");
                    return refused(&ServiceError::internal());
                };
                Response::from_parts(parts, body)
            }
            None => refused(&ServiceError::not_implemented(service, "requests")),
        }
    }
}

/// An answer of at most so many bytes.
const MOST_ANSWERED: usize = 16 << 20;

fn refused(error: &ServiceError) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(error.message.clone()));
    *response.status_mut() = error.status;
    response
}

/// Names the operation as the service's clients do: in the form where it takes forms, else in
/// `X-Amz-Target`.
fn say_action(schema: &ServiceSchema, action: &str, parts: &mut Parts, body: &mut Bytes) {
    if let Some(prefix) = schema.target_prefix.filter(|_| !schema.speaks_query()) {
        let target = HeaderValue::from_str(&format!("{prefix}.{action}"));
        if let Ok(target) = target {
            parts.headers.insert("x-amz-target", target);
        }
        let kind = match schema.protocols[0] {
            Protocol::AwsJson10 => "application/x-amz-json-1.0",
            _ => "application/x-amz-json-1.1",
        };
        parts
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        return;
    }
    let said = format!("Action={action}&Version={}", schema.api_version);
    let query = parts.uri.query().filter(|query| !query.is_empty());
    let form = [Some(said.as_str()), query]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("&");
    let is_form = crate::route::is_form(parts) && !body.is_empty();
    *body = if is_form {
        Bytes::from(format!("{form}&{}", String::from_utf8_lossy(body)))
    } else {
        Bytes::from(form)
    };
    parts.uri = Uri::from_static("/");
    parts.method = Method::POST;
    let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
    parts.headers.insert(CONTENT_TYPE, kind);
}
