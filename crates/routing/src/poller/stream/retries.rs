//! What becomes of a batch that failed.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html>

use std::ops::Range;
use std::time::Duration;

use base::Timestamp;

/// How long and in which portions a failed batch is tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retries {
    /// `BisectBatchOnFunctionError`.
    pub bisect: bool,
    /// `MaximumRetryAttempts`; `None` for no limit.
    pub maximum: Option<u32>,
    /// `MaximumRecordAgeInSeconds`; `None` for no limit.
    pub maximum_age: Option<Duration>,
}

/// Records of a batch that are given to the function together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub records: Range<usize>,
    pub retries: u32,
    /// How often the function has been run on them.
    pub runs: u32,
}

impl Retries {
    /// What is to be tried next, in order, when the records from `failed` on are not done; `None`
    /// when they are given up. Splitting is no retry.
    pub fn after_failure(&self, part: &Part, failed: usize) -> Option<Vec<Part>> {
        let end = part.records.end;
        let again = |records, retries| Part {
            records,
            retries,
            runs: part.runs,
        };
        if self.bisect && failed > part.records.start {
            return Some(vec![again(failed..end, part.retries)]);
        }
        if self.bisect && end - failed > 1 {
            let middle = failed + (end - failed) / 2;
            let halves = [failed..middle, middle..end];
            let halves = halves.map(|half| again(half, part.retries));
            return Some(halves.into());
        }
        let may_retry = self.maximum.is_none_or(|maximum| part.retries < maximum);
        may_retry.then(|| vec![again(failed..end, part.retries + 1)])
    }

    pub fn is_too_old(&self, at: Timestamp, now: Timestamp) -> bool {
        self.maximum_age.is_some_and(|age| now.since(at) > age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(records: Range<usize>, retries: u32) -> Part {
        Part {
            records,
            retries,
            runs: 1,
        }
    }

    #[test]
    fn a_batch_is_retried_as_often_as_it_may_be() {
        let mut retries = Retries::default();
        let next = retries.after_failure(&part(0..4, 7), 0);
        assert_eq!(next, Some(vec![part(0..4, 8)]));
        retries.maximum = Some(2);
        let next = retries.after_failure(&part(0..4, 1), 2);
        assert_eq!(next, Some(vec![part(2..4, 2)]), "only what is not done");
        assert_eq!(retries.after_failure(&part(0..4, 2), 0), None);
    }

    #[test]
    fn splitting_is_no_retry() {
        let retries = Retries {
            bisect: true,
            maximum: Some(0),
            maximum_age: None,
        };
        let next = retries.after_failure(&part(0..5, 0), 0);
        assert_eq!(next, Some(vec![part(0..2, 0), part(2..5, 0)]));
        let next = retries.after_failure(&part(0..5, 0), 3);
        assert_eq!(next, Some(vec![part(3..5, 0)]), "split where it failed");
        assert_eq!(retries.after_failure(&part(3..4, 0), 3), None);
    }
}
