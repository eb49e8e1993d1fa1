//! The connection to a runtime: our bootstraps' frames, or the Runtime API of everybody else's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base::{Lookout, Timestamp};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::exit::error_document;
use super::variables::TASK_ROOT;
use crate::awaited::Awaited;
use crate::frames::{Frame, FrameError, FrameSocket, Kind, Payload};
use crate::invocation::InvokeEvent;
use crate::runtime_api::RuntimeApi;

/// Largest response: 6 MB and what Lambda allows on top of it.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub(crate) const MAX_RESPONSE_BYTES: usize = 6 * 1024 * 1024 + 100;

/// The connection to one environment's runtime.
#[derive(Debug)]
pub(crate) enum Link {
    Frames(Frames),
    Api(RuntimeApi),
}

/// A runtime of ours.
#[derive(Debug)]
pub(crate) struct Frames {
    socket: FrameSocket,
    awaited: Awaited,
    lookout: Lookout,
}

/// What a runtime answered to an event.
#[derive(Debug)]
pub(crate) enum Answer {
    Response(Bytes),
    /// `ends`: the runtime is about to exit, and takes no more events.
    Error {
        document: Bytes,
        ends: bool,
    },
}

/// What a runtime said about its init.
#[derive(Debug)]
pub(crate) enum Readiness {
    /// With the time for code and for the function's own init, where the runtime tells.
    Ready {
        code: Duration,
        init: Duration,
    },
    Failed {
        error_type: String,
        document: Bytes,
    },
}

/// Why nothing more can be had from a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    Ended,
    /// It lives, but what it sends is no frame, or none that belongs here.
    Garbled,
}

#[derive(Serialize)]
struct Specialise<'a> {
    handler: &'a str,
    task_root: &'a str,
    environment: &'a BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
struct Ready {
    code_us: u64,
    init_us: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Failed {
    error_type: String,
    ends: bool,
}

#[derive(Serialize)]
struct Invoke<'a> {
    id: String,
    deadline_ms: i64,
    arn: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_context: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cognito_identity: Option<&'a str>,
}

impl Link {
    /// Resolves when everything generic is loaded. A runtime of the Runtime API never says so.
    pub(crate) async fn booted(&mut self) -> Result<(), Lost> {
        match self {
            Self::Frames(frames) => match receive(&mut frames.socket).await?.kind {
                Kind::Booted => Ok(()),
                other => Err(unexpected(other)),
            },
            Self::Api(_) => Ok(()),
        }
    }

    /// Makes a booted runtime this function; resolves when its init has ended.
    pub(crate) async fn specialise(
        &mut self,
        handler: &str,
        environment: &BTreeMap<String, String>,
    ) -> Result<Readiness, Lost> {
        let socket = match self {
            Self::Frames(frames) => &mut frames.socket,
            Self::Api(api) => return Ok(api.ready().await),
        };
        let header = Specialise {
            handler,
            task_root: TASK_ROOT,
            environment,
        };
        socket
            .send(Kind::Specialise, &header, &Bytes::new())
            .await
            .map_err(lost)?;
        let frame = receive(socket).await?;
        match frame.kind {
            Kind::Ready => {
                let ready: Ready = frame.header().map_err(lost)?;
                let code = Duration::from_micros(ready.code_us);
                Ok(Readiness::Ready {
                    code,
                    init: Duration::from_micros(ready.init_us),
                })
            }
            Kind::InitError => {
                let error_type = frame.header::<Failed>().map_err(lost)?.error_type;
                let document = match frame.payload {
                    Payload::Whole(document) => document,
                    Payload::TooLarge(size) => too_large_document(size),
                };
                Ok(Readiness::Failed {
                    error_type,
                    document,
                })
            }
            other => Err(unexpected(other)),
        }
    }

    /// Hands over an event; resolves with its answer.
    pub(crate) async fn invoke(
        &mut self,
        event: &InvokeEvent,
        deadline: Timestamp,
    ) -> Result<Answer, Lost> {
        let frames = match self {
            Self::Frames(frames) => frames,
            Self::Api(api) => return Ok(api.invoke(event, deadline).await),
        };
        let header = Invoke {
            id: event.request_id.to_string(),
            deadline_ms: deadline.millis(),
            arn: &event.invoked_arn,
            trace: event.trace.as_deref(),
            client_context: event.client_context.as_deref(),
            cognito_identity: event.cognito_identity.as_deref(),
        };
        frames
            .socket
            .send(Kind::Invoke, &header, &event.payload)
            .await
            .map_err(lost)?;
        let frame = frames.answer().await?;
        match frame.kind {
            Kind::Response => Ok(match frame.payload {
                Payload::Whole(payload) => Answer::Response(payload),
                Payload::TooLarge(size) => too_large(size),
            }),
            Kind::Error => {
                let ends = frame.header::<Failed>().map_err(lost)?.ends;
                let document = match frame.payload {
                    Payload::Whole(document) => document,
                    Payload::TooLarge(size) => too_large_document(size),
                };
                Ok(Answer::Error { document, ends })
            }
            other => Err(unexpected(other)),
        }
    }

    /// Whether the runtime waits for its next event already.
    pub(crate) fn is_settled(&self) -> bool {
        match self {
            Self::Frames(..) => true,
            Self::Api(api) => api.is_settled(),
        }
    }

    /// Resolves when the runtime waits for its next event.
    pub(crate) async fn settled(&mut self) {
        if let Self::Api(api) = self {
            api.settled().await;
        }
    }

    /// Whether a runtime that nobody asked anything has ended or spoken.
    pub(crate) fn is_disturbed(&self) -> bool {
        match self {
            Self::Frames(frames) => frames.socket.is_disturbed(),
            Self::Api(_) => false,
        }
    }
}

impl Frames {
    pub(crate) fn new(socket: FrameSocket, awaited: Awaited) -> Self {
        Self {
            socket,
            awaited,
            lookout: Lookout::default(),
        }
    }

    /// The frame that answers what was sent last.
    async fn answer(&mut self) -> Result<Frame, Lost> {
        let since = Instant::now();
        let awaiting = self.awaited.begin();
        let socket = &self.socket;
        self.lookout
            .look_out(since, || awaiting.is_alone(), || socket.has_arrived());
        let frame = receive(&mut self.socket).await?;
        self.lookout.came_after(since.elapsed());
        Ok(frame)
    }
}

/// The answer to a response above the limit, which is thrown away.
pub(crate) fn too_large(size: usize) -> Answer {
    Answer::Error {
        document: too_large_document(size),
        ends: false,
    }
}

fn too_large_document(size: usize) -> Bytes {
    let message = format!(
        "Response payload size ({size} bytes) exceeded maximum allowed payload size \
         ({MAX_RESPONSE_BYTES} bytes)."
    );
    error_document("Function.ResponseSizeTooLarge", &message)
}

async fn receive(socket: &mut FrameSocket) -> Result<Frame, Lost> {
    socket.receive(MAX_RESPONSE_BYTES).await.map_err(lost)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err takes")]
fn lost(error: FrameError) -> Lost {
    if matches!(error, FrameError::Closed) {
        return Lost::Ended;
    }
    tracing::debug!(%error, "an environment's runtime is lost");
    match error {
        FrameError::Garbage => Lost::Garbled,
        _ => Lost::Ended,
    }
}

fn unexpected(kind: Kind) -> Lost {
    tracing::debug!(?kind, "an environment's runtime sent a frame out of turn");
    Lost::Garbled
}
