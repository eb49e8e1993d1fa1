//! What rests between invocations.

use std::collections::VecDeque;
use std::time::Duration;

use base::Timestamp;

use crate::config::ExecConfig;
use crate::environment::{Environment, Frozen, Idle};

/// An environment between invocations.
pub(super) enum Resting {
    Idle(Environment<Idle>),
    Frozen(Environment<Frozen>),
}

/// The environments of a pool that rest, in each list those used last at the end.
#[derive(Default)]
pub(super) struct IdleList {
    /// Made ahead: these do not leave for having nothing to do.
    provisioned: VecDeque<Resting>,
    on_demand: VecDeque<Resting>,
}

/// What has rested long enough for something to happen to it.
#[derive(Default)]
pub(super) struct Due {
    pub(super) gone: Vec<Resting>,
    pub(super) drowsy: Vec<Environment<Idle>>,
}

impl IdleList {
    /// The one to use next: one made ahead, and of those that are alike the one used last. Its
    /// memory is the likeliest to be in the caches, and the others can grow old and leave.
    pub(super) fn take(&mut self) -> Option<Resting> {
        self.provisioned
            .pop_back()
            .or_else(|| self.on_demand.pop_back())
    }

    pub(super) fn rest(&mut self, resting: Resting) {
        let list = if resting.is_provisioned() {
            &mut self.provisioned
        } else {
            &mut self.on_demand
        };
        let since = resting.idle_since();
        // Nearly always the end.
        let earlier = list.iter().rposition(|one| one.idle_since() <= since);
        list.insert(earlier.map_or(0, |at| at + 1), resting);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.provisioned.is_empty() && self.on_demand.is_empty()
    }

    pub(super) fn provisioned(&self) -> usize {
        self.provisioned.len()
    }

    /// Since when those that may leave have been resting, oldest first.
    pub(super) fn idle_since(&self) -> impl Iterator<Item = Timestamp> {
        self.on_demand.iter().map(Resting::idle_since)
    }

    /// Takes out the oldest of those that may leave.
    pub(super) fn take_oldest(&mut self, count: usize) -> Vec<Resting> {
        let count = count.min(self.on_demand.len());
        self.on_demand.drain(..count).collect()
    }

    /// Takes out the oldest of those made ahead.
    pub(super) fn take_provisioned(&mut self, count: usize) -> Vec<Resting> {
        let count = count.min(self.provisioned.len());
        self.provisioned.drain(..count).collect()
    }

    /// Takes out those made ahead that can take no event any more.
    pub(super) fn take_unsound(&mut self, now: Timestamp) -> Vec<Resting> {
        let all = std::mem::take(&mut self.provisioned);
        let (sound, unsound): (VecDeque<_>, VecDeque<_>) =
            all.into_iter().partition(|one| one.is_sound(now));
        self.provisioned = sound;
        unsound.into()
    }

    /// Takes out what is to be frozen or to leave.
    pub(super) fn take_due(&mut self, config: &ExecConfig, now: Timestamp) -> Due {
        let mut due = Due::default();
        for list in [&mut self.provisioned, &mut self.on_demand] {
            for resting in std::mem::take(list) {
                let idle = now.since(resting.idle_since());
                match resting {
                    resting
                        if resting
                            .leaves_after(config)
                            .is_some_and(|after| idle >= after) =>
                    {
                        due.gone.push(resting);
                    }
                    Resting::Idle(environment) if idle >= config.freeze_after => {
                        due.drowsy.push(environment);
                    }
                    resting => list.push_back(resting),
                }
            }
        }
        due
    }

    pub(super) fn next_due(&self, config: &ExecConfig) -> Option<Timestamp> {
        let due = |resting: &Resting| match resting {
            Resting::Idle(_) => Some(resting.idle_since() + config.freeze_after),
            Resting::Frozen(_) => Some(resting.idle_since() + resting.leaves_after(config)?),
        };
        let all = self.provisioned.iter().chain(&self.on_demand);
        all.filter_map(due).min()
    }
}

impl Resting {
    pub(super) fn is_provisioned(&self) -> bool {
        match self {
            Self::Idle(environment) => environment.is_provisioned(),
            Self::Frozen(environment) => environment.is_provisioned(),
        }
    }

    fn idle_since(&self) -> Timestamp {
        match self {
            Self::Idle(environment) => environment.idle_since(),
            Self::Frozen(environment) => environment.idle_since(),
        }
    }

    fn is_sound(&self, now: Timestamp) -> bool {
        match self {
            Self::Idle(environment) => environment.is_sound(now),
            Self::Frozen(environment) => environment.is_sound(now),
        }
    }

    fn leaves_after(&self, config: &ExecConfig) -> Option<Duration> {
        (!self.is_provisioned()).then_some(config.idle_timeout)
    }
}
