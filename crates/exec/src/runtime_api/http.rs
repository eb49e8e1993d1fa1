//! The Runtime API's HTTP form: paths, headers, statuses and error bodies.

use std::convert::Infallible;
use std::io::Cursor;
use std::sync::Arc;

use ::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use ::http::request::Parts;
use ::http::{HeaderMap, Method, Request, Response, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::exchange::{Exchange, Offer, Posted, Refusal};
use super::quick::{self, Left};
use crate::environment::error_document;
use crate::extensions::ExtensionHost;
use crate::telemetry::Api;

pub(super) const VERSION: &str = "/2018-06-01/runtime/";
/// `streaming` on a response that is to be sent on while it comes.
const RESPONSE_MODE: HeaderName = HeaderName::from_static("lambda-runtime-function-response-mode");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");
/// A body above its limit is read up to here, so that the client sees the answer and no reset.
const MOST_SKIPPED: usize = 256 << 20;
/// The most that an extension has to say at once.
const MOST_SMALL: usize = 256 << 10;
/// A runtime needs one or two, and so does each extension; each takes a descriptor of the server's, which others need as well.
const MOST_CONNECTIONS: usize = 64;

/// The paths of the Extensions API, of the Telemetry API, and of what there was before that.
const EXTENSIONS: &str = "/2020-01-01/extension/";
const TELEMETRY: &str = "/2022-07-01/telemetry";
const LOGS: &str = "/2020-08-15/logs";

pub(crate) type Answer = Response<Full<Bytes>>;

/// Whom calls reach.
pub(super) struct Served {
    /// Where the runtime speaks the Runtime API.
    pub(super) exchange: Option<Arc<Exchange>>,
    pub(super) host: Arc<ExtensionHost>,
    /// Of a runtime that has several, each with a connection of its own.
    pub(super) workers: usize,
}

/// Serves until it is dropped, connections included.
pub(super) async fn serve(listener: TcpListener, served: Arc<Served>) {
    let mut connections = JoinSet::new();
    loop {
        if connections.len() >= MOST_CONNECTIONS + served.workers {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve_connection(stream, Arc::clone(&served)));
            }
            Err(error) => {
                tracing::debug!(%error, "accept a runtime's connection");
                // Out of descriptors, most likely: others may free some.
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_connection(stream: TcpStream, served: Arc<Served>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "turn off delays on a runtime's connection");
    }
    let exchange = served.exchange.clone();
    let answer = |request| {
        let served = Arc::clone(&served);
        async move { route(request, &served).await }
    };
    if let Err(error) = connection(stream, exchange.as_deref(), answer).await {
        tracing::debug!(%error, "a runtime's connection ended");
    }
}

/// Serves the calls of a runtime, as long as they are plain, and whatever follows the first that
/// is not.
pub(super) async fn connection<F: Future<Output = Answer>>(
    stream: TcpStream,
    exchange: Option<&Exchange>,
    answer: impl Fn(Request<Incoming>) -> F,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (stream, received) = match exchange {
        None => (stream, Bytes::new()),
        Some(exchange) => match quick::serve(stream, exchange).await? {
            Left::Odd(stream, received) => (stream, received),
            Left::Nothing => return Ok(()),
        },
    };
    let (incoming, outgoing) = stream.into_split();
    let stream = tokio::io::join(Cursor::new(received).chain(incoming), outgoing);
    let service = service_fn(|request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    Ok(connection.await?)
}

async fn route(request: Request<Incoming>, served: &Served) -> Answer {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if let Some(path) = path.strip_prefix(VERSION) {
        return match &served.exchange {
            Some(exchange) => runtime(&head, path, body, exchange).await,
            None => not_found(),
        };
    }
    if let Some(path) = path.strip_prefix(EXTENSIONS) {
        let Some(body) = small(body).await else {
            return broken();
        };
        let answer = served.host.answer(&head.method, path, &head.headers, &body);
        return answer.await.unwrap_or_else(not_found);
    }
    let api = match path.trim_end_matches('/') {
        TELEMETRY => Api::Telemetry,
        LOGS => Api::Logs,
        _ => return not_found(),
    };
    match small(body).await {
        Some(body) if head.method == Method::PUT => {
            served.host.subscribe(api, &head.headers, &body)
        }
        Some(_) => not_found(),
        None => broken(),
    }
}

/// The body of a call that has not much to say.
async fn small(body: Incoming) -> Option<Bytes> {
    let whole = Limited::new(body, MOST_SMALL).collect().await;
    whole.ok().map(Collected::to_bytes)
}

pub(super) async fn runtime(
    head: &Parts,
    path: &str,
    body: Incoming,
    exchange: &Exchange,
) -> Answer {
    match (&head.method, path) {
        (&Method::GET, "invocation/next") => next(exchange.next().await.as_ref()),
        (&Method::POST, "init/error") => init_error(&head.headers, body, exchange).await,
        (&Method::POST, path) => match path.strip_prefix("invocation/") {
            Some(rest) => match rest.split_once('/') {
                Some((id, "response")) if streams(&head.headers) => {
                    streamed(id, body, exchange).await
                }
                Some((id, "response")) => response(id, body, exchange).await,
                Some((id, "error")) => error(id, body, exchange).await,
                _ => not_found(),
            },
            None => not_found(),
        },
        _ => not_found(),
    }
}

fn next(offer: &Offer) -> Answer {
    let mut answer = Response::new(Full::new(offer.event.payload.clone()));
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in fields(offer, &offer.deadline.millis().to_string()) {
        // A client context with line ends in it cannot be a header, here as on Lambda.
        if let Some(Ok(value)) = value.map(HeaderValue::from_str) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    answer
}

/// The headers that tell of an event, but for those that it has no value for.
pub(super) fn fields<'a>(
    offer: &'a Offer,
    deadline: &'a str,
) -> [(&'static str, Option<&'a str>); 7] {
    let event = &offer.event;
    [
        ("lambda-runtime-aws-request-id", Some(&*offer.id)),
        ("lambda-runtime-deadline-ms", Some(deadline)),
        (
            "lambda-runtime-invoked-function-arn",
            Some(event.invoked_arn.as_str()),
        ),
        ("lambda-runtime-trace-id", event.trace.as_deref()),
        (
            "lambda-runtime-client-context",
            event.client_context.as_deref(),
        ),
        (
            "lambda-runtime-cognito-identity",
            event.cognito_identity.as_deref(),
        ),
        ("lambda-runtime-aws-tenant-id", event.tenant.as_deref()),
    ]
}

async fn response(id: &str, body: Incoming, exchange: &Exchange) -> Answer {
    let answer = match read(body, exchange).await {
        Read::Whole { body, trailers } => match trailers.as_ref().and_then(midstream_error) {
            Some(error) => error,
            None => Posted::Response(body),
        },
        Read::TooLarge(size) => Posted::TooLarge(size),
        Read::Broken => return broken(),
    };
    let too_large = matches!(answer, Posted::TooLarge(_));
    match exchange.post(id, answer) {
        Ok(()) if too_large => {
            let limit = exchange.limit();
            let message = format!("Exceeded maximum allowed payload size ({limit} bytes).");
            failure(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLarge",
                &message,
            )
        }
        outcome => posted(outcome),
    }
}

fn streams(headers: &HeaderMap) -> bool {
    let mode = headers.get(RESPONSE_MODE);
    mode.is_some_and(|mode| mode.as_bytes().eq_ignore_ascii_case(b"streaming"))
}

/// A response that is sent on as it comes; reading waits for whoever takes it.
async fn streamed(id: &str, mut body: Incoming, exchange: &Exchange) -> Answer {
    let mut pieces = match exchange.begin(id) {
        Ok(pieces) => pieces,
        Err(refusal) => return posted(Err(refusal)),
    };
    let mut failed = None;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            let document = error_document("Runtime.TruncatedResponse", "The response ended early");
            return posted(exchange.post(id, Posted::Error(document)));
        };
        match frame.into_data() {
            Ok(data) => pieces.take(data).await,
            Err(frame) => {
                let trailers = frame.into_trailers().ok();
                failed = trailers.as_ref().and_then(midstream_error);
            }
        }
    }
    posted(exchange.post(id, failed.unwrap_or(Posted::Streamed(pieces))))
}

async fn error(id: &str, body: Incoming, exchange: &Exchange) -> Answer {
    let answer = match read(body, exchange).await {
        Read::Whole { body, .. } => Posted::Error(body),
        Read::TooLarge(size) => Posted::TooLarge(size),
        Read::Broken => return broken(),
    };
    posted(exchange.post(id, answer))
}

async fn init_error(headers: &HeaderMap, body: Incoming, exchange: &Exchange) -> Answer {
    match read(body, exchange).await {
        Read::Whole { body, .. } => posted(exchange.fail_init(error_type(headers, &body), body)),
        Read::TooLarge(_) | Read::Broken => broken(),
    }
}

enum Read {
    Whole {
        body: Bytes,
        trailers: Option<HeaderMap>,
    },
    TooLarge(usize),
    Broken,
}

async fn read(mut body: Incoming, exchange: &Exchange) -> Read {
    let _place = exchange.place_for_body().await;
    let mut whole = BytesMut::new();
    let mut size = 0;
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Read::Broken;
        };
        match frame.into_data() {
            Ok(data) => {
                size += data.len();
                if size <= exchange.limit() {
                    whole.extend_from_slice(&data);
                } else if size > MOST_SKIPPED {
                    break;
                }
            }
            Err(frame) => trailers = frame.into_trailers().ok(),
        }
    }
    if size > exchange.limit() {
        return Read::TooLarge(size);
    }
    Read::Whole {
        body: whole.freeze(),
        trailers,
    }
}

/// A streaming client reports an error after the response has begun in trailers.
fn midstream_error(trailers: &HeaderMap) -> Option<Posted> {
    trailers.get(ERROR_TYPE)?;
    let body = trailers.get("lambda-runtime-function-error-body");
    let document = body
        .and_then(|body| BASE64_STANDARD.decode(body).ok())
        .unwrap_or_default();
    Some(Posted::Error(document.into()))
}

/// The header names the error's type; some clients only write it into the document.
fn error_type(headers: &HeaderMap, document: &[u8]) -> String {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Document {
        error_type: String,
    }
    let header = headers
        .get(ERROR_TYPE)
        .and_then(|value| value.to_str().ok());
    header
        .map(str::to_owned)
        .or_else(|| {
            Some(
                serde_json::from_slice::<Document>(document)
                    .ok()?
                    .error_type,
            )
        })
        .unwrap_or_else(|| "Runtime.Unknown".to_owned())
}

pub(crate) fn accepted() -> Answer {
    json(StatusCode::ACCEPTED, &serde_json::json!({ "status": "OK" }))
}

pub(super) fn posted(posted: Result<(), Refusal>) -> Answer {
    match posted {
        Ok(()) => accepted(),
        Err(Refusal::InvalidRequestId) => failure(
            StatusCode::BAD_REQUEST,
            "InvalidRequestID",
            "Invalid request ID",
        ),
        Err(Refusal::InvalidState) => failure(
            StatusCode::FORBIDDEN,
            "InvalidStateTransition",
            "State transition is not allowed",
        ),
        Err(Refusal::TimedOut) => failure(StatusCode::GONE, "InvokeTimeout", "Invoke timeout"),
    }
}

fn broken() -> Answer {
    failure(
        StatusCode::BAD_REQUEST,
        "InvalidRequest",
        "The request body could not be read",
    )
}

pub(crate) fn failure(status: StatusCode, error_type: &str, message: &str) -> Answer {
    json(
        status,
        &serde_json::json!({ "errorMessage": message, "errorType": error_type }),
    )
}

pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

pub(super) fn not_found() -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(b"404 page not found\n")));
    *answer.status_mut() = StatusCode::NOT_FOUND;
    answer
}
