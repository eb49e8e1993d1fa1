//! What passes between the server and a runtime, one event at a time, whatever the transport.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::environment::{Answer, Readiness, too_large};
use crate::invocation::InvokeEvent;

/// An event with its deadline.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) event: InvokeEvent,
    pub(super) deadline: Timestamp,
}

/// Why a runtime's call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The id is not that of the invocation under way.
    InvalidRequestId,
    /// The call does not fit where the runtime is, as an init error after the init.
    InvalidState,
}

/// What a runtime posted for an invocation.
#[derive(Debug)]
pub(super) enum Posted {
    Response(Bytes),
    Error(Bytes),
    TooLarge(usize),
}

#[derive(Debug, Default)]
pub(super) struct Exchange {
    state: Mutex<State>,
    /// Wakes the runtime's call for its next event.
    for_runtime: Notify,
    /// Wakes the server's wait for a runtime's next step.
    for_server: Notify,
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    offer: Option<Arc<Offer>>,
    readiness: Option<Readiness>,
    answer: Option<Answer>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Init,
    /// The runtime has asked for an event.
    Waiting,
    /// It has one, and owes an answer.
    Running,
    /// It has answered, and may still be busy.
    Answered,
}

impl Exchange {
    pub(super) async fn ready(&self) -> Readiness {
        loop {
            if let Some(readiness) = self.state.lock().readiness.take() {
                return readiness;
            }
            self.for_server.notified().await;
        }
    }

    pub(super) fn offer(&self, event: InvokeEvent, deadline: Timestamp) {
        let mut state = self.state.lock();
        state.offer = Some(Arc::new(Offer { event, deadline }));
        state.answer = None;
        self.for_runtime.notify_one();
    }

    pub(super) async fn answer(&self) -> Answer {
        loop {
            if let Some(answer) = self.state.lock().answer.take() {
                return answer;
            }
            self.for_server.notified().await;
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.state.lock().phase == Phase::Waiting
    }

    pub(super) async fn settled(&self) {
        while !self.is_settled() {
            self.for_server.notified().await;
        }
    }

    /// The runtime asks for its next event. Asked again before an answer, it is the same event: the
    /// connection that carried it may have broken.
    pub(super) async fn next(&self) -> Arc<Offer> {
        loop {
            if let Some(offer) = self.try_next() {
                return offer;
            }
            self.for_runtime.notified().await;
        }
    }

    fn try_next(&self) -> Option<Arc<Offer>> {
        let mut state = self.state.lock();
        match state.phase {
            Phase::Init => {
                let (code, init) = (Duration::ZERO, Duration::ZERO);
                state.readiness = Some(Readiness::Ready { code, init });
                state.phase = Phase::Waiting;
            }
            Phase::Answered => state.phase = Phase::Waiting,
            Phase::Waiting | Phase::Running => {}
        }
        if state.offer.is_some() {
            state.phase = Phase::Running;
        }
        self.for_server.notify_one();
        state.offer.clone()
    }

    /// The runtime answers the invocation of this id.
    pub(super) fn post(&self, id: &str, posted: Posted) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        let current = state
            .offer
            .as_ref()
            .map(|offer| offer.event.request_id.to_string());
        if state.phase != Phase::Running || current.as_deref() != Some(id) {
            return Err(Refusal::InvalidRequestId);
        }
        state.answer = Some(match posted {
            Posted::Response(payload) => Answer::Response(payload),
            Posted::Error(document) => Answer::Error {
                document,
                ends: false,
            },
            Posted::TooLarge(size) => too_large(size),
        });
        state.phase = Phase::Answered;
        state.offer = None;
        self.for_server.notify_one();
        Ok(())
    }

    /// The runtime reports that its init failed.
    pub(super) fn fail_init(&self, error_type: String, document: Bytes) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        if state.phase != Phase::Init || state.readiness.is_some() {
            return Err(Refusal::InvalidState);
        }
        state.readiness = Some(Readiness::Failed {
            error_type,
            document,
        });
        self.for_server.notify_one();
        Ok(())
    }
}
