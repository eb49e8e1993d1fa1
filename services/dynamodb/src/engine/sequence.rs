//! Sequence numbers of stream records, and up to which of them a reader may go.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use base::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

/// Numbers begin with the time: they grow over restarts, and say how old a record is.
const A_MILLISECOND: u64 = 1 << 20;

/// Numbers for every stream of the server. A number is given while the item's lock is held, so
/// that the records of an item are in the order of its changes.
#[derive(Default)]
pub struct Sequence {
    state: Mutex<State>,
    readers: Mutex<HashMap<u64, watch::Sender<u64>>>,
}

#[derive(Default)]
struct State {
    last: u64,
    /// Given, by stream, and not known to be stored yet. A stream's readers stay below its first,
    /// or they would miss it.
    pending: BTreeSet<(u64, u64)>,
}

/// Numbers on their way into the store.
pub struct Tickets {
    sequence: Arc<Sequence>,
    /// Stream and number.
    given: Vec<(u64, u64)>,
}

impl Sequence {
    /// Goes on after the last number of an earlier run.
    pub fn start_after(&self, last: u64) {
        let mut state = self.state.lock();
        state.last = state.last.max(last);
    }

    /// The first number of records of this time.
    pub fn at(time: Timestamp) -> u64 {
        u64::try_from(time.millis())
            .unwrap_or(0)
            .saturating_mul(A_MILLISECOND)
    }

    /// A number above all that were given.
    pub fn next(&self, now: Timestamp) -> u64 {
        let mut state = self.state.lock();
        state.last = (state.last + 1).max(Self::at(now));
        state.last
    }

    /// Every record of the stream below this number is stored, or never will be.
    pub fn horizon(&self, stream: u64) -> u64 {
        let state = self.state.lock();
        let mut pending = state.pending.range((stream, 0)..=(stream, u64::MAX));
        pending.next().map_or(state.last + 1, |(_, number)| *number)
    }

    /// Where a reader begins that wants only what is yet to come.
    pub fn latest(&self) -> u64 {
        self.state.lock().last + 1
    }

    /// Resolves when records have been added to the stream since the call.
    pub fn changed(&self, stream: u64) -> impl Future<Output = ()> + Send + 'static + use<> {
        let mut readers = self.readers.lock();
        // Streams that nobody reads any more need no sender.
        readers.retain(|_, sender| sender.receiver_count() > 0);
        let mut receiver = readers
            .entry(stream)
            .or_insert_with(|| watch::channel(0).0)
            .subscribe();
        async move {
            // An error means that the service is gone, and with it all streams.
            let _ = receiver.changed().await;
        }
    }
}

impl Tickets {
    pub fn new(sequence: &Arc<Sequence>) -> Self {
        Self {
            sequence: Arc::clone(sequence),
            given: Vec::new(),
        }
    }

    pub fn take(&mut self, stream: u64, now: Timestamp) -> u64 {
        let mut state = self.sequence.state.lock();
        state.last = (state.last + 1).max(Sequence::at(now));
        let number = state.last;
        state.pending.insert((stream, number));
        drop(state);
        self.given.push((stream, number));
        number
    }
}

impl Drop for Tickets {
    fn drop(&mut self) {
        if self.given.is_empty() {
            return;
        }
        let mut state = self.sequence.state.lock();
        for given in &self.given {
            state.pending.remove(given);
        }
        drop(state);
        let readers = self.sequence.readers.lock();
        for (stream, number) in &self.given {
            if let Some(reader) = readers.get(stream) {
                reader.send_replace(*number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn readers_stay_below_what_is_pending_and_wake_when_it_is_not() {
        let sequence = Arc::new(Sequence::default());
        let now = Timestamp::from_millis(1_000);
        let (mut slow, mut fast) = (Tickets::new(&sequence), Tickets::new(&sequence));
        let first = slow.take(1, now);
        let second = fast.take(1, now);
        assert!(first >= Sequence::at(now) && second > first);
        assert_eq!(sequence.horizon(1), first);
        assert_eq!(
            sequence.horizon(2),
            second + 1,
            "another stream does not wait"
        );
        let changed = sequence.changed(1);
        drop(fast);
        changed.await;
        assert_eq!(sequence.horizon(1), first);
        let changed = sequence.changed(1);
        drop(slow);
        changed.await;
        assert_eq!(sequence.horizon(1), second + 1);
    }
}
