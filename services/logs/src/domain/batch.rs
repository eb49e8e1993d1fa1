//! What PutLogEvents takes.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>

use std::time::Duration;

use base::Timestamp;

/// Bytes counted for each event besides its message.
pub const EVENT_OVERHEAD: usize = 26;
/// Most bytes of a batch, overhead included.
pub const MAX_BATCH_BYTES: usize = 1_048_576;
/// Longest time a batch may span.
const MAX_SPAN: Duration = Duration::from_hours(24);
/// Events further ahead than this are rejected one by one.
const MAX_AHEAD: Duration = Duration::from_hours(2);
/// Events older than this are rejected one by one.
const MAX_AGE: Duration = Duration::from_hours(14 * 24);

/// The events of a batch that are kept, and why the others are not: PutLogEvents'
/// `rejectedLogEventsInfo`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Half-open range of accepted indexes; the order of a batch makes them contiguous.
    pub range: std::ops::Range<usize>,
    pub too_new_from: Option<usize>,
    pub too_old_until: Option<usize>,
    pub expired_until: Option<usize>,
}

/// Judges a batch by its events' instants and message lengths.
///
/// # Errors
/// AWS's message for InvalidParameterException.
pub fn judge(
    events: &[(Timestamp, usize)],
    now: Timestamp,
    retention_days: Option<u32>,
) -> Result<Accepted, String> {
    if events.iter().any(|(_, length)| *length == 0) {
        return Err("Log event message must not be empty.".to_owned());
    }
    if !events.is_sorted_by_key(|(at, _)| *at) {
        return Err(
            "Log events in a single PutLogEvents request must be in chronological order."
                .to_owned(),
        );
    }
    let bytes: usize = events
        .iter()
        .map(|(_, length)| length + EVENT_OVERHEAD)
        .sum();
    if bytes > MAX_BATCH_BYTES {
        return Err(format!(
            "Upload too large: {bytes} bytes exceeds limit of {MAX_BATCH_BYTES}"
        ));
    }
    if let (Some((first, _)), Some((last, _))) = (events.first(), events.last())
        && last.since(*first) > MAX_SPAN
    {
        return Err(
            "The batch of log events in a single PutLogEvents request cannot span more \
                    than 24 hours."
                .to_owned(),
        );
    }
    let before = |limit: Timestamp| events.partition_point(|(at, _)| *at < limit);
    let retained = retention_days.map_or(0, |days| {
        before(now - Duration::from_hours(u64::from(days) * 24))
    });
    let too_old = before(now - MAX_AGE);
    let too_new = events.partition_point(|(at, _)| *at <= now + MAX_AHEAD);
    let start = retained.max(too_old).min(too_new);
    Ok(Accepted {
        range: start..too_new,
        too_new_from: (too_new < events.len()).then_some(too_new),
        too_old_until: (too_old > 0).then_some(too_old),
        expired_until: (retained > 0).then_some(retained),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn at(seconds: i64) -> (Timestamp, usize) {
        (Timestamp::from_millis(NOW.millis() + seconds * 1000), 10)
    }

    #[test]
    fn order_size_and_span_fail_the_whole_batch() {
        assert!(
            judge(&[at(1), at(0)], NOW, None)
                .unwrap_err()
                .contains("chronological")
        );
        assert!(
            judge(&[at(-90_000), at(0)], NOW, None)
                .unwrap_err()
                .contains("24 hours")
        );
        assert!(
            judge(&[(NOW, MAX_BATCH_BYTES)], NOW, None)
                .unwrap_err()
                .contains("too large")
        );
        assert!(judge(&[(NOW, 0)], NOW, None).is_err());
    }

    #[test]
    fn old_and_new_events_are_rejected_alone() {
        let day = 24 * 3600;
        let accepted = judge(&[at(0), at(3 * 3600)], NOW, None).unwrap();
        assert_eq!((accepted.range, accepted.too_new_from), (0..1, Some(1)));
        let accepted = judge(&[at(-15 * day), at(-15 * day + 1)], NOW, None).unwrap();
        assert_eq!((accepted.range.len(), accepted.too_old_until), (0, Some(2)));
        let accepted = judge(&[at(-day - 1), at(-1)], NOW, Some(1)).unwrap();
        assert_eq!((accepted.range, accepted.expired_until), (1..2, Some(1)));
    }
}
