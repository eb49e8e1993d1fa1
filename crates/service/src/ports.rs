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

/// Publishes an event to the default bus of an account and region (EventBridge's PutEvents).
#[async_trait]
pub trait EventSink: Send + Sync + 'static {
    async fn publish(&self, event: Event) -> Result<(), ServiceError>;
}

/// An event in EventBridge's terms.
#[derive(Clone, Debug)]
pub struct Event {
    pub account: AccountId,
    pub region: Region,
    pub source: String,
    pub detail_type: String,
    /// A JSON object.
    pub detail: String,
    pub resources: Vec<Arn>,
    pub time: Timestamp,
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
