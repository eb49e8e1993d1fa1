//! The numbers that order the messages of a queue, across restarts.

use base::Timestamp;

/// A message's place in its queue. Grows with every send.
pub type Sequence = u64;

/// Low bits left for messages of the same millisecond: 2^20 of them.
const WITHIN_A_MILLISECOND: u32 = 20;
/// Makes every printed number 20 digits long, as AWS's are.
const PRINTED_FROM: u64 = 10_000_000_000_000_000_000;

/// Hands out growing numbers. They begin with the time, so that a queue that was empty when the
/// server stopped still continues above what it has handed out before.
#[derive(Debug, Default)]
pub struct Sequencer {
    last: Sequence,
}

impl Sequencer {
    /// Continues above `last`, the highest number in use.
    pub fn after(last: Sequence) -> Self {
        Self { last }
    }

    pub fn next(&mut self, now: Timestamp) -> Sequence {
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        self.last = (self.last + 1).max(millis << WITHIN_A_MILLISECOND);
        self.last
    }
}

/// A FIFO message's `SequenceNumber`: 20 digits, which order as text as the numbers do.
///
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html>
pub fn printed(sequence: Sequence) -> String {
    PRINTED_FROM.saturating_add(sequence).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_within_a_millisecond_after_a_restart_and_when_the_clock_steps_back() {
        let at = Timestamp::from_millis(1_795_466_144_123);
        let mut sequencer = Sequencer::default();
        let first = sequencer.next(at);
        let second = sequencer.next(at);
        assert!(second > first);
        let third = sequencer.next(Timestamp::from_millis(0));
        assert!(third > second);
        let restarted = Sequencer::default().next(Timestamp::from_millis(at.millis() + 1));
        assert!(restarted > third);
        assert_eq!(printed(first).len(), 20);
        assert!(printed(second) > printed(first));
    }
}
