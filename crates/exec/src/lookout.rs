//! Looks out for a short answer instead of sleeping until it comes.
//!
//! A thread that sleeps lets its CPU halt, and to wake both costs a virtual machine some 20 µs: as
//! long as a small function takes altogether. So while a single invocation is under way, and its
//! environment has answered quickly so far, the worker looks again and again, for a fraction of a
//! millisecond, and does nothing else. It holds the worker for that long on purpose: to yield to the
//! scheduler between two looks wakes the other workers, and costs more than the sleep would.
//! docs/decisions/0006-short-answers.md has the figures.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Whoever takes longer on average is not looked out for. A small function that is waited for
/// asleep takes a little less.
const SHORT: Duration = Duration::from_micros(150);
/// How long to look out: beyond, an answer is none of the short ones.
const PATIENCE: Duration = Duration::from_micros(200);
/// What a longer answer counts as in the average: one of them must not hide the short ones that
/// follow for long.
const MOST: Duration = Duration::from_micros(600);

/// How many invocations of this server await an answer.
#[derive(Debug)]
pub(crate) struct Awaited {
    answers: AtomicUsize,
    /// With one CPU, looking out would keep the function from running.
    has_two_cpus: bool,
}

/// Looks out for the answers of one environment.
#[derive(Debug)]
pub(crate) struct Lookout {
    awaited: Arc<Awaited>,
    /// A moving average of how long its answers take; `None` before the first.
    typical: Option<Duration>,
}

/// An answer that is awaited from now on.
pub(crate) struct Expected {
    awaited: Arc<Awaited>,
    since: Instant,
    patience: Duration,
}

impl Default for Awaited {
    fn default() -> Self {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            answers: AtomicUsize::new(0),
            has_two_cpus: cpus > 1,
        }
    }
}

impl Lookout {
    pub(crate) fn new(awaited: Arc<Awaited>) -> Self {
        let typical = None;
        Self { awaited, typical }
    }

    pub(crate) fn expect(&self) -> Expected {
        self.awaited.answers.fetch_add(1, Ordering::Relaxed);
        Expected {
            awaited: Arc::clone(&self.awaited),
            since: Instant::now(),
            patience: self.patience(),
        }
    }

    fn patience(&self) -> Duration {
        let is_short = self.typical.is_some_and(|typical| typical <= SHORT);
        if is_short { PATIENCE } else { Duration::ZERO }
    }

    /// Takes note of how long an answer took.
    pub(crate) fn came(&mut self, answer: &Expected) {
        let took = answer.since.elapsed().min(MOST);
        self.typical = Some(match self.typical {
            Some(typical) => (typical * 7 + took) / 8,
            None => took,
        });
    }
}

impl Expected {
    /// Returns when the answer is there, or is better waited for asleep.
    pub(crate) fn look_out(&self, is_there: impl Fn() -> bool) {
        while self.is_worth_it() && !is_there() {
            std::hint::spin_loop();
        }
    }

    fn is_worth_it(&self) -> bool {
        !self.patience.is_zero()
            && self.awaited.has_two_cpus
            && self.awaited.answers.load(Ordering::Relaxed) == 1
            && self.since.elapsed() < self.patience
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.awaited.answers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn awaited() -> Arc<Awaited> {
        Arc::new(Awaited {
            answers: AtomicUsize::new(0),
            has_two_cpus: true,
        })
    }

    fn used_to(typical: Duration, awaited: &Arc<Awaited>) -> Lookout {
        Lookout {
            awaited: Arc::clone(awaited),
            typical: Some(typical),
        }
    }

    /// How often the answer is looked for that comes at the tenth look.
    fn looks(expected: &Expected) -> usize {
        let looked = Cell::new(0);
        expected.look_out(|| {
            looked.set(looked.get() + 1);
            looked.get() == 10
        });
        looked.get()
    }

    #[test]
    fn a_short_answer_is_looked_out_for_if_nobody_else_waits() {
        let awaited = awaited();
        // Long enough for ten looks on any machine, although no such average is short.
        let mut patient = Lookout::new(Arc::clone(&awaited)).expect();
        patient.patience = Duration::from_mins(1);
        assert_eq!(looks(&patient), 10);
        let other = Lookout::new(awaited).expect();
        assert_eq!(looks(&patient), 0);
        drop(other);
        assert_eq!(looks(&patient), 10);
    }

    #[test]
    fn the_first_answer_and_those_of_a_slow_function_are_waited_for_asleep() {
        let awaited = awaited();
        let mut lookout = Lookout::new(Arc::clone(&awaited));
        assert_eq!(lookout.patience(), Duration::ZERO);
        let first = lookout.expect();
        lookout.came(&first);
        assert!(lookout.patience() > Duration::ZERO);
        let slow = used_to(SHORT * 2, &awaited);
        assert_eq!(looks(&slow.expect()), 0);
    }

    #[test]
    fn one_long_answer_is_forgotten_soon() {
        let awaited = awaited();
        let mut lookout = used_to(Duration::from_micros(40), &awaited);
        let mut long = lookout.expect();
        long.since -= Duration::from_secs(1);
        lookout.came(&long);
        assert!(lookout.patience() > Duration::ZERO);
    }
}
