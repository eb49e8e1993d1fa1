//! What passes between the server and a runtime that has one event at a time.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::exchange::{Offer, Posted, Refusal};
use crate::environment::{Answer, Pieces, Readiness};
use crate::invocation::InvokeEvent;

#[derive(Debug, Default)]
pub(super) struct One {
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

impl One {
    pub(super) async fn ready(&self) -> Readiness {
        loop {
            if let Some(readiness) = self.state.lock().readiness.take() {
                return readiness;
            }
            self.for_server.notified().await;
        }
    }

    pub(super) fn offer(&self, event: InvokeEvent, deadline: Timestamp) {
        let offer = Offer::new(event, deadline);
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

    pub(super) fn begin(&self, id: &str, limit: usize) -> Result<Pieces, Refusal> {
        let mut state = self.state.lock();
        let pieces = Pieces::of(&state.owed(id)?.event, limit);
        if std::mem::replace(&mut state.streaming, true) {
            return Err(Refusal::InvalidState);
        }
        Ok(pieces)
    }

    pub(super) fn post(&self, id: &str, posted: Posted, limit: usize) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        let current = Arc::clone(&state.owed(id)?.id);
        state.answer = Some(posted.answer(limit));
        state.phase = Phase::Answered;
        state.answered = Some(current);
        state.offer = None;
        self.for_server.notify_one();
        Ok(())
    }

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
