//! Fair queues: in a standard queue, messages of one group do not keep those of others waiting.
//!
//! Messages with a `MessageGroupId` are taken from the group that has the fewest messages in
//! flight, by powers of two, and then oldest first. A message without one is a group of its own.
//! Within a group the oldest comes first, but nothing is held back: these are no FIFO groups.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html>

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::sequence::Sequence;

#[derive(Debug, Default)]
pub struct Fairness {
    groups: HashMap<Arc<str>, Group>,
    /// Groups with visible messages: the quietest first, then by their oldest.
    ready: BTreeMap<(u32, Sequence), Arc<str>>,
    /// Visible messages without a group.
    single: BTreeSet<Sequence>,
}

#[derive(Debug, Default)]
struct Group {
    visible: BTreeSet<Sequence>,
    in_flight: usize,
    /// How many messages of it there are, whatever their state.
    members: usize,
    /// Its key in `ready`, while it is there.
    ready_as: Option<(u32, Sequence)>,
}

impl Fairness {
    /// Adds a message to its group and returns the group's shared name.
    pub fn join(&mut self, name: &str) -> Arc<str> {
        let name = match self.groups.get_key_value(name) {
            Some((shared, _)) => Arc::clone(shared),
            None => Arc::from(name),
        };
        self.groups.entry(Arc::clone(&name)).or_default().members += 1;
        name
    }

    /// Removes a message that is neither visible nor in flight.
    pub fn leave(&mut self, name: &Arc<str>) {
        if let Some(group) = self.groups.get_mut(name) {
            group.members -= 1;
            if group.members == 0 {
                self.groups.remove(name);
            }
        }
    }

    pub fn show(&mut self, name: Option<&Arc<str>>, sequence: Sequence) {
        match name {
            None => {
                self.single.insert(sequence);
            }
            Some(name) => self.change(name, |group| {
                group.visible.insert(sequence);
            }),
        }
    }

    pub fn hide(&mut self, name: Option<&Arc<str>>, sequence: Sequence) {
        match name {
            None => {
                self.single.remove(&sequence);
            }
            Some(name) => self.change(name, |group| {
                group.visible.remove(&sequence);
            }),
        }
    }

    /// A message of the group is in flight from now on.
    pub fn hold(&mut self, name: &Arc<str>) {
        self.change(name, |group| group.in_flight += 1);
    }

    /// A message of the group is in flight no longer.
    pub fn release(&mut self, name: &Arc<str>) {
        self.change(name, |group| group.in_flight -= 1);
    }

    fn change(&mut self, name: &Arc<str>, change: impl FnOnce(&mut Group)) {
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        change(group);
        let now = group.visible.first().map(|oldest| (group.level(), *oldest));
        if now == group.ready_as {
            return;
        }
        if let Some(old) = group.ready_as {
            self.ready.remove(&old);
        }
        if let Some(new) = now {
            self.ready.insert(new, Arc::clone(name));
        }
        group.ready_as = now;
    }

    pub fn has_visible(&self) -> bool {
        !self.single.is_empty() || !self.ready.is_empty()
    }

    /// The messages to take next, at most `max`: as many as can be said before any is in flight.
    pub fn next(&self, max: usize) -> Vec<Sequence> {
        if self.ready.is_empty() {
            return self.single.iter().copied().take(max).collect();
        }
        let single = self.single.first().map(|oldest| (0, *oldest));
        let grouped = self.ready.first_key_value().map(|(key, _)| *key);
        let first = [single, grouped].into_iter().flatten().min();
        first.map(|(_, oldest)| oldest).into_iter().collect()
    }
}

impl Group {
    /// How busy it is: grows with each doubling of what is in flight.
    fn level(&self) -> u32 {
        usize::BITS - self.in_flight.leading_zeros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_group_lets_others_pass() {
        let mut fairness = Fairness::default();
        let noisy = fairness.join("noisy");
        for sequence in 1..=5 {
            fairness.show(Some(&noisy), sequence);
        }
        let quiet = fairness.join("quiet");
        fairness.show(Some(&quiet), 6);
        fairness.show(None, 7);
        let mut order = Vec::new();
        while let [next] = fairness.next(10)[..] {
            let group = match next {
                ..=5 => Some(&noisy),
                6 => Some(&quiet),
                _ => None,
            };
            fairness.hide(group, next);
            if let Some(group) = group {
                fairness.hold(group);
            }
            order.push(next);
        }
        assert_eq!(order, [1, 6, 7, 2, 3, 4, 5]);
        assert!(!fairness.has_visible());
    }
}
