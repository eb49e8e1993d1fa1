//! Receiving: takes what is visible and hides it, or waits until something is.

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use service::ServiceError;

use super::{How, Queue};
use crate::cache::Kept;
use crate::completion::to_the_end;
use crate::domain::message::{Message, Receives};
use crate::domain::receipt::Receipt;
use crate::domain::sequence::Sequence;
use crate::domain::visibility::{MAX_IN_FLIGHT, Received, Take, Taken};
use crate::error;
use crate::queues::Queues;
use crate::records::{MESSAGES, message_key};

#[derive(Clone, Debug)]
pub struct ReceiveRequest {
    /// 1 to 10.
    pub max: usize,
    /// How long to hide what is received.
    pub hide: Duration,
    /// How long to wait if there is nothing.
    pub wait: Duration,
    /// `ReceiveRequestAttemptId`, which repeats an answer that got lost (FIFO queues).
    pub attempt: Option<String>,
}

/// A message on its way to a receiver.
#[derive(Clone, Debug)]
pub struct Delivered {
    pub message: Arc<Message>,
    pub sequence: Sequence,
    pub receipt: Receipt,
    pub receives: Receives,
}

impl Queue {
    /// Receives up to `max` messages. Waits no longer than asked, and is woken by arrivals, ends
    /// of delays and ends of visibility timeouts: there is no polling in between.
    pub async fn receive(
        self: &Arc<Self>,
        request: ReceiveRequest,
        queues: &Queues,
    ) -> Result<Vec<Delivered>, ServiceError> {
        let until = self.shared.clock.now() + request.wait;
        loop {
            self.loaded().await?;
            // Registered before looking, so that an arrival in between is not missed.
            let mut arrival = std::pin::pin!(self.arrivals.notified());
            arrival.as_mut().enable();
            let (received, has_moved) = self.try_receive(&request, queues).await?;
            if !received.is_empty() {
                return self.deliver(received).await;
            }
            if has_moved {
                continue;
            }
            if self.shared.clock.now() >= until {
                return Ok(Vec::new());
            }
            let wake_at = self.next_change(until);
            tokio::select! {
                () = arrival => {}
                () = self.shared.clock.sleep_until(wake_at) => {}
            }
        }
    }

    /// What can be received now; and whether messages left for the dead-letter queue, after which
    /// it is worth looking again.
    async fn try_receive(
        self: &Arc<Self>,
        request: &ReceiveRequest,
        queues: &Queues,
    ) -> Result<(Vec<Received<Kept>>, bool), ServiceError> {
        // A dead-letter queue that is gone keeps no message from being received.
        let dead_letters = queues.dead_letter_queue_of(self);
        let taken = self.with_contents(|contents, now| {
            let backlog = &mut contents.backlog;
            let take = Take {
                now,
                max: request.max,
                hide: request.hide,
                max_receive_count: dead_letters.as_ref().map(|(_, count)| *count),
            };
            let repeated = request
                .attempt
                .as_ref()
                .and_then(|id| backlog.repeat_attempt(id, take));
            if let Some(received) = repeated {
                return Ok(Taken {
                    received,
                    exhausted: Vec::new(),
                });
            }
            let taken = backlog.take(take);
            if let (Some(id), false) = (&request.attempt, taken.received.is_empty()) {
                backlog.remember_attempt(id.clone(), &taken.received, now);
            }
            let is_full = backlog.counts().in_flight >= MAX_IN_FLIGHT;
            let is_refused = taken.received.is_empty() && is_full;
            if is_refused && request.wait.is_zero() && !self.is_fifo() {
                return Err(error::too_many_in_flight());
            }
            Ok(taken)
        })?;
        let has_moved = !taken.exhausted.is_empty();
        if let Some((target, _)) = dead_letters
            && has_moved
        {
            to_the_end(Arc::clone(self).move_to(target, taken.exhausted, How::DeadLettered))
                .await?;
        }
        Ok((taken.received, has_moved))
    }

    /// When the next delay or visibility timeout ends, `until` at the latest.
    fn next_change(self: &Arc<Self>, until: Timestamp) -> Timestamp {
        self.with_contents(|contents, _| contents.backlog.next_deadline())
            .map_or(until, |deadline| deadline.min(until))
    }

    async fn deliver(
        self: &Arc<Self>,
        received: Vec<Received<Kept>>,
    ) -> Result<Vec<Delivered>, ServiceError> {
        let mut delivered = Vec::with_capacity(received.len());
        for Received {
            sequence,
            receive,
            receives,
            kept,
        } in received
        {
            let Some(message) = self.content(sequence, &kept).await? else {
                continue;
            };
            delivered.push(Delivered {
                message,
                sequence,
                receipt: Receipt {
                    queue: self.id,
                    sequence,
                    receive,
                },
                receives,
            });
        }
        Ok(delivered)
    }

    /// A message's content, from memory or the disk. `None`, and forgotten, if a purge was faster.
    pub(super) async fn content(
        self: &Arc<Self>,
        sequence: Sequence,
        kept: &Kept,
    ) -> Result<Option<Arc<Message>>, ServiceError> {
        if let Some(message) = kept.message() {
            return Ok(Some(message));
        }
        let key = message_key(self.id, sequence);
        let stored = MESSAGES
            .get(&*self.shared.store, key)
            .await
            .map_err(error::store_failed)?;
        if stored.is_none() {
            self.with_contents(|contents, _| contents.backlog.remove(sequence));
        }
        Ok(stored.map(Arc::new))
    }
}
