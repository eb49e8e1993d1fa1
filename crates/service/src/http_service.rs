//! The contract of a service that reads HTTP itself, because a model cannot describe its requests
//! well enough (S3).

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{RequestContext, ServiceError};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A streamed body, either way.
pub type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

/// What an HTTP request means, as far as policy evaluation needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Such as `s3:GetObject`.
    pub action: String,
    /// Such as `arn:aws:s3:::bucket/key`.
    pub resource: String,
}

/// A service that answers HTTP requests as they are.
#[async_trait]
pub trait HttpService: Send + Sync + 'static {
    /// The service name in SigV4 credential scopes, such as `s3`.
    fn signing_name(&self) -> &'static str;

    /// What the request asks for, so that the gateway can authorize it first.
    fn access(&self, request: &http::request::Parts) -> Access;

    /// Answers a request. The gateway has verified the signature and removed it, decoded
    /// `aws-chunked` bodies, and rewritten virtual-host requests to path style.
    async fn handle(
        &self,
        context: RequestContext,
        request: http::Request<Body>,
    ) -> http::Response<Body>;

    /// Writes an error the gateway found (bad signature, access denied) in the service's own form.
    fn error_response(
        &self,
        context: &RequestContext,
        error: &ServiceError,
    ) -> http::Response<Body>;

    /// The few operations other services reach by port, keyed by the model's member names, bodies
    /// as [`wire::Value::Blob`].
    async fn call(
        &self,
        operation: &str,
        context: RequestContext,
        input: wire::Value,
    ) -> Result<wire::Value, ServiceError>;
}

/// The trailers of a request's body, complete once the body has been read to its end. The gateway
/// puts one into the request's extensions.
#[derive(Clone, Debug, Default)]
pub struct TrailingHeaders(Arc<Mutex<HeaderMap>>);

impl TrailingHeaders {
    pub fn insert(&self, name: HeaderName, value: HeaderValue) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name, value);
    }

    pub fn get(&self, name: &str) -> Option<HeaderValue> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }
}
