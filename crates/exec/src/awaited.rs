//! How many invocations of this server await their answers: with one, its CPU has nothing better
//! to do than to look out for the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The invocations of one server that await an answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Awaited(Arc<AtomicUsize>);

/// One of them, until it is dropped.
pub(crate) struct Awaiting<'a>(&'a AtomicUsize);

impl Awaited {
    pub(crate) fn begin(&self) -> Awaiting<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Awaiting(&self.0)
    }

    pub(crate) fn is_nobody(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

impl Awaiting<'_> {
    pub(crate) fn is_alone(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 1
    }
}

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
