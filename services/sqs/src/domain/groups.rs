//! The message groups of a FIFO queue: within a group, nothing overtakes.
//!
//! A group can be received from while none of its messages is in flight and its first is visible,
//! and then up to the first that is not: one delayed or not yet durable holds back all behind it.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html>,
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/interleaving-multiple-ordered-message-groups.html>

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::sequence::Sequence;

#[derive(Debug, Default)]
pub struct Groups {
    groups: HashMap<Arc<str>, Group>,
    /// The groups that can be received from, by their first message: oldest first.
    ready: BTreeMap<Sequence, Arc<str>>,
}

#[derive(Debug, Default)]
struct Group {
    members: BTreeSet<Sequence>,
    in_flight: usize,
    /// Its key in `ready`, while it is there.
    ready_as: Option<Sequence>,
}

impl Groups {
    /// Adds a message to its group and returns the group's shared name.
    pub fn join(&mut self, name: &str, sequence: Sequence) -> Arc<str> {
        let name = match self.groups.get_key_value(name) {
            Some((shared, _)) => Arc::clone(shared),
            None => Arc::from(name),
        };
        let group = self.groups.entry(Arc::clone(&name)).or_default();
        group.members.insert(sequence);
        name
    }

    /// A message of the group is in flight from now on: whoever holds it has the group to itself.
    pub fn hold(&mut self, name: &str) {
        if let Some(group) = self.groups.get_mut(name) {
            group.in_flight += 1;
        }
    }

    /// A message of the group is in flight no longer.
    pub fn release(&mut self, name: &str) {
        if let Some(group) = self.groups.get_mut(name) {
            group.in_flight -= 1;
        }
    }

    /// Removes a message that is not in flight; an empty group is forgotten.
    pub fn leave(&mut self, name: &str, sequence: Sequence) {
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        group.members.remove(&sequence);
        if group.members.is_empty() {
            if let Some(key) = group.ready_as {
                self.ready.remove(&key);
            }
            self.groups.remove(name);
        }
    }

    /// Puts the group among the ready ones, or takes it out, by what its first message is and
    /// whether another is in flight.
    pub fn refresh(&mut self, name: &Arc<str>, is_visible: impl Fn(Sequence) -> bool) {
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        let head = group
            .members
            .first()
            .copied()
            .filter(|head| group.in_flight == 0 && is_visible(*head));
        if head == group.ready_as {
            return;
        }
        if let Some(key) = group.ready_as {
            self.ready.remove(&key);
        }
        if let Some(head) = head {
            self.ready.insert(head, Arc::clone(name));
        }
        group.ready_as = head;
    }

    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The group that has waited longest.
    pub fn first_ready(&self) -> Option<Arc<str>> {
        self.ready
            .first_key_value()
            .map(|(_, name)| Arc::clone(name))
    }

    /// The group's messages, in order.
    pub fn members(&self, name: &str) -> impl Iterator<Item = Sequence> + '_ {
        self.groups
            .get(name)
            .into_iter()
            .flat_map(|group| group.members.iter().copied())
    }
}
