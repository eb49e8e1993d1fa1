//! Message contents kept in memory, within a budget that all queues share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::domain::message::Message;

/// Bytes of message content the service keeps in memory.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
}

/// A message's content, if the budget had room for it when it arrived; else it is on the disk.
#[derive(Clone, Debug)]
pub struct Kept(Option<Arc<Charged>>);

#[derive(Debug)]
struct Charged {
    message: Arc<Message>,
    weight: usize,
    budget: Arc<Budget>,
}

impl Budget {
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicUsize::new(0),
        })
    }

    /// Keeps a message if there is room.
    pub fn keep(self: &Arc<Self>, message: &Arc<Message>) -> Kept {
        let weight = message.weight();
        let before = self.used.fetch_add(weight, Ordering::Relaxed);
        // Charged before it is compared, so that its drop gives the weight back either way.
        let charged = Charged {
            message: Arc::clone(message),
            weight,
            budget: Arc::clone(self),
        };
        Kept((before + weight <= self.limit).then(|| Arc::new(charged)))
    }
}

impl Kept {
    pub fn message(&self) -> Option<Arc<Message>> {
        self.0.as_ref().map(|charged| Arc::clone(&charged.message))
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.weight, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attributes::QueueAttributes;
    use crate::domain::send::Outgoing;

    #[test]
    fn what_does_not_fit_is_not_kept_and_room_comes_back() {
        let outgoing = Outgoing {
            body: "x".repeat(1000),
            ..Outgoing::default()
        };
        let prepared = outgoing
            .prepare(
                &QueueAttributes::new(false),
                "me".into(),
                base::Timestamp::default(),
            )
            .unwrap();
        let message = Arc::new(prepared.message);
        let budget = Budget::new(2 * message.weight());
        let first = budget.keep(&message);
        let second = budget.keep(&message);
        assert!(first.message().is_some() && second.message().is_some());
        assert!(budget.keep(&message).message().is_none());
        drop(first);
        assert!(budget.keep(&message).message().is_some());
        assert_eq!(
            budget.used.load(Ordering::Relaxed),
            message.weight(),
            "only the second is still kept"
        );
    }
}
