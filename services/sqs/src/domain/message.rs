//! A message as it is stored: what its sender gave, and what SQS added once and for all.
//!
//! How often it was received, and whether it is hidden, is the [backlog](super::backlog)'s.

use base::{Arn, Timestamp};
use serde::{Deserialize, Serialize};

use super::message_attributes::MessageAttributes;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub id: String,
    pub body: String,
    #[serde(rename = "md5")]
    pub body_digest: String,
    #[serde(
        default,
        skip_serializing_if = "MessageAttributes::is_empty",
        rename = "attrs"
    )]
    pub attributes: MessageAttributes,
    #[serde(rename = "sender")]
    pub sender_id: String,
    /// `SentTimestamp`; unchanged by a move to a dead-letter queue.
    #[serde(rename = "sent")]
    pub sent_at: Timestamp,
    /// What the retention period counts from.
    #[serde(rename = "enqueued")]
    pub enqueued_at: Timestamp,
    /// When the delay ends.
    #[serde(rename = "visible")]
    pub visible_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "group")]
    pub group_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "dedup")]
    pub deduplication_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "trace")]
    pub trace_header: Option<String>,
    /// The queue it was moved here from, where this is a dead-letter queue.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "source")]
    pub dead_letter_source: Option<Arn>,
    /// Receives before it came to this queue.
    #[serde(
        default,
        skip_serializing_if = "Receives::is_none",
        rename = "received"
    )]
    pub received_before: Receives,
}

/// How often a message has been received, and when first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receives {
    #[serde(rename = "n")]
    pub count: u32,
    #[serde(rename = "first")]
    pub first: Option<Timestamp>,
}

impl Receives {
    pub fn is_none(&self) -> bool {
        self.count == 0
    }
}

impl Message {
    /// The message as its dead-letter queue takes it over. It keeps its id and timestamps; in a
    /// FIFO queue the retention period starts anew.
    ///
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html>
    #[must_use]
    pub fn dead_lettered(mut self, source: &Arn, receives: Receives, now: Timestamp) -> Self {
        if super::queue_name::is_fifo(&source.resource) {
            self.enqueued_at = now;
        }
        self.visible_at = now;
        self.dead_letter_source = Some(source.clone());
        self.received_before = receives;
        self
    }

    /// The message as a queue takes it over from a dead-letter queue: as if it were sent anew.
    ///
    /// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html>
    #[must_use]
    pub fn redriven(mut self, now: Timestamp) -> Self {
        self.id = uuid::Uuid::new_v4().to_string();
        self.sent_at = now;
        self.enqueued_at = now;
        self.visible_at = now;
        self.dead_letter_source = None;
        self.received_before = Receives::default();
        self
    }

    /// Roughly what it takes in memory.
    pub fn weight(&self) -> usize {
        let attributes = self
            .attributes
            .iter()
            .map(|(name, value)| value.bytes(name));
        self.body.len() + attributes.sum::<usize>() + 256
    }
}
