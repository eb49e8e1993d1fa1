//! Moving messages that were received too often to the dead-letter queue.

use std::sync::Arc;

use service::ServiceError;
use store::{Batch, StoreError};

use super::Queue;
use crate::cache::Kept;
use crate::domain::backlog::Arrival;
use crate::domain::message::Message;
use crate::domain::sequence::Sequence;
use crate::domain::visibility::Exhausted;
use crate::error;
use crate::records::{MESSAGES, message_key};

/// A message between two queues.
struct Moving {
    from: Sequence,
    to: Sequence,
    message: Arc<Message>,
}

impl Queue {
    /// Moves messages to `target`: in one batch, so that a crash leaves each in exactly one queue.
    /// If that fails they stay, visible.
    pub(super) async fn move_to(
        self: Arc<Self>,
        target: Arc<Queue>,
        exhausted: Vec<Exhausted<Kept>>,
    ) -> Result<(), ServiceError> {
        let moved = self.try_move(&target, &exhausted).await;
        self.with_contents(|contents, _| {
            for Exhausted { sequence, .. } in &exhausted {
                if moved.is_ok() {
                    contents.backlog.remove(*sequence);
                } else {
                    contents.backlog.keep(*sequence);
                }
            }
        });
        self.decisions.notify_waiters();
        moved
    }

    async fn try_move(
        self: &Arc<Self>,
        target: &Arc<Queue>,
        exhausted: &[Exhausted<Kept>],
    ) -> Result<(), ServiceError> {
        target.loaded().await?;
        let mut leaving = Vec::with_capacity(exhausted.len());
        for Exhausted {
            sequence,
            receives,
            kept,
        } in exhausted
        {
            if let Some(message) = self.content(*sequence, kept).await? {
                let now = self.shared.clock.now();
                let message = (*message).clone().dead_lettered(&self.arn, *receives, now);
                leaving.push((*sequence, message));
            }
        }
        // After the last read: one that fails must leave no empty place behind.
        let moving: Vec<Moving> = leaving
            .into_iter()
            .map(|(from, message)| target.make_room(from, message))
            .collect();
        let stored = self.commit_move(target, &moving).await;
        target.with_contents(|contents, now| {
            for Moving { to, .. } in &moving {
                if stored.is_ok() {
                    contents.backlog.settle(*to, now);
                } else {
                    contents.backlog.remove(*to);
                }
            }
        });
        stored.map_err(error::store_failed)
    }

    fn make_room(self: &Arc<Self>, from: Sequence, message: Message) -> Moving {
        let message = Arc::new(message);
        let to = self.with_contents(|contents, now| {
            let to = contents.sequencer.next(now);
            contents.backlog.reserve(
                to,
                Arrival {
                    group: message.group_id.clone(),
                    enqueued_at: message.enqueued_at,
                    visible_at: message.visible_at,
                    receives: message.received_before,
                    received_before: message.received_before.count,
                    kept: self.shared.budget.keep(&message),
                },
            );
            to
        });
        Moving { from, to, message }
    }

    async fn commit_move(&self, target: &Queue, moving: &[Moving]) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        for Moving { from, to, message } in moving {
            self.delete_message(&mut batch, *from);
            MESSAGES.put(&mut batch, message_key(target.id, *to), message)?;
        }
        self.shared.store.commit(batch).await
    }
}
