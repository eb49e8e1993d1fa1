//! The connection to a runtime: our bootstraps' frames, or the Runtime API of everybody else's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base::{Lookout, Timestamp};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::exit::error_document;
use super::streaming::Pieces;
use super::variables::TASK_ROOT;
use crate::awaited::Awaited;
use crate::frames::{Frame, FrameError, FrameSocket, Kind, Payload};
use crate::invocation::InvokeEvent;
use crate::runtime_api::RuntimeApi;

/// Largest error document of a failed init, in bytes.
const MAX_DOCUMENT: usize = crate::MAX_PAYLOAD_BYTES;

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
    /// Largest response, in bytes.
    limit: usize,
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
    /// Whether to run the hooks of a snapshot that there is none of.
    hooks: bool,
}

#[derive(Serialize)]
struct Restore<'a> {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<&'a str>,
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

    /// Resolves when a booted runtime has rehearsed. One of the Runtime API cannot.
    pub(crate) async fn rehearse(
        &mut self,
        environment: &BTreeMap<String, String>,
    ) -> Result<(), Lost> {
        let Self::Frames(frames) = self else {
            return Ok(());
        };
        let header = Specialise {
            handler: "",
            task_root: TASK_ROOT,
            environment,
            hooks: false,
        };
        let sent = frames
            .socket
            .send(Kind::Rehearse, &header, &Bytes::new())
            .await;
        sent.map_err(lost)?;
        self.booted().await
    }

    /// Makes a booted runtime this function; resolves when its init has ended.
    pub(crate) async fn specialise(
        &mut self,
        handler: &str,
        environment: &BTreeMap<String, String>,
        hooks: bool,
    ) -> Result<Readiness, Lost> {
        let socket = match self {
            Self::Frames(frames) => &mut frames.socket,
            Self::Api(api) => return Ok(api.ready().await),
        };
        let header = Specialise {
            handler,
            task_root: TASK_ROOT,
            environment,
            hooks,
        };
        socket
            .send(Kind::Specialise, &header, &Bytes::new())
            .await
            .map_err(lost)?;
        readiness(socket).await
    }

    /// Has a function run what it wants to be done before it is kept as a template.
    pub(crate) async fn snapshot(&mut self) -> Result<Readiness, Lost> {
        let Self::Frames(Frames { socket, .. }) = self else {
            return Err(Lost::Garbled);
        };
        let sent = socket
            .send(Kind::Snapshot, &serde_json::json!({}), &Bytes::new())
            .await;
        sent.map_err(lost)?;
        readiness(socket).await
    }

    /// Makes a fork of a template an environment of its own.
    pub(crate) async fn restore(
        &mut self,
        environment: &BTreeMap<String, String>,
    ) -> Result<Readiness, Lost> {
        let Self::Frames(Frames { socket, .. }) = self else {
            return Err(Lost::Garbled);
        };
        let header = Restore { environment };
        let sent = socket.send(Kind::Restore, &header, &Bytes::new()).await;
        sent.map_err(lost)?;
        readiness(socket).await
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
            tenant_id: event.tenant.as_deref(),
        };
        frames
            .socket
            .send(Kind::Invoke, &header, &event.payload)
            .await
            .map_err(lost)?;
        let limit = frames.limit;
        let mut frame = frames.answer().await?;
        let mut pieces = None;
        while frame.kind == Kind::Piece {
            let pieces = pieces.get_or_insert_with(|| Pieces::of(event, limit));
            match frame.payload {
                Payload::Whole(piece) => pieces.take(piece).await,
                Payload::TooLarge(size) => pieces.skip(size),
            }
            frame = receive_within(&mut frames.socket, limit).await?;
        }
        match frame.kind {
            Kind::Response => Ok(match (pieces, frame.payload) {
                // Nothing is left for the last frame of a response in pieces.
                (Some(pieces), _) => pieces.end(),
                (None, Payload::Whole(payload)) => Answer::Response(payload),
                (None, Payload::TooLarge(size)) => too_large(size, limit),
            }),
            Kind::Error => {
                let ends = frame.header::<Failed>().map_err(lost)?.ends;
                let document = match frame.payload {
                    Payload::Whole(document) => document,
                    Payload::TooLarge(size) => too_large_document(size, limit),
                };
                Ok(Answer::Error { document, ends })
            }
            other => Err(unexpected(other)),
        }
    }

    /// The socket of a runtime of ours.
    pub(crate) fn socket(&mut self) -> Option<&mut FrameSocket> {
        match self {
            Self::Frames(frames) => Some(&mut frames.socket),
            Self::Api(_) => None,
        }
    }

    /// Sets the largest response, in bytes.
    pub(crate) fn limit_responses(&mut self, limit: usize) {
        match self {
            Self::Frames(frames) => frames.limit = limit,
            Self::Api(api) => api.limit_responses(limit),
        }
    }

    /// What a runtime of the Runtime API speaks to.
    pub(crate) fn runtime_api(&self) -> Option<&RuntimeApi> {
        match self {
            Self::Frames(_) => None,
            Self::Api(api) => Some(api),
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
            limit: crate::MAX_RESPONSE_BYTES,
        }
    }

    /// The frame that answers what was sent last.
    async fn answer(&mut self) -> Result<Frame, Lost> {
        let since = Instant::now();
        let awaiting = self.awaited.begin();
        let socket = &self.socket;
        self.lookout
            .look_out(since, || awaiting.is_alone(), || socket.has_arrived());
        let frame = receive_within(&mut self.socket, self.limit).await?;
        self.lookout.came_after(since.elapsed());
        Ok(frame)
    }
}

/// The answer to a response above the limit, which is thrown away.
pub(crate) fn too_large(size: usize, limit: usize) -> Answer {
    Answer::Error {
        document: too_large_document(size, limit),
        ends: false,
    }
}

fn too_large_document(size: usize, limit: usize) -> Bytes {
    let message = format!(
        "Response payload size ({size} bytes) exceeded maximum allowed payload size \
         ({limit} bytes)."
    );
    error_document("Function.ResponseSizeTooLarge", &message)
}

/// What a runtime says when it has done what it was told.
async fn readiness(socket: &mut FrameSocket) -> Result<Readiness, Lost> {
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
                Payload::TooLarge(size) => too_large_document(size, MAX_DOCUMENT),
            };
            Ok(Readiness::Failed {
                error_type,
                document,
            })
        }
        other => Err(unexpected(other)),
    }
}

async fn receive(socket: &mut FrameSocket) -> Result<Frame, Lost> {
    receive_within(socket, MAX_DOCUMENT).await
}

async fn receive_within(socket: &mut FrameSocket, limit: usize) -> Result<Frame, Lost> {
    socket.receive(limit).await.map_err(lost)
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
