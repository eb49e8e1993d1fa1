//! How many events of one function run at once. Pure.
//!
//! A lane hands over everything it has until the function has no concurrency left; from then on as
//! many as it was allowed, and one more after each that was. While nothing is allowed it waits,
//! longer each time.

use std::time::Duration;

use base::Timestamp;

use super::decide::back_off;

/// What an account may run at once, unless it has been raised.
const MOST_AT_ONCE: usize = 1_000;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

#[derive(Debug)]
pub struct Throttle {
    limit: usize,
    paused_until: Option<Timestamp>,
    pauses_in_a_row: u32,
}

impl Throttle {
    pub fn new() -> Self {
        Self {
            limit: MOST_AT_ONCE,
            paused_until: None,
            pauses_in_a_row: 0,
        }
    }

    /// Whether one more event may be handed over while `running` run.
    pub fn admits(&self, running: usize, now: Timestamp) -> bool {
        running < self.limit && self.paused_until.is_none_or(|until| until <= now)
    }

    /// When to look again, if the lane pauses.
    pub fn paused_until(&self) -> Option<Timestamp> {
        self.paused_until
    }

    /// A run was refused for want of concurrency, while `running` others went on.
    pub fn refused(&mut self, running: usize, now: Timestamp) {
        self.limit = running.max(1);
        if self.paused_until.is_none_or(|until| until <= now) {
            self.pauses_in_a_row = self.pauses_in_a_row.saturating_add(1);
            self.paused_until =
                Some(now + back_off(FIRST_PAUSE, LONGEST_PAUSE, self.pauses_in_a_row));
        }
    }

    /// A run took place, so that its concurrency is free again.
    pub fn ran(&mut self) {
        self.limit = (self.limit + 1).min(MOST_AT_ONCE);
        self.pauses_in_a_row = 0;
        self.paused_until = None;
    }

    /// An event ended without a run.
    pub fn skipped(&mut self) {
        self.paused_until = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn keeps_to_what_was_allowed_and_probes_upwards() {
        let mut throttle = Throttle::new();
        assert!(throttle.admits(999, at(0)));
        assert!(!throttle.admits(1_000, at(0)));
        throttle.refused(3, at(0));
        assert!(!throttle.admits(0, at(0)), "pauses");
        throttle.ran();
        assert!(throttle.admits(3, at(0)), "one more than was allowed");
        assert!(!throttle.admits(4, at(0)));
    }

    #[test]
    fn pauses_grow_while_nothing_runs() {
        let mut throttle = Throttle::new();
        let mut now = at(0);
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            throttle.refused(0, now);
            throttle.refused(0, now);
            let until = throttle.paused_until().unwrap();
            assert_eq!(until.since(now).as_secs(), seconds);
            now = until;
            assert!(throttle.admits(0, now));
            assert!(!throttle.admits(1, now));
        }
        throttle.ran();
        throttle.refused(0, now);
        assert_eq!(throttle.paused_until().unwrap().since(now).as_secs(), 1);
    }
}
