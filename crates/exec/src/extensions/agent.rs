//! One extension: what it asked for, and where it is in its life.

use base::{RequestId, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Reason;

/// What an extension can ask to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    Invoke,
    Shutdown,
}

impl EventKind {
    pub(super) fn parse(name: &str) -> Option<Self> {
        match name {
            "INVOKE" => Some(Self::Invoke),
            "SHUTDOWN" => Some(Self::Shutdown),
            _ => None,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Invoke => "INVOKE",
            Self::Shutdown => "SHUTDOWN",
        }
    }
}

/// Where an extension is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Started, and expected to register.
    Started,
    Registered,
    /// It waits for an event.
    Ready,
    /// It has one, and is busy.
    Running,
    InitError,
    ExitError,
    LaunchError,
    Exited,
}

impl Phase {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "Started",
            Self::Registered => "Registered",
            Self::Ready => "Ready",
            Self::Running => "Running",
            Self::InitError => "InitError",
            Self::ExitError => "ExitError",
            Self::LaunchError => "LaunchError",
            Self::Exited => "Exited",
        }
    }
}

#[derive(Debug)]
pub(super) struct Agent {
    pub(super) name: String,
    pub(super) id: Uuid,
    /// A process of its own, started from a layer; else part of the runtime's.
    pub(super) is_external: bool,
    pub(super) events: Vec<EventKind>,
    pub(super) phase: Phase,
    /// What it is to be told next.
    pub(super) next: Option<Told>,
    /// What it said was wrong with it.
    pub(super) error_type: Option<String>,
}

/// What an extension is told.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    Invoke {
        request_id: RequestId,
        deadline: Timestamp,
        arn: String,
        trace: Option<String>,
    },
    Shutdown {
        reason: Reason,
        deadline: Timestamp,
    },
}

impl Agent {
    pub(super) fn new(name: &str, is_external: bool) -> Self {
        Self {
            name: name.to_owned(),
            id: Uuid::new_v4(),
            is_external,
            events: Vec::new(),
            phase: Phase::Started,
            next: None,
            error_type: None,
        }
    }

    pub(super) fn wants(&self, event: EventKind) -> bool {
        self.events.contains(&event)
    }

    /// Whether it is done with what it was told, if it was told anything.
    pub(super) fn is_done(&self) -> bool {
        self.next.is_none() && self.phase != Phase::Running
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Exited | Phase::LaunchError)
    }
}

impl Told {
    /// As `/extension/event/next` answers it.
    pub(super) fn document(&self) -> Value {
        match self {
            Self::Invoke {
                request_id,
                deadline,
                arn,
                trace,
            } => {
                let value = trace.as_deref().unwrap_or_default();
                json!({
                    "eventType": "INVOKE",
                    "deadlineMs": deadline.millis(),
                    "requestId": request_id.to_string(),
                    "invokedFunctionArn": arn,
                    "tracing": { "type": "X-Amzn-Trace-Id", "value": value },
                })
            }
            Self::Shutdown { reason, deadline } => json!({
                "eventType": "SHUTDOWN",
                "shutdownReason": reason.as_str(),
                "deadlineMs": deadline.millis(),
            }),
        }
    }
}
