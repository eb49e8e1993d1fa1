//! What is due when: one timer for any number of things.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use base::{Clock, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Keys with the time at which each is due. Waiting for the first costs one timer.
#[derive(Debug)]
pub struct Agenda<K> {
    entries: Mutex<Entries<K>>,
    changed: Notify,
}

#[derive(Debug)]
struct Entries<K> {
    in_order: BTreeSet<(Timestamp, K)>,
    by_key: HashMap<K, Timestamp>,
}

impl<K> Default for Agenda<K> {
    fn default() -> Self {
        Self {
            entries: Mutex::new(Entries {
                in_order: BTreeSet::new(),
                by_key: HashMap::new(),
            }),
            changed: Notify::new(),
        }
    }
}

impl<K: Clone + Eq + Hash + Ord> Agenda<K> {
    /// Notes when something is due, in place of what was noted before; `None` forgets it.
    pub fn set(&self, key: &K, due: Option<Timestamp>) {
        let mut entries = self.entries.lock();
        let entries = &mut *entries;
        if let Some(before) = entries.by_key.remove(key) {
            entries.in_order.remove(&(before, key.clone()));
        }
        if let Some(due) = due {
            entries.by_key.insert(key.clone(), due);
            entries.in_order.insert((due, key.clone()));
            let is_first = entries
                .in_order
                .first()
                .is_some_and(|(_, first)| first == key);
            if is_first {
                self.changed.notify_one();
            }
        }
    }

    /// Waits until something is due, and takes it off with all others due by then, in order.
    pub async fn due(&self, clock: &Clock) -> Vec<(Timestamp, K)> {
        loop {
            let now = clock.now();
            let first = {
                let mut entries = self.entries.lock();
                let mut due = Vec::new();
                while let Some((at, _)) = entries.in_order.first()
                    && *at <= now
                {
                    let Some((at, key)) = entries.in_order.pop_first() else {
                        break;
                    };
                    entries.by_key.remove(&key);
                    due.push((at, key));
                }
                if !due.is_empty() {
                    return due;
                }
                entries.in_order.first().map(|(at, _)| *at)
            };
            let next = async {
                match first {
                    Some(at) => clock.sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = next => {}
                () = self.changed.notified() => {}
            }
        }
    }
}
