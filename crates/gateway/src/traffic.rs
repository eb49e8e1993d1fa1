//! Who has been calling lately: whether one connection has the server to itself.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// So many requests in a row make a connection the only one.
const STREAK: u32 = 16;

/// The requests of all connections, counted.
#[derive(Debug, Default)]
pub struct Traffic {
    connections: AtomicU64,
    /// The connection of the latest request, and how many before it were its own.
    latest: AtomicU64,
    streak: AtomicU32,
    in_progress: AtomicUsize,
}

/// A request, until it is dropped.
pub struct InProgress<'a>(&'a Traffic);

impl Traffic {
    /// A number for a new connection.
    pub fn connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub fn request_of(&self, connection: u64) -> InProgress<'_> {
        self.in_progress.fetch_add(1, Ordering::Relaxed);
        if self.latest.swap(connection, Ordering::Relaxed) == connection {
            self.streak.fetch_add(1, Ordering::Relaxed);
        } else {
            self.streak.store(0, Ordering::Relaxed);
        }
        InProgress(self)
    }

    /// Whether nothing is in progress, and nobody else has called for a while.
    pub fn is_all_of(&self, connection: u64) -> bool {
        self.in_progress.load(Ordering::Relaxed) == 0
            && self.latest.load(Ordering::Relaxed) == connection
            && self.streak.load(Ordering::Relaxed) >= STREAK
    }
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        self.0.in_progress.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_calls_and_calls_has_it_all_until_another_calls() {
        let traffic = Traffic::default();
        let (one, other) = (traffic.connection(), traffic.connection());
        for _ in 0..=STREAK {
            assert!(!traffic.is_all_of(one));
            drop(traffic.request_of(one));
        }
        assert!(traffic.is_all_of(one) && !traffic.is_all_of(other));
        let request = traffic.request_of(one);
        assert!(!traffic.is_all_of(one));
        drop(request);
        assert!(traffic.is_all_of(one));
        drop(traffic.request_of(other));
        assert!(!traffic.is_all_of(one) && !traffic.is_all_of(other));
    }
}
