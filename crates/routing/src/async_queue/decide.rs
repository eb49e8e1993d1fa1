//! What becomes of an event after a run. Pure.

use std::time::Duration;

use base::Timestamp;

use super::event::{Ending, RetryPolicy, RunOutcome};
use super::records::Head;

/// The first retry after an error of the function waits this long, the second twice as long.
const RETRY_STEP: Duration = Duration::from_mins(1);
const FIRST_SYSTEM_DELAY: Duration = Duration::from_secs(1);
const LONGEST_SYSTEM_DELAY: Duration = Duration::from_mins(5);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    End(Ending),
    /// Run it again at that time, as this head.
    Again(Timestamp, Box<Head>),
    /// Run it again as soon as the function has concurrency to spare.
    WaitForConcurrency,
}

/// Whether the event has reached its greatest age.
pub fn is_too_old(head: &Head, policy: &RetryPolicy, now: Timestamp) -> bool {
    now >= head.accepted_at + policy.maximum_event_age
}

pub fn after_run(head: &Head, outcome: &RunOutcome, policy: &RetryPolicy, now: Timestamp) -> Next {
    let mut next = head.clone();
    let (due, ending_if_too_late) = match outcome {
        RunOutcome::Succeeded(_) => return Next::End(Ending::Succeeded),
        RunOutcome::FunctionGone => return Next::End(Ending::FunctionGone),
        // There is no word for it among the conditions: it will not be run again.
        RunOutcome::Recursive => return Next::End(Ending::RetriesExhausted),
        RunOutcome::TurnedOff => return Next::End(Ending::ZeroReservedConcurrency),
        RunOutcome::Throttled => return Next::WaitForConcurrency,
        RunOutcome::FunctionFailed(_) => {
            next.failures += 1;
            if next.failures > policy.maximum_retry_attempts {
                return Next::End(Ending::RetriesExhausted);
            }
            (now + RETRY_STEP * next.failures, Ending::EventAgeExceeded)
        }
        RunOutcome::SystemFailed(_) => {
            next.system_failures += 1;
            let delay = back_off(
                FIRST_SYSTEM_DELAY,
                LONGEST_SYSTEM_DELAY,
                next.system_failures,
            );
            (now + delay, Ending::EventAgeExceeded)
        }
    };
    if is_too_old(&next, policy, due) {
        return Next::End(ending_if_too_late);
    }
    Next::Again(due, Box::new(next))
}

/// The wait after the nth failure in a row, doubling from `first` up to `longest`.
pub fn back_off(first: Duration, longest: Duration, nth: u32) -> Duration {
    let doublings = nth.saturating_sub(1).min(31);
    first.saturating_mul(1 << doublings).min(longest)
}

/// Between half of a wait and all of it, so that those who failed together do not come together.
pub fn with_jitter(wait: Duration) -> Duration {
    wait.mul_f64(0.5 + rand::random::<f64>() / 2.0)
}

#[cfg(test)]
mod tests {
    use base::RequestId;
    use bytes::Bytes;

    use super::super::event::Answer;
    use super::*;

    fn head() -> Head {
        Head {
            id: RequestId::random(),
            function: "arn:aws:lambda:us-east-1:000000000000:function:f"
                .parse()
                .unwrap(),
            accepted_at: Timestamp::from_millis(0),
            failures: 0,
            system_failures: 0,
            trace: None,
            client_context: None,
            tenant: None,
        }
    }

    fn answer() -> Answer {
        Answer {
            payload: Bytes::new(),
            executed_version: "$LATEST".to_owned(),
        }
    }

    fn delays(outcome: &RunOutcome, policy: &RetryPolicy) -> (Vec<u64>, Ending) {
        let (mut head, mut now, mut delays) = (head(), Timestamp::from_millis(0), Vec::new());
        loop {
            match after_run(&head, outcome, policy, now) {
                Next::Again(due, next) => {
                    delays.push(due.since(now).as_secs());
                    (head, now) = (*next, due);
                }
                Next::End(ending) => return (delays, ending),
                Next::WaitForConcurrency => panic!("was not throttled"),
            }
        }
    }

    #[test]
    fn a_failing_function_is_tried_again_after_one_and_two_minutes() {
        let failed = RunOutcome::FunctionFailed(answer());
        let (waits, ending) = delays(&failed, &RetryPolicy::default());
        assert_eq!(waits, [60, 120]);
        assert_eq!(ending, Ending::RetriesExhausted);
        let never = RetryPolicy {
            maximum_retry_attempts: 0,
            ..RetryPolicy::default()
        };
        assert_eq!(delays(&failed, &never), (vec![], Ending::RetriesExhausted));
    }

    #[test]
    fn a_retry_past_the_greatest_age_is_not_waited_for() {
        let policy = RetryPolicy {
            maximum_event_age: Duration::from_secs(90),
            ..RetryPolicy::default()
        };
        let failed = RunOutcome::FunctionFailed(answer());
        assert_eq!(
            delays(&failed, &policy),
            (vec![60], Ending::EventAgeExceeded)
        );
    }

    #[test]
    fn system_failures_back_off_to_five_minutes_until_the_greatest_age() {
        let (waits, ending) = delays(
            &RunOutcome::SystemFailed("lost".to_owned()),
            &RetryPolicy::default(),
        );
        assert_eq!(waits[..10], [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert!(waits[10..].iter().all(|wait| *wait == 300));
        assert!(waits.iter().sum::<u64>() < 6 * 3600);
        assert_eq!(ending, Ending::EventAgeExceeded);
    }
}
