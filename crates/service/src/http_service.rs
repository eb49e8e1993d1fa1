//! The contract of a service that reads HTTP itself, because a model cannot describe its requests
//! well enough (S3).

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base::AccountId;
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

/// A permission that a request needs, with what only the service knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    pub access: Access,
    /// Condition keys beside the global ones.
    pub conditions: Vec<(&'static str, String)>,
    /// The resource's own policy, as JSON text: it may let in whom the caller's policies do not.
    pub resource_policy: Option<String>,
}

impl From<Access> for Demand {
    fn from(access: Access) -> Self {
        Self {
            access,
            conditions: Vec::new(),
            resource_policy: None,
        }
    }
}

/// What is to be done with a request of a page.
#[derive(Clone, Debug, PartialEq)]
pub enum CrossOrigin {
    /// The server's own rules count.
    Unruled,
    /// It is answered, and the answer of what is no preflight gets these headers.
    Allowed(HeaderMap),
    /// The page may not see the answer.
    Refused(ServiceError),
}

/// In the extensions of a request that [`HttpService::admits_anonymous`] let in: nobody is known to
/// have sent it.
#[derive(Clone, Copy, Debug)]
pub struct Anonymous;

/// A service that answers HTTP requests as they are.
#[async_trait]
pub trait HttpService: Send + Sync + 'static {
    /// The service name in SigV4 credential scopes, such as `s3`.
    fn signing_name(&self) -> &'static str;

    /// What the request asks for, so that the gateway can authorize it first.
    fn access(&self, request: &http::request::Parts) -> Access;

    /// Everything the request needs permission for.
    fn demands(&self, request: &http::request::Parts) -> Vec<Demand> {
        vec![self.access(request).into()]
    }

    /// Whether this request needs no signature, even where signatures are checked. The service
    /// then judges by itself who may do it, and the signature, if any, means nothing.
    fn admits_anonymous(&self, _request: &http::request::Parts) -> bool {
        false
    }

    /// Whether the request is for an address that this service gave: a function's, an API's, a
    /// custom domain. Such addresses are for pages as well, by rules of their own, and all that a
    /// request carries is theirs to read.
    fn has_address(&self, _headers: &HeaderMap, _uri: &http::Uri) -> bool {
        false
    }

    /// What a page of another origin may do, where the service has rules of its own for it. A
    /// virtual-host request is in path style.
    async fn cross_origin(&self, _request: &http::request::Parts) -> CrossOrigin {
        CrossOrigin::Unruled
    }

    /// The policy of what is accessed, if an account's own principals are subject to one there. Of
    /// what belongs to another account the service judges by itself.
    async fn resource_policy(&self, _access: &Access, _account: AccountId) -> Option<String> {
        None
    }

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
