//! Looks out for something that is about to come, instead of sleeping until it does.
//!
//! A thread that sleeps lets its CPU halt, and to wake both costs a virtual machine some 20 µs: as
//! long as a small function takes altogether. Whoever waits for something that has come quickly so
//! far, while nothing else is under way, looks again and again for a fraction of a millisecond. It
//! holds its worker thread for that long on purpose: to yield to the scheduler between two looks
//! wakes the other workers, and costs more than the sleep would.
//! docs/decisions/0006-short-waits.md has the figures.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// What takes longer on average is not looked out for. A round to a small function, or to a client
/// that calls again at once, takes less even where it is waited for asleep.
const SHORT: Duration = Duration::from_micros(150);
/// How long to look out: beyond, this is none of the short waits.
const PATIENCE: Duration = Duration::from_micros(200);
/// What a longer wait counts as in the average: one of them must not hide the short ones that
/// follow for long.
const MOST: Duration = Duration::from_micros(600);

/// With one CPU, looking out would keep what is waited for from happening.
static HAS_TWO_CPUS: LazyLock<bool> =
    LazyLock::new(|| std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() > 1));

/// Looks out for what comes from one source, and remembers how long it takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lookout {
    /// A moving average; `None` before the first time.
    typical: Option<Duration>,
}

impl Lookout {
    /// Whether it is there, after having looked out for it. It is not looked out for, or no longer,
    /// if it is better waited for asleep: it is none that comes quickly, something else wants the
    /// CPU, or it has been expected for long. Blocks its thread for 0.2 ms at most.
    pub fn look_out(
        self,
        expected_since: Instant,
        is_alone: impl Fn() -> bool,
        is_there: impl Fn() -> bool,
    ) -> bool {
        *HAS_TWO_CPUS
            && self.is_short()
            && look_out_for(PATIENCE, expected_since, is_alone, is_there)
    }

    /// Takes note of how long it took.
    pub fn came_after(&mut self, took: Duration) {
        let took = took.min(MOST);
        self.typical = Some(match self.typical {
            Some(typical) => (typical * 7 + took) / 8,
            None => took,
        });
    }

    fn is_short(self) -> bool {
        self.typical.is_some_and(|typical| typical <= SHORT)
    }
}

fn look_out_for(
    patience: Duration,
    since: Instant,
    is_alone: impl Fn() -> bool,
    is_there: impl Fn() -> bool,
) -> bool {
    while is_alone() && since.elapsed() < patience {
        if is_there() {
            return true;
        }
        std::hint::spin_loop();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How often it is looked for, when it is there at the tenth look and others come at the fifth.
    fn looks(patience: Duration, stays_alone: bool) -> (bool, usize) {
        let looked = Cell::new(0);
        let found = look_out_for(
            patience,
            Instant::now(),
            || stays_alone || looked.get() < 5,
            || {
                looked.set(looked.get() + 1);
                looked.get() == 10
            },
        );
        (found, looked.get())
    }

    #[test]
    fn it_looks_until_it_is_there_or_others_come_or_the_time_is_over() {
        let long = Duration::from_mins(1);
        assert_eq!(looks(long, true), (true, 10));
        assert_eq!(looks(long, false), (false, 5));
        assert_eq!(looks(Duration::ZERO, true), (false, 0));
    }

    #[test]
    fn only_what_has_come_quickly_is_looked_out_for() {
        let mut lookout = Lookout::default();
        assert!(!lookout.is_short());
        lookout.came_after(SHORT / 3);
        assert!(lookout.is_short());
        // One that took long is forgotten soon, many are not.
        lookout.came_after(Duration::from_secs(1));
        assert!(lookout.is_short());
        for _ in 0..8 {
            lookout.came_after(Duration::from_secs(1));
        }
        assert!(!lookout.is_short());
    }
}
