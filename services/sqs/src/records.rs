//! What is stored, and under which keys.
//!
//! Messages lie under the queue's id, not its name: whatever a deleted queue might leave behind,
//! a later queue of the same name never finds it.

use std::collections::BTreeMap;

use base::{AccountId, Region, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Key, Table};

use crate::domain::attributes::QueueAttributes;
use crate::domain::deduplication::{Accepted, DeduplicationKey};
use crate::domain::message::{Message, Receives};
use crate::domain::move_task::MoveTask;
use crate::domain::sequence::Sequence;

/// Key: account, region, name.
pub const QUEUES: Table<QueueRecord> = Table::new("sqs.queue", 1);
/// Key: queue id, sequence.
pub const MESSAGES: Table<Message> = Table::new("sqs.message", 1);
/// Receives of messages that came back without having been deleted. Key: queue id, sequence.
pub const RECEIVES: Table<Receives> = Table::new("sqs.receives", 1);
/// Deduplication ids of the last five minutes. Key: queue id, group or nothing, id.
pub const ACCEPTED: Table<AcceptedRecord> = Table::new("sqs.accepted", 1);
/// When queues were deleted. Key: account, region, name.
pub const DELETED: Table<Timestamp> = Table::new("sqs.deleted", 1);

/// Key: source queue's id, when it was started, id.
pub const MOVE_TASKS: Table<MoveTask> = Table::new("sqs.move_task", 1);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QueueRecord {
    /// Random; names the queue in receipts and in the keys of its messages.
    pub id: u64,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
    pub attributes: QueueAttributes,
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AcceptedRecord {
    #[serde(flatten)]
    pub key: DeduplicationKey,
    #[serde(flatten)]
    pub accepted: Accepted,
}

/// Names a queue everywhere but in its messages' keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName {
    pub account: AccountId,
    pub region: Region,
    pub name: String,
}

impl QueueName {
    pub fn key(&self) -> Key {
        Key::of((self.account.as_str(), self.region.as_str(), &self.name))
    }

    pub fn from_key(key: &Key) -> Result<Self, store::StoreError> {
        let mut parts = key.reader();
        let (account, region) = (parts.text()?, parts.text()?);
        let damaged = |()| store::StoreError::corrupt("sqs.queue key names no account or region");
        Ok(Self {
            account: account.parse().map_err(|_| damaged(()))?,
            region: region.parse().map_err(|_| damaged(()))?,
            name: parts.text()?,
        })
    }
}

pub fn message_key(queue: u64, sequence: Sequence) -> Key {
    Key::of((queue, sequence))
}

/// The sequence in a key of [`MESSAGES`] or [`RECEIVES`].
pub fn sequence_of(key: &Key) -> Result<Sequence, store::StoreError> {
    let mut parts = key.reader();
    parts.u64()?;
    parts.u64()
}

pub fn move_task_key(source: u64, task: &MoveTask) -> Key {
    Key::of((source, task.started_at.millis(), &task.id))
}

pub fn accepted_key(queue: u64, key: &DeduplicationKey) -> Key {
    Key::of((queue, key.group.as_deref().unwrap_or(""), &key.id))
}
