//! What passes between the server and a runtime, whatever the transport: one event at a time, or
//! several at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::Timestamp;
use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::many::Many;
use super::one::One;
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

impl Offer {
    pub(super) fn new(event: InvokeEvent, deadline: Timestamp) -> Arc<Self> {
        Arc::new(Self {
            id: event.request_id.to_string().into(),
            event,
            deadline,
        })
    }
}

/// Why a runtime's call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The id is not that of the invocation under way, or of the last one.
    InvalidRequestId,
    /// The call does not fit where the runtime is, as an init error after the init, or a second
    /// answer to one event.
    InvalidState,
    /// The invocation's time is over, and its caller has been told so.
    TimedOut,
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

impl Posted {
    pub(super) fn answer(self, limit: usize) -> Answer {
        match self {
            Self::Response(payload) => Answer::Response(payload),
            Self::Error(document) => Answer::Error {
                document,
                ends: false,
            },
            Self::Streamed(pieces) => pieces.end(),
            Self::TooLarge(size) => too_large(size, limit),
        }
    }
}

/// Bodies that are received at once from one runtime: they take the server's memory. One that has an
/// event at a time owes one answer; another connection may be left over, from one that broke. Those
/// of a runtime with several wait for each other, but for what [`super::quick`] takes.
const MOST_BODIES: usize = 4;

#[derive(Debug)]
pub(super) struct Exchange {
    events: Events,
    /// Places for bodies.
    bodies: Semaphore,
    /// Largest response, in bytes.
    limit: AtomicUsize,
}

#[derive(Debug)]
enum Events {
    One(One),
    Many(Arc<Many>),
}

impl Default for Exchange {
    fn default() -> Self {
        Self::of(Events::One(One::default()))
    }
}

impl Exchange {
    pub(super) fn many(concurrency: u32) -> Self {
        Self::of(Events::Many(Arc::new(Many::new(concurrency as usize))))
    }

    fn of(events: Events) -> Self {
        Self {
            events,
            bodies: Semaphore::new(MOST_BODIES),
            limit: AtomicUsize::new(crate::MAX_RESPONSE_BYTES),
        }
    }

    /// Of a runtime with one event at a time.
    pub(super) fn one(&self) -> Option<&One> {
        match &self.events {
            Events::One(one) => Some(one),
            Events::Many(_) => None,
        }
    }

    /// Of a runtime with several.
    pub(super) fn several(&self) -> Option<&Arc<Many>> {
        match &self.events {
            Events::One(_) => None,
            Events::Many(many) => Some(many),
        }
    }

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
        match &self.events {
            Events::One(one) => one.ready().await,
            Events::Many(many) => many.ready().await,
        }
    }

    /// The runtime asks for its next event.
    pub(super) async fn next(&self) -> Arc<Offer> {
        match &self.events {
            Events::One(one) => one.next().await,
            Events::Many(many) => many.next().await,
        }
    }

    /// The runtime begins to answer the invocation of this id, piece by piece. [`Self::post`] is
    /// to follow.
    pub(super) fn begin(&self, id: &str) -> Result<Pieces, Refusal> {
        match &self.events {
            Events::One(one) => one.begin(id, self.limit()),
            Events::Many(many) => many.begin(id, self.limit()),
        }
    }

    /// The runtime answers the invocation of this id.
    pub(super) fn post(&self, id: &str, posted: Posted) -> Result<(), Refusal> {
        match &self.events {
            Events::One(one) => one.post(id, posted, self.limit()),
            Events::Many(many) => many.post(id, posted, self.limit()),
        }
    }

    /// The runtime reports that its init failed.
    pub(super) fn fail_init(&self, error_type: String, document: Bytes) -> Result<(), Refusal> {
        match &self.events {
            Events::One(one) => one.fail_init(error_type, document),
            Events::Many(many) => many.fail_init(error_type, document),
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
