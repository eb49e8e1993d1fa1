//! A rate with a burst, as a token bucket that is one number.
//!
//! It keeps the time at which the bucket would be full again (the generic cell rate algorithm,
//! ITU-T I.371), so that nothing has to refill it.

use std::time::Duration;

use base::Timestamp;

/// What has been taken from a bucket. New, it is full.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    /// When the bucket is full again, in nanoseconds of the clock; that is until the year 2262.
    full_at: i64,
}

impl Rate {
    /// Takes a token of a bucket that holds `burst` and refills within `period`, if there is one.
    pub(super) fn take(&mut self, burst: u64, period: Duration, now: Timestamp) -> bool {
        if burst == 0 {
            return false;
        }
        let (now, period) = (nanos(now), period.as_nanos() as i64);
        // No later than when it is empty, or a clock that was set back would keep it shut.
        let full_at = self.full_at.clamp(now, now + period);
        self.full_at = full_at;
        let taken = full_at + period / burst as i64;
        let fits = taken <= now + period;
        if fits {
            self.full_at = taken;
        }
        fits
    }

    /// Puts a token back that was not used.
    pub(super) fn put_back(&mut self, burst: u64, period: Duration) {
        self.full_at -= period.as_nanos() as i64 / burst.max(1) as i64;
    }

    pub(super) fn is_full(self, now: Timestamp) -> bool {
        self.full_at <= nanos(now)
    }
}

fn nanos(at: Timestamp) -> i64 {
    at.millis().saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(10);

    fn taken(rate: &mut Rate, now: Timestamp) -> usize {
        (0..5_000).filter(|_| rate.take(1_000, PERIOD, now)).count()
    }

    #[test]
    fn a_burst_then_a_steady_refill_that_never_gathers_more_than_a_burst() {
        let start = Timestamp::from_millis(1_795_466_144_000);
        let mut rate = Rate::default();
        assert_eq!(taken(&mut rate, start), 1_000);
        assert!(!rate.is_full(start));
        assert_eq!(taken(&mut rate, start + Duration::from_millis(10)), 1);
        assert_eq!(taken(&mut rate, start + Duration::from_secs(1)), 99);
        assert_eq!(taken(&mut rate, start + Duration::from_hours(1)), 1_000);
        assert!(rate.is_full(start + Duration::from_hours(2)));
    }

    #[test]
    fn what_is_put_back_can_be_taken_again() {
        let now = Timestamp::from_millis(1_795_466_144_000);
        let mut rate = Rate::default();
        taken(&mut rate, now);
        rate.put_back(1_000, PERIOD);
        rate.put_back(1_000, PERIOD);
        assert_eq!(taken(&mut rate, now), 2);
    }

    #[test]
    fn a_clock_that_was_set_back_shuts_it_for_no_longer_than_its_period() {
        let mut rate = Rate::default();
        let then = Timestamp::from_millis(1_795_466_144_000);
        taken(&mut rate, then);
        let earlier = Timestamp::from_millis(1_000_000_000_000);
        assert_eq!(taken(&mut rate, earlier), 0);
        assert_eq!(taken(&mut rate, earlier + PERIOD), 1_000);
        assert!(!Rate::default().take(0, PERIOD, then));
    }
}
