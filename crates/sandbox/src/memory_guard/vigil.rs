//! Whether an environment that was told to stop has stopped.
//!
//! Without a freezer it is stopped by a signal, and another continues it: a timer of its own can send
//! that, with nobody running. So it is looked at soon after, and then ever more rarely. What shows is a
//! process that sleeps, and processor time that was used. One that was only told to stop and has not
//! come to it, for the machine is busy, does neither.

use std::time::{Duration, Instant};

use crate::process_memory::Bustle;

/// Before each look; the last for all that follow.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

/// Processor time is counted in whole ticks, of which one that has just stopped may round up its last.
const ROUNDING_TICKS: u64 = 1;

/// Looks that must have found it running until it is ended: one of them may meet what was in the kernel
/// for long when it was told to stop.
const PATIENCE: u32 = 2;

#[derive(Debug)]
pub(super) struct Vigil {
    /// When it was told to stop.
    pub(super) since: Instant,
    looks: usize,
    ticks: Option<u64>,
    found_running: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    Still,
    /// It runs, or may.
    Stirs,
    /// It is not to be trusted to stop.
    Broken,
}

impl Vigil {
    /// The pause between looks at one that keeps still for long.
    pub(super) const LONGEST: Duration = PAUSES[PAUSES.len() - 1];

    pub(super) fn since(since: Instant) -> Self {
        Self {
            since,
            looks: 0,
            ticks: None,
            found_running: 0,
        }
    }

    pub(super) fn first_look(since: Instant) -> Instant {
        since + PAUSES[0]
    }

    /// What a look says, and the pause until the next.
    pub(super) fn judge(&mut self, found: Bustle) -> (Sight, Duration) {
        let before = self.ticks.replace(found.ticks);
        let used = before.map(|before| found.ticks.saturating_sub(before));
        self.looks += 1;
        let pause = PAUSES[self.looks.min(PAUSES.len() - 1)];
        let runs = found.sleeps || used.is_some_and(|used| used > ROUNDING_TICKS);
        if !runs {
            let sight = used.map_or(Sight::Stirs, |_| Sight::Still);
            return (sight, pause);
        }
        self.found_running += 1;
        if self.found_running == PATIENCE {
            return (Sight::Broken, pause);
        }
        // And from there on more rarely, as from the first.
        self.looks = 1;
        (Sight::Stirs, PAUSES[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sleeps: bool, ticks: u64) -> Bustle {
        Bustle { sleeps, ticks }
    }

    #[test]
    fn what_keeps_still_is_looked_at_ever_more_rarely() {
        let mut vigil = Vigil::since(Instant::now());
        assert_eq!(vigil.judge(found(false, 70)), (Sight::Stirs, PAUSES[1]));
        let pauses = [PAUSES[2], PAUSES[3], PAUSES[3], PAUSES[3]];
        for pause in pauses {
            assert_eq!(vigil.judge(found(false, 71)), (Sight::Still, pause));
        }
    }

    #[test]
    fn what_sleeps_or_uses_the_processor_twice_has_broken_its_freeze() {
        let mut vigil = Vigil::since(Instant::now());
        assert_eq!(vigil.judge(found(true, 70)), (Sight::Stirs, PAUSES[1]));
        assert_eq!(vigil.judge(found(true, 70)).0, Sight::Broken);

        let mut vigil = Vigil::since(Instant::now());
        for _ in 0..4 {
            vigil.judge(found(false, 70));
        }
        assert_eq!(vigil.judge(found(false, 90)), (Sight::Stirs, PAUSES[1]));
        assert_eq!(vigil.judge(found(false, 90)), (Sight::Still, PAUSES[2]));
        assert_eq!(vigil.judge(found(false, 90)), (Sight::Still, PAUSES[3]));
        assert_eq!(vigil.judge(found(false, 92)).0, Sight::Broken);
    }
}
