//! Exactly-once sending to a FIFO queue: within five minutes, a message with the same
//! deduplication id is accepted and not delivered.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html>

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::sequence::Sequence;

/// How long an id is remembered after the message it came with was accepted.
pub const WINDOW: Duration = Duration::from_mins(5);

/// What an id must be unique in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeduplicationScope {
    #[default]
    Queue,
    MessageGroup,
}

/// An id within its scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeduplicationKey {
    #[serde(rename = "id")]
    pub id: String,
    /// `None` when the id counts for the whole queue.
    #[serde(rename = "group")]
    pub group: Option<String>,
}

/// The message an id came with first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    pub message_id: String,
    pub sequence: Sequence,
    pub at: Timestamp,
}

/// The ids of the last five minutes.
#[derive(Debug, Default)]
pub struct Window {
    accepted: HashMap<DeduplicationKey, Accepted>,
    by_age: BTreeSet<(Timestamp, DeduplicationKey)>,
}

impl DeduplicationScope {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::MessageGroup => "messageGroup",
        }
    }

    pub fn key(self, id: &str, group: &str) -> DeduplicationKey {
        DeduplicationKey {
            id: id.to_owned(),
            group: (self == Self::MessageGroup).then(|| group.to_owned()),
        }
    }
}

impl Window {
    /// The message that an id was accepted with before. An id accepted for the whole queue keeps
    /// counting after the scope is narrowed to the group.
    pub fn find(&self, key: &DeduplicationKey, now: Timestamp) -> Option<&Accepted> {
        let queue_wide = || {
            self.accepted.get(&DeduplicationKey {
                id: key.id.clone(),
                group: None,
            })
        };
        let found = self.accepted.get(key).or_else(queue_wide)?;
        (found.at + WINDOW > now).then_some(found)
    }

    pub fn insert(&mut self, key: DeduplicationKey, accepted: Accepted) {
        self.by_age.insert((accepted.at, key.clone()));
        if let Some(old) = self.accepted.insert(key.clone(), accepted) {
            self.by_age.remove(&(old.at, key));
        }
    }

    /// Takes an id back whose message could not be stored.
    pub fn remove(&mut self, key: &DeduplicationKey, sequence: Sequence) {
        if self
            .accepted
            .get(key)
            .is_some_and(|found| found.sequence == sequence)
            && let Some(old) = self.accepted.remove(key)
        {
            self.by_age.remove(&(old.at, key.clone()));
        }
    }

    /// Forgets what is older than the window and says what it was.
    pub fn expire(&mut self, now: Timestamp) -> Vec<DeduplicationKey> {
        let mut expired = Vec::new();
        while let Some((at, _)) = self.by_age.first()
            && *at + WINDOW <= now
        {
            let (_, key) = self.by_age.pop_first().expect("first() has just seen it");
            self.accepted.remove(&key);
            expired.push(key);
        }
        expired
    }
}

/// The id of a message whose queue has ContentBasedDeduplication: SHA-256 of the body alone.
pub fn content_id(body: &str) -> String {
    hex::encode(Sha256::digest(body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn accepted(sequence: Sequence, seconds: i64) -> Accepted {
        Accepted {
            message_id: sequence.to_string(),
            sequence,
            at: at(seconds),
        }
    }

    #[test]
    fn an_id_counts_for_five_minutes_after_it_was_accepted() {
        let key = DeduplicationScope::Queue.key("id", "g");
        let mut window = Window::default();
        window.insert(key.clone(), accepted(1, 0));
        assert_eq!(window.find(&key, at(299)).unwrap().sequence, 1);
        assert_eq!(window.find(&key, at(300)), None);
        assert_eq!(window.expire(at(299)), []);
        assert_eq!(window.expire(at(300)), std::slice::from_ref(&key));
        window.insert(key.clone(), accepted(2, 400));
        window.insert(key.clone(), accepted(3, 800));
        assert_eq!(window.expire(at(750)), [], "the newer acceptance keeps it");
        assert_eq!(window.find(&key, at(1099)).unwrap().sequence, 3);
    }

    #[test]
    fn scopes() {
        let (queue, group) = (DeduplicationScope::Queue, DeduplicationScope::MessageGroup);
        let mut window = Window::default();
        window.insert(group.key("id", "g1"), accepted(1, 0));
        assert!(window.find(&group.key("id", "g1"), at(1)).is_some());
        assert!(window.find(&group.key("id", "g2"), at(1)).is_none());
        assert!(window.find(&queue.key("id", "g1"), at(1)).is_none());
        window.insert(queue.key("id", "g1"), accepted(2, 0));
        assert!(
            window.find(&group.key("id", "g2"), at(1)).is_some(),
            "accepted for the queue before the scope was narrowed"
        );
    }

    #[test]
    fn a_failed_send_gives_its_id_back_but_not_another_ones() {
        let key = DeduplicationScope::Queue.key("id", "g");
        let mut window = Window::default();
        window.insert(key.clone(), accepted(2, 0));
        window.remove(&key, 1);
        assert!(window.find(&key, at(1)).is_some());
        window.remove(&key, 2);
        assert!(window.find(&key, at(1)).is_none());
    }
}
