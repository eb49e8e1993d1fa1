//! Waiting longer after each failure, and never in step with others.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Doubles from a first delay to a longest, each time with a random part of up to a half.
#[derive(Debug)]
pub struct BackOff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl BackOff {
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            next: first,
        }
    }

    pub fn next_delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = (self.next * 2).min(self.longest);
        delay.mul_f64(1.0 - random_part() / 2.0)
    }

    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// From 0 to 1. The standard library seeds its hashers at random, which is enough here.
fn random_part() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_within_bounds_and_starts_over() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_millis(350));
        let mut back_off = BackOff::new(first, longest);
        for expected in [100, 200, 350, 350] {
            let expected = Duration::from_millis(expected);
            let delay = back_off.next_delay();
            assert!(
                delay <= expected && delay >= expected / 2,
                "{delay:?} of {expected:?}"
            );
        }
        back_off.reset();
        assert!(back_off.next_delay() <= first);
    }
}
