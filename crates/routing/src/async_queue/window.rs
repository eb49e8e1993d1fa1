//! The events of a lane that are in memory: the first of those in the store, by when they are due.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base::{RequestId, Timestamp};
use bytes::Bytes;
use store::Key;
use tokio::sync::oneshot;

use super::records::Head;

/// Most events a lane keeps in memory; about 300 bytes each.
pub const CAPACITY: usize = 1_024;
/// Below this the window is filled up from the store.
const LOW: usize = CAPACITY / 4;

/// An event that waits.
#[derive(Debug)]
pub struct Waiting {
    pub slot: Slot,
    pub head: Head,
    pub payload: Option<Payload>,
    /// Tells whether the store has it, where that is not yet known.
    pub stored: Option<oneshot::Receiver<bool>>,
}

/// Its place in the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    pub due: Timestamp,
    pub sequence: u64,
    pub id: RequestId,
}

/// A payload in memory, counted against what all lanes may keep.
#[derive(Debug)]
pub struct Payload {
    pub bytes: Bytes,
    counted: Arc<AtomicUsize>,
}

#[derive(Debug)]
pub struct Window {
    waiting: BTreeMap<Slot, Waiting>,
    ids: HashSet<RequestId>,
    backlog: Backlog,
}

/// What the store has of the lane besides the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backlog {
    /// Not looked yet.
    Unknown,
    /// Nothing.
    Empty,
    /// Events that come after every one in the window.
    Longer,
}

impl Slot {
    pub fn key(&self, lane: &str) -> Key {
        Key::of((lane, self.due.millis(), self.sequence, self.id.to_string()))
    }

    /// The slot of a head by its key within the table.
    pub fn of(key: &Key, head: &Head) -> Option<Self> {
        let mut parts = key.reader();
        parts.text().ok()?;
        let due = Timestamp::from_millis(parts.i64().ok()?);
        let sequence = parts.u64().ok()?;
        Some(Self {
            due,
            sequence,
            id: head.id,
        })
    }
}

impl Payload {
    /// `None` if all lanes together would keep more than `most` bytes.
    pub fn kept(bytes: Bytes, counted: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        let length = bytes.len();
        let before = counted.fetch_add(length, Ordering::Relaxed);
        let payload = Self {
            bytes,
            counted: Arc::clone(counted),
        };
        (before + length <= most).then_some(payload)
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.counted.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

impl Window {
    pub fn new() -> Self {
        Self {
            waiting: BTreeMap::new(),
            ids: HashSet::new(),
            backlog: Backlog::Unknown,
        }
    }

    /// Takes an event that is in the store, or leaves it there until its turn comes near.
    pub fn insert(&mut self, waiting: Waiting) {
        if self.ids.contains(&waiting.head.id) {
            return;
        }
        let is_near = self
            .waiting
            .last_key_value()
            .is_some_and(|(last, _)| waiting.slot < *last);
        match self.backlog {
            Backlog::Longer if !is_near => return,
            _ if self.waiting.len() >= CAPACITY && !is_near => {
                self.backlog = Backlog::Longer;
                return;
            }
            _ => {}
        }
        self.put(waiting);
        if self.waiting.len() > CAPACITY {
            self.backlog = Backlog::Longer;
            if let Some((_, last)) = self.waiting.pop_last() {
                self.ids.remove(&last.head.id);
            }
        }
    }

    /// Takes the first events of the store; `is_all` when there are no others.
    pub fn fill(&mut self, stored: impl IntoIterator<Item = Waiting>, is_all: bool) {
        for waiting in stored {
            if !self.ids.contains(&waiting.head.id) {
                self.put(waiting);
            }
        }
        self.backlog = if is_all {
            Backlog::Empty
        } else {
            Backlog::Longer
        };
    }

    fn put(&mut self, waiting: Waiting) {
        self.ids.insert(waiting.head.id);
        self.waiting.insert(waiting.slot, waiting);
    }

    /// The first event, if it is due.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<Waiting> {
        let first = self.waiting.first_entry()?;
        if first.key().due > now {
            return None;
        }
        let waiting = first.remove();
        self.ids.remove(&waiting.head.id);
        Some(waiting)
    }

    /// When the first event is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.waiting.first_key_value().map(|(slot, _)| slot.due)
    }

    /// Whether nothing waits, here or in the store.
    pub fn is_drained(&self) -> bool {
        self.waiting.is_empty() && self.backlog == Backlog::Empty
    }

    pub fn wants_more(&self) -> bool {
        match self.backlog {
            Backlog::Unknown => true,
            Backlog::Empty => false,
            Backlog::Longer => self.waiting.len() < LOW,
        }
    }

    /// The store may have events that nobody has told of.
    pub fn look_again(&mut self) {
        self.backlog = Backlog::Unknown;
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
        self.ids.clear();
        self.backlog = Backlog::Empty;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(due: i64) -> Waiting {
        let id = RequestId::random();
        let due = Timestamp::from_millis(due);
        Waiting {
            slot: Slot {
                due,
                sequence: 0,
                id,
            },
            head: Head {
                id,
                function: "arn:aws:lambda:us-east-1:000000000000:function:f"
                    .parse()
                    .unwrap(),
                accepted_at: due,
                failures: 0,
                system_failures: 0,
                trace: None,
                client_context: None,
                tenant: None,
            },
            payload: None,
            stored: None,
        }
    }

    #[test]
    fn what_does_not_fit_is_left_to_the_store_until_the_window_runs_low() {
        let mut window = Window::new();
        window.fill([], true);
        for due in 0..3_000 {
            window.insert(waiting(due));
        }
        assert_eq!(window.waiting.len(), CAPACITY);
        assert!(!window.wants_more());
        // A later arrival must not overtake those that are only in the store.
        for _ in 0..CAPACITY {
            window.pop_due(Timestamp::from_millis(i64::MAX)).unwrap();
        }
        window.insert(waiting(5_000));
        assert!(window.next_due().is_none());
        assert!(window.wants_more());
    }

    #[test]
    fn an_earlier_event_displaces_the_last() {
        let mut window = Window::new();
        window.fill((0..CAPACITY as i64).map(|n| waiting(10 + n)), true);
        window.insert(waiting(1));
        assert_eq!(window.waiting.len(), CAPACITY);
        assert_eq!(window.next_due(), Some(Timestamp::from_millis(1)));
        assert_eq!(window.backlog, Backlog::Longer);
    }

    #[test]
    fn payloads_over_the_budget_are_not_kept_and_those_dropped_give_it_back() {
        let counted = Arc::new(AtomicUsize::new(0));
        let keep = |n: usize| Payload::kept(Bytes::from(vec![0; n]), &counted, 100);
        let first = keep(80);
        assert!(first.is_some());
        assert!(keep(30).is_none());
        drop(first);
        assert!(keep(30).is_some());
        assert_eq!(counted.load(Ordering::Relaxed), 0);
    }
}
