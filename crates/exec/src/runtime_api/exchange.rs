//! What passes between the server and a runtime, one event at a time, whatever the transport.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base::Timestamp;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, SemaphorePermit};

use crate::environment::{Answer, Pieces, Readiness, too_large};
use crate::invocation::InvokeEvent;

/// An event with its deadline.
#[derive(Debug)]
pub(super) struct Offer {
    /// The event's id as text.
    pub(super) id: Arc<str>,
    pub(super) event: InvokeEvent,
    pub(super) deadline: Timestamp,
}

/// Why a runtime's call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The id is not that of the invocation under way, or of the last one.
    InvalidRequestId,
    /// The call does not fit where the runtime is, as an init error after the init, or a second
    /// answer to one event.
    InvalidState,
}

/// What a runtime posted for an invocation.
#[derive(Debug)]
pub(super) enum Posted {
    Response(Bytes),
    /// What a streamed response comes to at its end.
    Streamed(Pieces),
    Error(Bytes),
    TooLarge(usize),
}

/// Bodies that are received at once from one runtime: they take the server's memory. It owes one
/// answer at a time; another connection may be left over, from one that broke.
const MOST_BODIES: usize = 4;

#[derive(Debug)]
pub(super) struct Exchange {
    state: Mutex<State>,
    /// Wakes the runtime's call for its next event.
    for_runtime: Notify,
    /// Wakes the server's wait for a runtime's next step.
    for_server: Notify,
    /// Places for bodies.
    bodies: Semaphore,
    /// Largest response, in bytes.
    limit: AtomicUsize,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            for_runtime: Notify::default(),
            for_server: Notify::default(),
            bodies: Semaphore::new(MOST_BODIES),
            limit: AtomicUsize::new(crate::MAX_RESPONSE_BYTES),
        }
    }
}

#[derive(Debug, Default)]
struct State {
    phase: Phase,
    offer: Option<Arc<Offer>>,
    readiness: Option<Readiness>,
    answer: Option<Answer>,
    /// Whether the answer has begun, as a stream.
    streaming: bool,
    /// The id of the invocation that was answered last.
    answered: Option<Arc<str>>,
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
    /// Largest response, in bytes.
    pub(super) fn limit(&self) -> usize {
        self.limit.load(Ordering::Relaxed)
    }

    pub(super) fn set_limit(&self, limit: usize) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// Waits for a place for a body that is about to be received.
    pub(super) async fn place_for_body(&self) -> SemaphorePermit<'_> {
        let place = self.bodies.acquire().await;
        place.expect("nobody closes this semaphore")
    }

    pub(super) async fn ready(&self) -> Readiness {
        loop {
            if let Some(readiness) = self.state.lock().readiness.take() {
                return readiness;
            }
            self.for_server.notified().await;
        }
    }

    pub(super) fn offer(&self, event: InvokeEvent, deadline: Timestamp) {
        let offer = Arc::new(Offer {
            id: event.request_id.to_string().into(),
            event,
            deadline,
        });
        let mut state = self.state.lock();
        state.offer = Some(offer);
        state.answer = None;
        state.streaming = false;
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

    /// The runtime begins to answer the invocation of this id, piece by piece. [`Self::post`] is
    /// to follow.
    pub(super) fn begin(&self, id: &str) -> Result<Pieces, Refusal> {
        let mut state = self.state.lock();
        let pieces = Pieces::of(&state.owed(id)?.event, self.limit());
        if std::mem::replace(&mut state.streaming, true) {
            return Err(Refusal::InvalidState);
        }
        Ok(pieces)
    }

    /// The runtime answers the invocation of this id.
    pub(super) fn post(&self, id: &str, posted: Posted) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        let current = Arc::clone(&state.owed(id)?.id);
        state.answer = Some(match posted {
            Posted::Response(payload) => Answer::Response(payload),
            Posted::Error(document) => Answer::Error {
                document,
                ends: false,
            },
            Posted::Streamed(pieces) => pieces.end(),
            Posted::TooLarge(size) => too_large(size, self.limit()),
        });
        state.phase = Phase::Answered;
        state.answered = Some(current);
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

impl State {
    /// The event of this id, if the runtime has it and owes its answer.
    fn owed(&self, id: &str) -> Result<&Arc<Offer>, Refusal> {
        match &self.offer {
            Some(offer) if self.phase == Phase::Running && &*offer.id == id => Ok(offer),
            None if self.answered.as_deref() == Some(id) => Err(Refusal::InvalidState),
            _ => Err(Refusal::InvalidRequestId),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn only_so_many_bodies_are_received_at_once() {
        let exchange = Exchange::default();
        let mut places = Vec::new();
        while let Some(place) = exchange.place_for_body().now_or_never() {
            places.push(place);
        }
        assert_eq!(places.len(), MOST_BODIES);
        places.pop();
        assert!(exchange.place_for_body().now_or_never().is_some());
    }
}
