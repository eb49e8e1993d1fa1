//! What passes between the server and a runtime that has several events at once: each outstanding call
//! for the next event is a worker that can take one.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html>

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use base::{RequestId, Timestamp};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot, watch};

use super::exchange::{Offer, Posted, Refusal};
use crate::environment::{Answer, Pieces, Readiness};
use crate::invocation::InvokeEvent;

/// Invocations without an answer whose time is over, of which a late answer is told so. The first of
/// more are forgotten.
const MOST_LATE: usize = 1_024;

/// What a runtime that has several events at once waits for, and owes.
#[derive(Debug)]
pub(super) struct Many {
    state: Mutex<State>,
    /// Whether its init has ended; wakes the server's wait for that.
    init: watch::Sender<bool>,
    /// Told of each worker that is free, once somebody wants to know.
    free: Mutex<Option<Arc<Notify>>>,
    /// Events that it may have at once.
    concurrency: usize,
}

#[derive(Debug, Default)]
struct State {
    readiness: Option<Readiness>,
    /// The workers that wait, the longest first.
    workers: VecDeque<oneshot::Sender<Arc<Offer>>>,
    /// Places that are taken, and have no event yet.
    reserved: usize,
    running: HashMap<Arc<str>, Running>,
    late: VecDeque<Arc<str>>,
}

#[derive(Debug)]
struct Running {
    offer: Arc<Offer>,
    answer: oneshot::Sender<Answered>,
    since: Instant,
    /// How long its answer took to begin, if that came as a stream.
    latency: Option<Duration>,
}

/// An answer, and how long it took to begin.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    pub(crate) latency: Duration,
}

/// A worker that is set aside for an event.
pub(crate) struct Reservation {
    many: Arc<Many>,
    worker: Option<oneshot::Sender<Arc<Offer>>>,
}

impl Many {
    pub(super) fn new(concurrency: usize) -> Self {
        Self {
            state: Mutex::default(),
            init: watch::Sender::new(false),
            free: Mutex::default(),
            concurrency,
        }
    }

    /// Has a worker that becomes free told there.
    pub(super) fn tell(&self, free: Arc<Notify>) {
        free.notify_one();
        *self.free.lock() = Some(free);
    }

    fn is_free(&self) {
        if let Some(free) = &*self.free.lock() {
            free.notify_one();
        }
    }

    pub(super) async fn ready(&self) -> Readiness {
        let mut init = self.init.subscribe();
        // Its sender lives as long as this.
        let _ = init.wait_for(|ended| *ended).await;
        let readiness = self.state.lock().readiness.take();
        readiness.unwrap_or(Readiness::Ready {
            code: Duration::ZERO,
            init: Duration::ZERO,
        })
    }

    /// Events that it may have at once.
    pub(super) fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// How many events it could take now, or a few more: connections that have gone count until they
    /// are met.
    pub(super) fn room(&self) -> usize {
        let state = self.state.lock();
        let left = self.concurrency.saturating_sub(state.in_use());
        state.workers.len().min(left)
    }

    /// How many events it has.
    pub(super) fn in_use(&self) -> usize {
        self.state.lock().in_use()
    }

    /// Sets a free worker aside, if there is one.
    pub(super) fn reserve(self: &Arc<Self>) -> Option<Reservation> {
        let mut state = self.state.lock();
        if state.in_use() >= self.concurrency {
            return None;
        }
        while let Some(worker) = state.workers.pop_front() {
            // One whose connection has gone asks anew, if it lives.
            if !worker.is_closed() {
                state.reserved += 1;
                return Some(Reservation {
                    many: Arc::clone(self),
                    worker: Some(worker),
                });
            }
        }
        None
    }

    /// A worker asks for its next event.
    pub(super) async fn next(&self) -> Arc<Offer> {
        loop {
            let (sender, receiver) = oneshot::channel();
            {
                let mut state = self.state.lock();
                if state.workers.len() > self.concurrency {
                    state.workers.retain(|worker| !worker.is_closed());
                }
                state.workers.push_back(sender);
            }
            self.init
                .send_if_modified(|ended| !std::mem::replace(ended, true));
            self.is_free();
            if let Ok(offer) = receiver.await {
                return offer;
            }
            // It was set aside for an event that did not come.
        }
    }

    pub(super) fn begin(&self, id: &str, limit: usize) -> Result<Pieces, Refusal> {
        let mut state = self.state.lock();
        let late = state.refusal(id);
        let running = state.running.get_mut(id).ok_or(late)?;
        if running.latency.is_some() {
            return Err(Refusal::InvalidRequestId);
        }
        running.latency = Some(running.since.elapsed());
        Ok(Pieces::of(&running.offer.event, limit))
    }

    pub(super) fn post(&self, id: &str, posted: Posted, limit: usize) -> Result<(), Refusal> {
        let running = {
            let mut state = self.state.lock();
            let late = state.refusal(id);
            state.running.remove(id).ok_or(late)?
        };
        self.is_free();
        let latency = running.latency.unwrap_or_else(|| running.since.elapsed());
        let answer = posted.answer(limit);
        // Whoever asked may have left.
        let _ = running.answer.send(Answered { answer, latency });
        Ok(())
    }

    pub(super) fn fail_init(&self, error_type: String, document: Bytes) -> Result<(), Refusal> {
        let is_first = self.init.send_if_modified(|ended| {
            if *ended {
                return false;
            }
            self.state.lock().readiness = Some(Readiness::Failed {
                error_type,
                document,
            });
            *ended = true;
            true
        });
        is_first.then_some(()).ok_or(Refusal::InvalidState)
    }

    /// The time of an invocation is over. Its worker is not free until it asks for the next event, and
    /// what it answers after all is refused.
    pub(super) fn give_up(&self, id: RequestId) {
        let mut state = self.state.lock();
        if let Some((id, _)) = state.running.remove_entry(&*id.to_string()) {
            if state.late.len() >= MOST_LATE {
                state.late.pop_front();
            }
            state.late.push_back(id);
        }
    }
}

impl State {
    fn in_use(&self) -> usize {
        self.reserved + self.running.len()
    }

    /// Why nothing can be answered to this id, if nothing runs under it.
    fn refusal(&mut self, id: &str) -> Refusal {
        match self.late.iter().position(|late| &**late == id) {
            Some(at) => {
                self.late.remove(at);
                Refusal::TimedOut
            }
            None => Refusal::InvalidRequestId,
        }
    }
}

impl Reservation {
    /// Hands the event over; the answer comes where is given back. `None` if the worker has gone in
    /// between.
    pub(crate) fn hand_over(
        mut self,
        event: &InvokeEvent,
        deadline: Timestamp,
    ) -> Option<oneshot::Receiver<Answered>> {
        let worker = self.worker.take()?;
        let offer = Offer::new(event.clone(), deadline);
        let (answer, receiver) = oneshot::channel();
        let running = Running {
            offer: Arc::clone(&offer),
            answer,
            since: Instant::now(),
            latency: None,
        };
        // Before the worker has it, which may answer at once.
        let id = Arc::clone(&offer.id);
        self.many
            .state
            .lock()
            .running
            .insert(Arc::clone(&id), running);
        if worker.send(offer).is_err() {
            self.many.state.lock().running.remove(&id);
            return None;
        }
        Some(receiver)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.many.state.lock().reserved -= 1;
        // What was set aside for nothing is free again.
        if self.worker.is_some() {
            self.many.is_free();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt;

    use super::*;

    fn event() -> InvokeEvent {
        InvokeEvent {
            request_id: RequestId::random(),
            payload: Bytes::from_static(b"{}"),
            invoked_arn: "arn:aws:lambda:us-east-1:000000000000:function:f".to_owned(),
            trace: None,
            client_context: None,
            cognito_identity: None,
            tenant: None,
            tail: false,
            asynchronous: false,
            sink: None,
        }
    }

    fn hand_over(many: &Arc<Many>, event: &InvokeEvent) -> Option<oneshot::Receiver<Answered>> {
        many.reserve()?.hand_over(event, Timestamp::from_millis(7))
    }

    #[test]
    fn each_worker_that_waits_takes_one_up_to_the_concurrency() {
        let many = Arc::new(Many::new(2));
        assert!(many.reserve().is_none(), "nobody waits");
        let mut workers: Vec<_> = (0..3).map(|_| Box::pin(many.next())).collect();
        for worker in &mut workers {
            assert!(worker.now_or_never().is_none());
        }
        assert_eq!(many.room(), 2);
        let (first, second) = (event(), event());
        let mut answer = hand_over(&many, &first).unwrap();
        let _other = hand_over(&many, &second).unwrap();
        assert!(hand_over(&many, &event()).is_none(), "two are enough");
        let offer = workers[0].as_mut().now_or_never().unwrap();
        assert_eq!(offer.event.request_id, first.request_id);
        let id = first.request_id.to_string();
        let posted = Posted::Response(Bytes::from_static(b"1"));
        many.post(&id, posted, 100).unwrap();
        assert!(matches!(answer.try_recv().unwrap().answer, Answer::Response(it) if it == "1"));
        // The third still waits.
        assert!(hand_over(&many, &event()).is_some());
        let again = many.post(&id, Posted::Error(Bytes::new()), 100);
        assert_eq!(again, Err(Refusal::InvalidRequestId));
    }

    #[test]
    fn what_comes_too_late_is_told_so_once() {
        let many = Arc::new(Many::new(1));
        let mut worker = pin!(many.next());
        assert!(worker.as_mut().now_or_never().is_none());
        let event = event();
        let mut answer = hand_over(&many, &event).unwrap();
        many.give_up(event.request_id);
        assert!(answer.try_recv().is_err());
        let id = event.request_id.to_string();
        let late = |posted| many.post(&id, posted, 100);
        assert_eq!(late(Posted::Response(Bytes::new())), Err(Refusal::TimedOut));
        let again = late(Posted::Response(Bytes::new()));
        assert_eq!(again, Err(Refusal::InvalidRequestId));
        assert_eq!(many.room(), 0, "its worker has not asked");
    }

    #[test]
    fn a_worker_whose_connection_has_gone_takes_nothing() {
        let many = Arc::new(Many::new(2));
        let mut gone = Box::pin(many.next());
        assert!(gone.as_mut().now_or_never().is_none());
        drop(gone);
        assert!(many.reserve().is_none());
        assert_eq!(many.room(), 0);
        let mut worker = pin!(many.next());
        assert!(worker.as_mut().now_or_never().is_none());
        // Set aside for nothing, it goes on waiting.
        drop(many.reserve());
        assert_eq!(many.in_use(), 0);
        assert!(worker.as_mut().now_or_never().is_none());
        assert_eq!(many.room(), 1);
    }

    #[test]
    fn the_first_who_asks_ends_the_init() {
        let many = Arc::new(Many::new(2));
        assert!(many.ready().now_or_never().is_none());
        assert!(many.next().now_or_never().is_none());
        assert!(matches!(
            many.ready().now_or_never(),
            Some(Readiness::Ready { .. })
        ));
        let failed = many.fail_init("Runtime.X".to_owned(), Bytes::new());
        assert_eq!(failed, Err(Refusal::InvalidState));
        let other = Arc::new(Many::new(2));
        other
            .fail_init("Runtime.X".to_owned(), Bytes::new())
            .unwrap();
        assert!(matches!(
            other.ready().now_or_never(),
            Some(Readiness::Failed { .. })
        ));
    }
}
