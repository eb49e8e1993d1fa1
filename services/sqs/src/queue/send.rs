//! Sending: a message takes its place, becomes durable, and only then can be received.

use std::sync::Arc;

use service::ServiceError;
use store::{Batch, StoreError};

use super::{Contents, Queue};
use crate::completion::to_the_end;
use crate::domain::backlog::Arrival;
use crate::domain::deduplication::{Accepted, DeduplicationKey};
use crate::domain::digest;
use crate::domain::message::Message;
use crate::domain::send::Prepared;
use crate::domain::sequence::{self, Sequence};
use crate::error;
use crate::records::{ACCEPTED, AcceptedRecord, MESSAGES, accepted_key, message_key};

/// What the sender learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub message_id: String,
    pub body_digest: String,
    pub attributes_digest: Option<String>,
    /// FIFO queues only.
    pub sequence_number: Option<String>,
}

/// What a request's messages have become.
#[derive(Default)]
struct Places {
    new: Vec<Placed>,
    /// Repeats of messages that may not be durable yet.
    repeats: Vec<(DeduplicationKey, Sequence)>,
}

/// A message with its place in the queue.
struct Placed {
    sequence: Sequence,
    message: Arc<Message>,
    deduplication: Option<DeduplicationKey>,
}

impl Queue {
    /// Sends messages in order, all or none. Returns once they are durable. A duplicate within the
    /// deduplication window is answered with the message it repeats, once that is durable.
    pub async fn send(
        self: &Arc<Self>,
        messages: Vec<Prepared>,
    ) -> Result<Vec<Sent>, ServiceError> {
        self.loaded().await?;
        let mut sent = Vec::with_capacity(messages.len());
        let mut places = Places::default();
        self.with_contents(|contents, _| {
            for prepared in messages {
                sent.push(self.place(contents, prepared, &mut places));
            }
        });
        if !places.new.is_empty() {
            to_the_end(Arc::clone(self).store_placed(places.new)).await?;
        }
        for (key, sequence) in places.repeats {
            self.stored(&key, sequence).await?;
        }
        Ok(sent)
    }

    /// Waits until a message that another send placed is durable.
    ///
    /// # Errors
    /// `ServiceUnavailable` if it could not be stored, so that the repeated send is repeated again.
    async fn stored(
        self: &Arc<Self>,
        key: &DeduplicationKey,
        sequence: Sequence,
    ) -> Result<(), ServiceError> {
        self.decided(sequence).await;
        let is_accepted = self.with_contents(|contents, now| {
            let found = contents.window.find(key, now);
            found.is_some_and(|accepted| accepted.sequence == sequence)
        });
        is_accepted
            .then_some(())
            .ok_or_else(ServiceError::unavailable)
    }

    fn place(&self, contents: &mut Contents, prepared: Prepared, places: &mut Places) -> Sent {
        let Prepared {
            message,
            deduplication,
        } = prepared;
        let now = message.sent_at;
        let attributes_digest = digest::of_attributes(&message.attributes);
        let known = deduplication
            .as_ref()
            .and_then(|key| Some((key, contents.window.find(key, now)?)));
        if let Some((key, known)) = known {
            if contents.backlog.is_undecided(known.sequence) {
                places.repeats.push((key.clone(), known.sequence));
            }
            return Sent {
                message_id: known.message_id.clone(),
                body_digest: message.body_digest,
                attributes_digest,
                sequence_number: Some(sequence::printed(known.sequence)),
            };
        }
        let sequence = contents.sequencer.next(now);
        let message = Arc::new(message);
        contents.backlog.reserve(
            sequence,
            Arrival {
                group: message.group_id.clone(),
                enqueued_at: message.enqueued_at,
                visible_at: message.visible_at,
                receives: message.received_before,
                received_before: message.received_before.count,
                kept: self.shared.budget.keep(&message),
            },
        );
        if let Some(key) = &deduplication {
            contents.window.insert(
                key.clone(),
                Accepted {
                    message_id: message.id.clone(),
                    sequence,
                    at: now,
                },
            );
        }
        let sent = Sent {
            message_id: message.id.clone(),
            body_digest: message.body_digest.clone(),
            attributes_digest,
            sequence_number: deduplication.is_some().then(|| sequence::printed(sequence)),
        };
        places.new.push(Placed {
            sequence,
            message,
            deduplication,
        });
        sent
    }

    async fn store_placed(self: Arc<Self>, placed: Vec<Placed>) -> Result<(), ServiceError> {
        let stored = self.commit_placed(&placed).await;
        self.with_contents(|contents, now| {
            for Placed {
                sequence,
                deduplication,
                ..
            } in &placed
            {
                if stored.is_ok() {
                    contents.backlog.settle(*sequence, now);
                } else {
                    contents.backlog.remove(*sequence);
                    if let Some(key) = deduplication {
                        contents.window.remove(key, *sequence);
                    }
                }
            }
        });
        self.decisions.notify_waiters();
        stored.map_err(error::store_failed)
    }

    async fn commit_placed(&self, placed: &[Placed]) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        for Placed {
            sequence,
            message,
            deduplication,
        } in placed
        {
            MESSAGES.put(&mut batch, message_key(self.id, *sequence), message)?;
            if let Some(key) = deduplication {
                let record = AcceptedRecord {
                    key: key.clone(),
                    accepted: Accepted {
                        message_id: message.id.clone(),
                        sequence: *sequence,
                        at: message.sent_at,
                    },
                };
                ACCEPTED.put(&mut batch, accepted_key(self.id, key), &record)?;
            }
        }
        self.shared.store.commit(batch).await
    }
}
