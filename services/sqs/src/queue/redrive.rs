//! Moving messages between queues: those received too often to the dead-letter queue, and back.

use std::sync::Arc;

use base::Arn;
use service::ServiceError;
use store::{Batch, Key, StoreError};

use super::Queue;
use crate::cache::Kept;
use crate::domain::backlog::Arrival;
use crate::domain::message::Message;
use crate::domain::move_task::MoveTask;
use crate::domain::sequence::Sequence;
use crate::domain::visibility::Exhausted;
use crate::error;
use crate::records::{MESSAGES, MOVE_TASKS, message_key};

/// What becomes of messages that are moved.
pub enum How {
    /// They go to the dead-letter queue, with their history.
    DeadLettered,
    /// They are as new, and the task that moves them is written down in the same batch.
    Redriven(Box<(Key, MoveTask)>),
}

/// A message that has been taken out of its queue.
pub struct Leaving {
    pub exhausted: Exhausted<Kept>,
    message: Arc<Message>,
}

impl Leaving {
    /// The queue that it was moved here from.
    pub fn came_from(&self) -> Option<Arn> {
        self.message.dead_letter_source.clone()
    }
}

/// A message between two queues.
struct Moving {
    from: Sequence,
    to: Sequence,
    message: Arc<Message>,
}

impl Queue {
    /// Moves messages to `target`: in one batch, so that a crash leaves each in exactly one queue.
    /// If that fails they stay, visible.
    pub async fn move_to(
        self: Arc<Self>,
        target: Arc<Queue>,
        exhausted: Vec<Exhausted<Kept>>,
        how: How,
    ) -> Result<(), ServiceError> {
        let moved = self.try_move(&target, &exhausted, &how).await;
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
        how: &How,
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
                let message = (*message).clone();
                let message = match how {
                    How::DeadLettered => message.dead_lettered(&self.arn, *receives, now),
                    How::Redriven(_) => message.redriven(now),
                };
                leaving.push((*sequence, message));
            }
        }
        // After the last read: one that fails must leave no empty place behind.
        let moving: Vec<Moving> = leaving
            .into_iter()
            .map(|(from, message)| target.make_room(from, message))
            .collect();
        let stored = self.commit_move(target, &moving, how).await;
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

    /// Takes visible messages out, to be moved or [put back](Self::put_back).
    pub async fn withdraw(self: &Arc<Self>, max: usize) -> Result<Vec<Leaving>, ServiceError> {
        self.loaded().await?;
        let withdrawn = self.with_contents(|contents, _| contents.backlog.withdraw(max));
        let mut leaving = Vec::with_capacity(withdrawn.len());
        let mut rest = withdrawn.into_iter();
        while let Some(exhausted) = rest.next() {
            match self.content(exhausted.sequence, &exhausted.kept).await {
                Ok(Some(message)) => leaving.push(Leaving { exhausted, message }),
                Ok(None) => {}
                Err(error) => {
                    self.put_back(&leaving);
                    let unread = [exhausted].into_iter().chain(rest);
                    self.stay(&unread.map(|one| one.sequence).collect::<Vec<_>>());
                    return Err(error);
                }
            }
        }
        Ok(leaving)
    }

    pub fn put_back(self: &Arc<Self>, leaving: &[Leaving]) {
        let sequences: Vec<_> = leaving.iter().map(|one| one.exhausted.sequence).collect();
        self.stay(&sequences);
    }

    fn stay(self: &Arc<Self>, sequences: &[Sequence]) {
        self.with_contents(|contents, _| {
            for sequence in sequences {
                contents.backlog.keep(*sequence);
            }
        });
        self.decisions.notify_waiters();
    }

    async fn commit_move(
        &self,
        target: &Queue,
        moving: &[Moving],
        how: &How,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        for Moving { from, to, message } in moving {
            self.delete_message(&mut batch, *from);
            MESSAGES.put(&mut batch, message_key(target.id, *to), message)?;
        }
        if let How::Redriven(task) = how {
            let (key, task) = &**task;
            MOVE_TASKS.put(&mut batch, key, task)?;
        }
        self.shared.store.commit(batch).await
    }
}
