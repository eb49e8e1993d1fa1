//! Where every message of a queue stands: arriving, delayed, visible, in flight or leaving.
//!
//! One index, no IO: the caller owns time, durability and waking. [`visibility`](super::visibility)
//! holds the rules of receiving, [`groups`](super::groups) the order within a FIFO queue.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;

use super::fairness::Fairness;
use super::groups::Groups;
use super::message::Receives;
use super::sequence::{Sequence, Sequencer};
use super::visibility::{Attempts, MAX_IN_FLIGHT};

/// The messages of one queue. `M` is what the caller keeps with each, such as its cached content.
#[derive(Debug)]
pub struct Backlog<M> {
    pub(super) fifo: bool,
    pub(super) slots: HashMap<Sequence, Slot<M>>,
    /// Standard queues: the visible messages. A FIFO queue's are found through its groups.
    pub(super) visible: Fairness,
    pub(super) groups: Groups,
    /// When delays and visibility timeouts end.
    pub(super) deadlines: BTreeSet<(Timestamp, Sequence)>,
    pub(super) ages: BTreeSet<(Timestamp, Sequence)>,
    pub(super) counts: Counts,
    pub(super) receive_numbers: Sequencer,
    pub(super) attempts: Attempts,
}

#[derive(Debug)]
pub(super) struct Slot<M> {
    pub state: State,
    pub group: Option<Arc<str>>,
    pub enqueued_at: Timestamp,
    pub visible_at: Timestamp,
    pub receives: Receives,
    /// How many of them were in the queue it was moved here from.
    pub received_before: u32,
    pub kept: M,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Sent, not yet durable: nobody may see it.
    Arriving,
    Delayed {
        until: Timestamp,
    },
    Visible,
    InFlight {
        /// The receive that hid it.
        receive: u64,
        since: Timestamp,
        until: Timestamp,
    },
    /// Being deleted or moved away: nobody may see it any more.
    Leaving,
}

/// A message about to join.
#[derive(Clone, Debug)]
pub struct Arrival<M> {
    pub group: Option<String>,
    pub enqueued_at: Timestamp,
    pub visible_at: Timestamp,
    pub receives: Receives,
    /// How many of them were in the queue it was moved here from: they do not count towards this
    /// queue's own redrive policy.
    pub received_before: u32,
    pub kept: M,
}

/// GetQueueAttributes' three numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub visible: usize,
    pub in_flight: usize,
    pub delayed: usize,
}

impl<M> Backlog<M> {
    pub fn new(fifo: bool) -> Self {
        Self {
            fifo,
            slots: HashMap::new(),
            visible: Fairness::default(),
            groups: Groups::default(),
            deadlines: BTreeSet::new(),
            ages: BTreeSet::new(),
            counts: Counts::default(),
            receive_numbers: Sequencer::default(),
            attempts: Attempts::default(),
        }
    }

    /// Takes a place for a message that is on its way to the disk. In a FIFO queue it already
    /// holds back those behind it.
    pub fn reserve(&mut self, sequence: Sequence, arrival: Arrival<M>) {
        let group = arrival.group.map(|group| {
            if self.fifo {
                self.groups.join(&group, sequence)
            } else {
                self.visible.join(&group)
            }
        });
        self.ages.insert((arrival.enqueued_at, sequence));
        let slot = Slot {
            state: State::Arriving,
            group,
            enqueued_at: arrival.enqueued_at,
            visible_at: arrival.visible_at,
            receives: arrival.receives,
            received_before: arrival.received_before,
            kept: arrival.kept,
        };
        self.slots.insert(sequence, slot);
    }

    /// The message is durable: from now, or from the end of its delay, it can be received.
    pub fn settle(&mut self, sequence: Sequence, now: Timestamp) {
        let Some(slot) = self.slots.get(&sequence) else {
            return;
        };
        let until = slot.visible_at;
        self.set_state(
            sequence,
            if until > now {
                State::Delayed { until }
            } else {
                State::Visible
            },
        );
    }

    pub fn contains(&self, sequence: Sequence) -> bool {
        self.slots.contains_key(&sequence)
    }

    /// Delays what nobody has received yet by `delay` from when it was sent.
    pub fn delay_anew(&mut self, delay: Duration, now: Timestamp) {
        let mut changed = Vec::new();
        for (sequence, slot) in &mut self.slots {
            let is_durable = matches!(slot.state, State::Delayed { .. } | State::Visible);
            if slot.receives.is_none() && (is_durable || slot.state == State::Arriving) {
                slot.visible_at = slot.enqueued_at + delay;
                if is_durable {
                    changed.push(*sequence);
                }
            }
        }
        for sequence in changed {
            self.settle(sequence, now);
        }
    }

    /// Whether the disk has yet to say if the message comes, or goes.
    pub fn is_undecided(&self, sequence: Sequence) -> bool {
        let slot = self.slots.get(&sequence);
        slot.is_some_and(|slot| matches!(slot.state, State::Arriving | State::Leaving))
    }

    /// Forgets a message: it could not be stored, or it is durably gone.
    pub fn remove(&mut self, sequence: Sequence) {
        self.set_state(sequence, State::Leaving);
        let Some(slot) = self.slots.remove(&sequence) else {
            return;
        };
        self.ages.remove(&(slot.enqueued_at, sequence));
        match slot.group {
            Some(group) if self.fifo => {
                self.groups.leave(&group, sequence);
                self.refresh(&group);
            }
            Some(group) => self.visible.leave(&group),
            None => {}
        }
    }

    /// A message that was leaving stays after all.
    pub fn keep(&mut self, sequence: Sequence) {
        if self
            .slots
            .get(&sequence)
            .is_some_and(|slot| slot.state == State::Leaving)
        {
            self.set_state(sequence, State::Visible);
        }
    }

    /// Marks everything durable as leaving and says what it was.
    pub fn take_all_away(&mut self) -> Vec<Sequence> {
        let is_durable = |slot: &Slot<M>| !matches!(slot.state, State::Arriving | State::Leaving);
        let all: Vec<Sequence> = self
            .slots
            .iter()
            .filter(|(_, slot)| is_durable(slot))
            .map(|(sequence, _)| *sequence)
            .collect();
        for sequence in &all {
            self.set_state(*sequence, State::Leaving);
        }
        all
    }

    /// Marks what has outlived the retention period as leaving and says what it was.
    pub fn expire(&mut self, now: Timestamp, retention: Duration) -> Vec<Sequence> {
        let is_settled = |sequence: &Sequence| {
            let state = self.slots.get(sequence).map(|slot| slot.state);
            !matches!(state, None | Some(State::Arriving | State::Leaving))
        };
        let expired: Vec<Sequence> = self
            .ages
            .iter()
            .take_while(|(at, _)| *at + retention <= now)
            .map(|(_, sequence)| *sequence)
            .filter(is_settled)
            .collect();
        for sequence in &expired {
            self.set_state(*sequence, State::Leaving);
        }
        expired
    }

    /// Ends the delays and visibility timeouts that are over. Returns the messages that came back
    /// without having been deleted, with how often they have been received by now.
    pub fn advance(&mut self, now: Timestamp) -> Vec<(Sequence, Receives)> {
        let mut returned = Vec::new();
        while let Some((until, sequence)) = self.deadlines.first().copied()
            && until <= now
        {
            if let Some(slot) = self.slots.get(&sequence)
                && matches!(slot.state, State::InFlight { .. })
            {
                returned.push((sequence, slot.receives));
            }
            self.set_state(sequence, State::Visible);
        }
        returned
    }

    /// When the next delay or visibility timeout ends.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.first().map(|(until, _)| *until)
    }

    /// Whether a receive would find something.
    pub fn has_receivable(&self) -> bool {
        let is_there = self.visible.has_visible() || self.groups.has_ready();
        is_there && self.counts.in_flight < MAX_IN_FLIGHT
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Moves a message to another state and every index with it.
    pub(super) fn set_state(&mut self, sequence: Sequence, new: State) {
        let Some(slot) = self.slots.get_mut(&sequence) else {
            return;
        };
        let old = std::mem::replace(&mut slot.state, new);
        let group = slot.group.clone();
        match old {
            State::Delayed { until } => {
                self.deadlines.remove(&(until, sequence));
                self.counts.delayed -= 1;
            }
            State::InFlight { until, .. } => {
                self.deadlines.remove(&(until, sequence));
                self.counts.in_flight -= 1;
                match &group {
                    Some(group) if self.fifo => self.groups.release(group),
                    Some(group) => self.visible.release(group),
                    None => {}
                }
            }
            State::Visible => {
                if !self.fifo {
                    self.visible.hide(group.as_ref(), sequence);
                }
                self.counts.visible -= 1;
            }
            State::Arriving | State::Leaving => {}
        }
        match new {
            State::Delayed { until } => {
                self.deadlines.insert((until, sequence));
                self.counts.delayed += 1;
            }
            State::InFlight { until, .. } => {
                self.deadlines.insert((until, sequence));
                self.counts.in_flight += 1;
                match &group {
                    Some(group) if self.fifo => self.groups.hold(group),
                    Some(group) => self.visible.hold(group),
                    None => {}
                }
            }
            State::Visible => {
                self.counts.visible += 1;
                if !self.fifo {
                    self.visible.show(group.as_ref(), sequence);
                }
            }
            State::Arriving | State::Leaving => {}
        }
        if let Some(group) = group.filter(|_| self.fifo) {
            self.refresh(&group);
        }
    }

    fn refresh(&mut self, group: &Arc<str>) {
        let slots = &self.slots;
        self.groups.refresh(group, |head| {
            slots
                .get(&head)
                .is_some_and(|slot| slot.state == State::Visible)
        });
    }
}
