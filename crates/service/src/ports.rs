//! The only ways from one service to another. `server` wires them; no service names another.

use std::sync::Arc;

use async_trait::async_trait;
use base::{AccountId, Arn, Region, Timestamp};
use bytes::Bytes;
use wire::Value;

use crate::{RequestContext, ServiceError};

/// Calls another service's API in this process, through the same validation, authorization and
/// dispatch as a call from outside. `input` and the result are keyed by the model's member names.
#[async_trait]
pub trait ApiCaller: Send + Sync + 'static {
    async fn call(
        &self,
        service: &str,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError>;

    /// Sends a request as that service's clients write it, without a signature; `service` is its
    /// signing name. An `action` is said in whatever way the service's protocol has. Nobody judges
    /// whether the principal may: that is the caller's to know.
    async fn send(
        &self,
        service: &str,
        action: Option<&str>,
        context: RequestContext,
        request: http::Request<Bytes>,
    ) -> http::Response<Bytes> {
        let _ = (action, context, request);
        let error = ServiceError::not_implemented(service, "by HTTP from inside");
        let mut response = http::Response::new(Bytes::from(error.message));
        *response.status_mut() = error.status;
        response
    }
}

/// Runs functions for event sources.
#[async_trait]
pub trait Invoker: Send + Sync + 'static {
    /// Runs the function now and waits for its answer.
    ///
    /// # Errors
    /// What Invoke answers: no such function, throttled, not allowed. A function that ran and
    /// failed is not an error here but [`Invocation::function_error`].
    async fn invoke(&self, request: InvokeRequest) -> Result<Invocation, ServiceError>;

    /// Queues an asynchronous invocation. Once this returns, the event is durable.
    async fn invoke_async(&self, request: InvokeRequest) -> Result<(), ServiceError>;
}

/// One event on its way to a function.
#[derive(Clone, Debug)]
pub struct InvokeRequest {
    /// The function, with its qualifier if any.
    pub function: Arn,
    pub payload: Bytes,
    /// Who sends it: the service principal and the resource the event came from.
    pub context: RequestContext,
}

/// What came of a synchronous invocation.
#[derive(Clone, Debug)]
pub struct Invocation {
    pub payload: Bytes,
    /// `Handled` or `Unhandled` when the function failed.
    pub function_error: Option<&'static str>,
    pub executed_version: String,
}

/// Takes log lines off the invoke path. Never blocks and never fails: what a bounded buffer cannot
/// hold is dropped and counted, and the stream says so.
pub trait LogSink: Send + Sync + 'static {
    fn append(&self, stream: &Arc<LogStream>, lines: Vec<LogLine>);
}

/// Where an environment's lines go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LogStream {
    pub account: AccountId,
    pub region: Region,
    /// Such as `/aws/lambda/hello`.
    pub group: String,
    /// Such as `2026/11/23/[$LATEST]0123456789abcdef0123456789abcdef`.
    pub name: String,
}

/// One event of a log stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub at: Timestamp,
    pub message: String,
}

/// Looks up what an access key stands for.
#[async_trait]
pub trait Credentials: Send + Sync + 'static {
    /// The key's secret and principal; `None` if nobody issued it, or if it is a session's key and
    /// `session_token` is not the token it was issued with. An expired session is still found: the
    /// caller judges `expires_at`. Reads no disk.
    async fn find(
        &self,
        access_key_id: &str,
        session_token: Option<&str>,
    ) -> Option<IssuedCredential>;

    /// What a principal may do now, for a service that gives out tokens of its own to those that
    /// have proved who they are; the secret means nothing. `None` if it is nobody any more.
    async fn of(&self, principal: &crate::Principal) -> Option<IssuedCredential> {
        let _ = principal;
        None
    }
}

/// A credential that IAM or STS issued.
#[derive(Clone)]
pub struct IssuedCredential {
    pub secret: String,
    /// The token that must come with a session's key.
    pub session_token: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub principal: crate::Principal,
    pub account: AccountId,
    /// Policy documents that apply to the principal, as JSON text, session policies last.
    pub identity_policies: Vec<String>,
    /// Intersected with the identity policies when present (permissions boundary, session policy).
    pub boundaries: Vec<String>,
}

/// Not derived: the secret must not reach a log.
impl std::fmt::Debug for IssuedCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedCredential")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

/// Wakes readers of DynamoDB streams, so that none has to ask again and again.
pub trait StreamSignals: Send + Sync + 'static {
    /// Resolves once records have been added to the stream since the call, and GetRecords gives
    /// them. For a stream of another server, or none, it never does.
    fn changed(&self, stream: &Arn) -> crate::BoxFuture<'static, ()>;
}

/// Sends requests to servers outside, over HTTP and HTTPS.
#[async_trait]
pub trait WebClient: Send + Sync + 'static {
    /// Gives the answer with its whole body, of which at most `limit` bytes are read. A server that
    /// is not within reach counts as one that cannot be connected to.
    ///
    /// # Errors
    /// Why there is no answer, in words.
    async fn exchange(
        &self,
        request: http::Request<Bytes>,
        reach: crate::Reach,
        within: std::time::Duration,
        limit: usize,
    ) -> Result<http::Response<Bytes>, String>;
}

/// Sees what is published, for whoever looks on.
pub trait Onlooker: Send + Sync + 'static {
    fn saw(&self, seen: Seen);

    /// Whether anybody looks on: only then is it worth saying why something was not wanted.
    fn is_looking(&self) -> bool;
}

/// Something that was published, and what has become of it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub id: String,
    pub at: Timestamp,
    pub account: AccountId,
    pub region: Region,
    /// The ARN of the bus or the topic.
    pub place: String,
    /// As its targets see it.
    pub event: String,
    pub verdicts: Vec<Verdict>,
    /// The call that publishes it once more: service, operation and input.
    pub again: (&'static str, &'static str, Value),
}

/// Whether a rule or a subscription wants it.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub by: String,
    pub targets: Vec<String>,
    /// `None`: it is wanted.
    pub why_not: Option<String>,
}

/// Reads container images of this server's own registries.
#[async_trait]
pub trait ImageRegistry: Send + Sync + 'static {
    /// Whose registry has this host (with or without a port), if it is one of this server's.
    fn registry_at(&self, authority: &str) -> Option<(AccountId, Region)>;

    /// A manifest, by tag or digest.
    ///
    /// # Errors
    /// What ECR answers: no such repository, no such image.
    async fn manifest(
        &self,
        account: AccountId,
        region: &Region,
        repository: &str,
        reference: &str,
    ) -> Result<PulledManifest, ServiceError>;

    /// The bytes of a layer or a configuration, as they were pushed.
    ///
    /// # Errors
    /// The repository does not have it.
    async fn layer(
        &self,
        account: AccountId,
        region: &Region,
        repository: &str,
        digest: &str,
    ) -> Result<crate::Body, ServiceError>;
}

/// A manifest of a registry.
#[derive(Clone, Debug)]
pub struct PulledManifest {
    /// Such as `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    pub media_type: String,
    pub content: Bytes,
}
