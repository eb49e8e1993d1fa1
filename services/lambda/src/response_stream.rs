//! The body of a streamed answer: events for what the function writes, as it writes it, and one for
//! how it ended.

use std::future::Future;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use exec::InvokeOutcome;
use futures::{StreamExt as _, stream};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use serde::Serialize;
use service::{Body, BoxError, ServiceError};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use wire::event_stream;

pub type Invocation = Pin<Box<dyn Future<Output = Result<InvokeOutcome, ServiceError>> + Send>>;

/// How the invocation ended.
/// <https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStreamCompleteEvent.html>
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InvokeComplete {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_details: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_result: Option<String>,
}

/// An invocation whose response comes in pieces.
pub struct Source {
    pieces: Receiver<Bytes>,
    first: Option<Bytes>,
    running: Option<JoinHandle<Result<InvokeOutcome, ServiceError>>>,
    outcome: Option<InvokeOutcome>,
}

/// What comes next of a response.
pub enum Step {
    Piece(Bytes),
    /// The end, once.
    End(InvokeOutcome),
}

/// The response as a stream of events.
///
/// # Errors
/// If the invocation did not take place.
pub async fn begin(invocation: Invocation, pieces: Receiver<Bytes>) -> Result<Body, ServiceError> {
    let source = Source::begin(invocation, pieces).await?;
    let events = stream::unfold(source, |mut source| async move {
        let event = match source.step().await? {
            Ok(Step::Piece(piece)) => Ok(chunk(&piece)),
            Ok(Step::End(outcome)) => Ok(last(outcome)),
            Err(error) => Err(error),
        };
        Some((event, source))
    });
    Ok(StreamBody::new(events.map(|event| event.map(Frame::data))).boxed_unsync())
}

impl Source {
    /// Waits for the first piece or the end. A caller that leaves before that leaves the line for an
    /// environment; one that leaves later leaves the function running.
    ///
    /// # Errors
    /// If the invocation did not take place.
    pub async fn begin(
        mut invocation: Invocation,
        mut pieces: Receiver<Bytes>,
    ) -> Result<Self, ServiceError> {
        let (first, running, outcome) = tokio::select! {
            biased;
            Some(piece) = pieces.recv() => (Some(piece), Some(invocation), None),
            outcome = &mut invocation => (None, None, Some(outcome?)),
        };
        Ok(Self {
            pieces,
            first,
            // A slow reader must not keep the function's time from running out.
            running: running.map(tokio::spawn),
            outcome,
        })
    }

    /// The next piece, or the end; nothing after it. An error says that the server failed in the
    /// middle.
    pub async fn step(&mut self) -> Option<Result<Step, BoxError>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(Step::Piece(first)));
        }
        if let Some(running) = &mut self.running {
            let ended = tokio::select! {
                biased;
                Some(piece) = self.pieces.recv() => return Some(Ok(Step::Piece(piece))),
                ended = running => ended,
            };
            self.running = None;
            match ended {
                Ok(Ok(outcome)) => self.outcome = Some(outcome),
                Ok(Err(error)) => return Some(Err(error.into())),
                Err(error) => return Some(Err(error.into())),
            }
        }
        if let Ok(piece) = self.pieces.try_recv() {
            return Some(Ok(Step::Piece(piece)));
        }
        let outcome = self.outcome.take()?;
        Some(Ok(Step::End(outcome)))
    }
}

fn chunk(payload: &[u8]) -> Bytes {
    event_stream::event("PayloadChunk", "application/octet-stream", payload)
}

/// What was not streamed, and the end.
fn last(outcome: InvokeOutcome) -> Bytes {
    let failed = outcome.function_error;
    let complete = InvokeComplete {
        error_code: failed.map(exec::FunctionError::as_str),
        error_details: failed.map(|_| String::from_utf8_lossy(&outcome.payload).into_owned()),
        log_result: outcome.log_tail.map(|tail| STANDARD.encode(tail)),
    };
    let complete = serde_json::to_vec(&complete).expect("texts are JSON");
    let complete = event_stream::event("InvokeComplete", "application/json", &complete);
    if failed.is_some() || outcome.payload.is_empty() {
        return complete;
    }
    [chunk(&outcome.payload), complete].concat().into()
}
