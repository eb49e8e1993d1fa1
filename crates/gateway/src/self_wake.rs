//! Polls a connection again at once when it wakes itself.
//!
//! hyper hands a request's body from its parser to its service through a channel, within one task:
//! every request with a body wakes its own task. Left to the scheduler, such a task goes to the
//! end of the queue and another worker is woken to take it: a futex, and the connection's state on
//! another core's cache, for each call.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures::task::AtomicWaker;

/// After so many polls in a row the scheduler has its turn, so that a connection that always
/// finds more to do does not keep others waiting.
const TURNS: usize = 4;

const RESTING: u8 = 0;
const POLLED: u8 = 1;
/// A poll is to come, and somebody sees to it.
const WOKEN: u8 = 2;

/// A future whose wakes during its own poll do not reach the scheduler.
pub struct SelfWaking<F> {
    inner: Pin<Box<F>>,
    shared: Arc<Shared>,
    waker: Waker,
}

struct Shared {
    state: AtomicU8,
    task: AtomicWaker,
}

impl<F: Future> SelfWaking<F> {
    pub fn new(inner: F) -> Self {
        let shared = Arc::new(Shared {
            state: AtomicU8::new(RESTING),
            task: AtomicWaker::new(),
        });
        Self {
            inner: Box::pin(inner),
            waker: Waker::from(Arc::clone(&shared)),
            shared,
        }
    }
}

impl<F: Future> Future for SelfWaking<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.shared.task.register(context.waker());
        for _ in 0..TURNS {
            // Exchanged, not stored: what was written before a wake is then visible to this poll.
            this.shared.state.swap(POLLED, Ordering::AcqRel);
            let polled = this
                .inner
                .as_mut()
                .poll(&mut Context::from_waker(&this.waker));
            if polled.is_ready() || this.shared.has_rest() {
                return polled;
            }
        }
        // Still woken: further wakes have nothing to add.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Shared {
    /// Whether nothing woke the future while it was polled; from now on wakes go to the task.
    fn has_rest(&self) -> bool {
        self.state
            .compare_exchange(POLLED, RESTING, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Written each time, even where it is the same: a wake that only looked could be missed by
        // a poll that begins meanwhile and does not yet see what the wake is about.
        if self.state.swap(WOKEN, Ordering::AcqRel) == RESTING {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Wakes itself until it has been polled so often.
    fn ready_after(polls: usize) -> (impl Future<Output = ()>, Arc<AtomicUsize>) {
        let polled = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&polled);
        let future = poll_fn(move |context| {
            if count.fetch_add(1, Ordering::Relaxed) + 1 == polls {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        });
        (future, polled)
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll(future: &mut (impl Future + Unpin)) -> (bool, usize) {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let polled = Pin::new(future).poll(&mut Context::from_waker(&waker));
        (polled.is_ready(), woken.0.load(Ordering::Relaxed))
    }

    #[test]
    fn a_future_that_wakes_itself_is_polled_again_and_the_scheduler_hears_nothing() {
        let (future, polled) = ready_after(2);
        assert_eq!(poll(&mut SelfWaking::new(future)), (true, 0));
        assert_eq!(polled.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn one_that_never_rests_gives_way_to_others() {
        let (future, polled) = ready_after(usize::MAX);
        assert_eq!(poll(&mut SelfWaking::new(future)), (false, 1));
        assert_eq!(polled.load(Ordering::Relaxed), TURNS);
    }

    #[test]
    fn wakes_between_two_polls_reach_the_scheduler_once() {
        let kept = Arc::new(AtomicWaker::new());
        let keeping = Arc::clone(&kept);
        let mut future = SelfWaking::new(poll_fn(move |context| {
            keeping.register(context.waker());
            Poll::<()>::Pending
        }));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        for round in 1..=3 {
            let polled = Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
            assert!(polled.is_pending());
            let inner = kept.take().unwrap();
            inner.wake_by_ref();
            inner.wake();
            assert_eq!(woken.0.load(Ordering::Relaxed), round);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn wakes_from_other_threads_arrive() {
        for _ in 0..1_000 {
            let (send, receive) = tokio::sync::oneshot::channel();
            let waiting = tokio::spawn(SelfWaking::new(receive));
            std::thread::yield_now();
            send.send(7).unwrap();
            assert_eq!(waiting.await.unwrap(), Ok(7));
        }
    }
}
