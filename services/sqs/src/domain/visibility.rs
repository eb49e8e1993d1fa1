//! Receiving: which messages a receive gets, how it hides them, and what their receipts are good
//! for afterwards.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-visibility-timeout.html>

use std::collections::HashMap;
use std::time::Duration;

use base::Timestamp;

use super::backlog::{Backlog, State};
use super::message::Receives;
use super::sequence::Sequence;

/// Most messages of a queue that may be in flight, standard and FIFO alike.
///
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html>
pub const MAX_IN_FLIGHT: usize = 120_000;
/// Longest a receive can keep a message hidden in all: 12 hours.
pub const MAX_VISIBILITY_TIMEOUT: Duration = Duration::from_hours(12);
/// How long a ReceiveRequestAttemptId is remembered.
const ATTEMPT_WINDOW: Duration = Duration::from_mins(5);

/// What a receive asks for.
#[derive(Clone, Copy, Debug)]
pub struct Take {
    pub now: Timestamp,
    /// 1 to 10.
    pub max: usize,
    /// How long to hide what is taken.
    pub hide: Duration,
    /// The redrive policy's count: what has been received this often is not received again.
    pub max_receive_count: Option<u32>,
}

/// What a receive got.
#[derive(Debug)]
pub struct Taken<M> {
    pub received: Vec<Received<M>>,
    /// Messages due for the dead-letter queue, marked as leaving.
    pub exhausted: Vec<Exhausted<M>>,
}

#[derive(Clone, Debug)]
pub struct Received<M> {
    pub sequence: Sequence,
    /// Which receive this is, for the receipt.
    pub receive: u64,
    pub receives: Receives,
    pub kept: M,
}

#[derive(Clone, Debug)]
pub struct Exhausted<M> {
    pub sequence: Sequence,
    pub receives: Receives,
    pub kept: M,
}

/// Why a receipt no longer works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptRefused {
    #[error("The receipt handle has expired.")]
    Expired,
    #[error("Message does not exist or is not available for visibility timeout change.")]
    NotThere,
    #[error("Total VisibilityTimeout for the message is beyond the limit [43200 seconds].")]
    BeyondLimit,
}

/// The answers given to receives that named an attempt (FIFO queues).
#[derive(Debug, Default)]
pub struct Attempts(HashMap<String, Attempt>);

#[derive(Debug)]
struct Attempt {
    at: Timestamp,
    answered: Vec<(Sequence, u64)>,
}

impl<M: Clone> Backlog<M> {
    /// Takes up to `max` visible messages and hides them. The oldest come first; in a FIFO queue,
    /// as many as possible of one group before the next.
    pub fn take(&mut self, take: Take) -> Taken<M> {
        let mut taken = Taken {
            received: Vec::new(),
            exhausted: Vec::new(),
        };
        while taken.received.len() < take.max && self.counts.in_flight < MAX_IN_FLIGHT {
            let candidates = self.candidates(take.max - taken.received.len());
            if candidates.is_empty() {
                break;
            }
            for sequence in candidates {
                if self.is_exhausted(sequence, take.max_receive_count) {
                    taken.exhausted.extend(self.exhaust(sequence));
                    if self.fifo {
                        // Those behind wait until it has really left.
                        break;
                    }
                } else {
                    taken.received.extend(self.hide(sequence, take));
                }
            }
        }
        if take.hide.is_zero() {
            // Received, and there for the next receive at once.
            for received in &taken.received {
                self.set_state(received.sequence, State::Visible);
            }
        }
        taken
    }

    /// Takes up to `max` visible messages away, for another queue: they are marked as leaving.
    pub fn withdraw(&mut self, max: usize) -> Vec<Exhausted<M>> {
        let mut withdrawn = Vec::new();
        while withdrawn.len() < max {
            let candidates = self.candidates(max - withdrawn.len());
            if candidates.is_empty() {
                break;
            }
            for sequence in candidates {
                withdrawn.extend(self.exhaust(sequence));
            }
        }
        withdrawn
    }

    fn candidates(&self, max: usize) -> Vec<Sequence> {
        if !self.fifo {
            return self.visible.next(max);
        }
        let Some(group) = self.groups.first_ready() else {
            return Vec::new();
        };
        self.groups
            .members(&group)
            .take_while(|member| self.slots[member].state == State::Visible)
            .take(max)
            .collect()
    }

    fn is_exhausted(&self, sequence: Sequence, max_receive_count: Option<u32>) -> bool {
        let slot = &self.slots[&sequence];
        let here = slot.receives.count.saturating_sub(slot.received_before);
        max_receive_count.is_some_and(|max| here >= max)
    }

    fn exhaust(&mut self, sequence: Sequence) -> Option<Exhausted<M>> {
        self.set_state(sequence, State::Leaving);
        let slot = self.slots.get(&sequence)?;
        Some(Exhausted {
            sequence,
            receives: slot.receives,
            kept: slot.kept.clone(),
        })
    }

    fn hide(&mut self, sequence: Sequence, take: Take) -> Option<Received<M>> {
        let receive = self.receive_numbers.next(take.now);
        let slot = self.slots.get_mut(&sequence)?;
        slot.receives.count += 1;
        slot.receives.first.get_or_insert(take.now);
        let received = Received {
            sequence,
            receive,
            receives: slot.receives,
            kept: slot.kept.clone(),
        };
        self.set_state(
            sequence,
            State::InFlight {
                receive,
                since: take.now,
                until: take.now + take.hide,
            },
        );
        Some(received)
    }

    /// Remembers what an attempt was answered with.
    pub fn remember_attempt(&mut self, id: String, received: &[Received<M>], now: Timestamp) {
        self.attempts
            .0
            .retain(|_, attempt| attempt.at + ATTEMPT_WINDOW > now);
        let answered = received.iter().map(|r| (r.sequence, r.receive)).collect();
        self.attempts.0.insert(id, Attempt { at: now, answered });
    }

    /// Repeats the answer of an earlier receive with the same attempt id and hides its messages
    /// anew; `None` if any of them has since been deleted, changed or received again.
    pub fn repeat_attempt(&mut self, id: &str, take: Take) -> Option<Vec<Received<M>>> {
        let attempt = self.attempts.0.get(id)?;
        if attempt.at + ATTEMPT_WINDOW <= take.now {
            return None;
        }
        let answered = attempt.answered.clone();
        let mut repeated = Vec::with_capacity(answered.len());
        for (sequence, receive) in &answered {
            let slot = self.slots.get(sequence)?;
            match slot.state {
                State::InFlight {
                    receive: now_with, ..
                } if now_with == *receive => {}
                _ => return None,
            }
            repeated.push(Received {
                sequence: *sequence,
                receive: *receive,
                receives: slot.receives,
                kept: slot.kept.clone(),
            });
        }
        for (sequence, receive) in answered {
            let (since, until) = (take.now, take.now + take.hide);
            self.set_state(
                sequence,
                State::InFlight {
                    receive,
                    since,
                    until,
                },
            );
        }
        Some(repeated)
    }
}

impl<M> Backlog<M> {
    /// Hides a message for `timeout` from now, or shows it for zero. A standard queue takes any
    /// receipt of the message, and one whose message is visible already changes nothing.
    ///
    /// Returns how often it has been received, if it has just come back.
    pub fn change_visibility(
        &mut self,
        sequence: Sequence,
        receive: u64,
        now: Timestamp,
        timeout: Duration,
    ) -> Result<Option<Receives>, ReceiptRefused> {
        let Some(slot) = self.slots.get(&sequence) else {
            return Err(ReceiptRefused::NotThere);
        };
        let receives = slot.receives;
        let State::InFlight {
            receive: held_by,
            since,
            ..
        } = slot.state
        else {
            return match slot.state {
                State::Leaving | State::Arriving => Err(ReceiptRefused::NotThere),
                _ if self.fifo => Err(ReceiptRefused::Expired),
                _ => Ok(None),
            };
        };
        if self.fifo && held_by != receive {
            return Err(ReceiptRefused::Expired);
        }
        if (now + timeout).since(since) > MAX_VISIBILITY_TIMEOUT {
            return Err(ReceiptRefused::BeyondLimit);
        }
        self.attempts.forget(sequence);
        if timeout.is_zero() {
            self.set_state(sequence, State::Visible);
            return Ok(Some(receives));
        }
        let until = now + timeout;
        self.set_state(
            sequence,
            State::InFlight {
                receive: held_by,
                since,
                until,
            },
        );
        Ok(None)
    }

    /// Marks a message as leaving for its deletion; `false` if it is gone already, which is
    /// success too. A standard queue takes any receipt of the message; a FIFO queue only that of
    /// the latest receive, while it lasts.
    pub fn begin_delete(
        &mut self,
        sequence: Sequence,
        receive: u64,
    ) -> Result<bool, ReceiptRefused> {
        let Some(slot) = self.slots.get(&sequence) else {
            return Ok(false);
        };
        match slot.state {
            State::Leaving => return Ok(false),
            State::InFlight {
                receive: held_by, ..
            } if held_by == receive => {}
            _ if self.fifo => return Err(ReceiptRefused::Expired),
            _ => {}
        }
        self.attempts.forget(sequence);
        self.set_state(sequence, State::Leaving);
        Ok(true)
    }
}

impl Attempts {
    /// An attempt with a changed message can no longer be repeated.
    fn forget(&mut self, sequence: Sequence) {
        if !self.0.is_empty() {
            self.0
                .retain(|_, attempt| attempt.answered.iter().all(|(s, _)| *s != sequence));
        }
    }
}
