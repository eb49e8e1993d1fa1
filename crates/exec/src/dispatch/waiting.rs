//! The line of events that wait for an environment, and what becomes of one whose caller leaves.
//!
//! Once an environment is there for an event, or is being made for it, the event runs whether or
//! not its caller still waits, as on Lambda. Until then a caller that leaves takes its event along:
//! nothing is started for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::oneshot;

use super::pool::{Acquired, Pool};

const OPEN: u8 = 0;
const MADE: u8 = 1;
const GONE: u8 = 2;

/// Whether an event is to run whatever its caller does. Decided once, by whoever is first.
#[derive(Debug, Default)]
pub(crate) struct Commitment(AtomicU8);

impl Commitment {
    /// The event is to run; `false` if its caller has left.
    pub(super) fn make(&self) -> bool {
        self.decide(MADE)
    }

    /// The caller leaves; `false` if the event is to run all the same.
    pub(crate) fn withdraw(&self) -> bool {
        self.decide(GONE)
    }

    fn decide(&self, to: u8) -> bool {
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        match self.0.compare_exchange(OPEN, to, success, failure) {
            Ok(_) => true,
            Err(decided) => decided == to,
        }
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire) == OPEN
    }

    fn is_gone(&self) -> bool {
        self.0.load(Ordering::Acquire) == GONE
    }
}

/// Those who wait, the longest first. Never more than the concurrency of the function.
#[derive(Default)]
pub(super) struct Waiting {
    next: u64,
    line: VecDeque<Waiter>,
}

struct Waiter {
    /// Grows along the line.
    number: u64,
    commitment: Arc<Commitment>,
    sender: oneshot::Sender<Acquired>,
}

/// A place in the line, which it leaves when this is dropped.
pub(super) struct Place {
    pool: Arc<Pool>,
    number: u64,
    receiver: oneshot::Receiver<Acquired>,
}

impl Waiting {
    pub(super) fn join(&mut self, pool: &Arc<Pool>, commitment: &Arc<Commitment>) -> Place {
        let (sender, receiver) = oneshot::channel();
        let number = self.next;
        self.next += 1;
        self.line.push_back(Waiter {
            number,
            commitment: Arc::clone(commitment),
            sender,
        });
        Place {
            pool: Arc::clone(pool),
            number,
            receiver,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.line.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// Removes those whose callers have left, a moment before they would leave by themselves.
    pub(super) fn remove_gone(&mut self) {
        self.line.retain(|waiter| !waiter.commitment.is_gone());
    }

    /// A start begins for whoever waits longest among those that none has begun for.
    pub(super) fn commit_next(&mut self) {
        let open = self.line.iter().filter(|one| one.commitment.is_open());
        for waiter in open {
            if waiter.commitment.make() {
                return;
            }
        }
    }

    /// Gives it to whoever waits longest; returned if nobody does.
    pub(super) fn give(&mut self, mut acquired: Acquired) -> Option<Acquired> {
        while let Some(waiter) = self.line.pop_front() {
            if waiter.commitment.make() {
                match waiter.sender.send(acquired) {
                    Ok(()) => return None,
                    Err(back) => acquired = back,
                }
            }
        }
        Some(acquired)
    }

    fn leave(&mut self, number: u64) {
        let place = self.line.binary_search_by_key(&number, |one| one.number);
        if let Ok(place) = place {
            self.line.remove(place);
        }
    }
}

impl Place {
    /// `None` only if the server is ending.
    pub(super) async fn wait(&mut self) -> Option<Acquired> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pool.state.lock().waiting.leave(self.number);
    }
}
