//! A parallel scan's share of a table: an even part of the places its hash keys fall on.

use std::ops::RangeInclusive;

/// The partitions of segment `segment` of `total`.
pub fn partitions(segment: u32, total: u32) -> RangeInclusive<u64> {
    let edge = |at: u32| ((u128::from(at) << 64) / u128::from(total.max(1))) as u64;
    let first = edge(segment);
    let last = if segment + 1 >= total {
        u64::MAX
    } else {
        edge(segment + 1) - 1
    };
    first..=last
}

#[cfg(test)]
mod tests {
    use super::partitions;

    #[test]
    fn segments_meet_and_cover_everything() {
        for total in [1, 2, 3, 7, 1_000_000] {
            assert_eq!(*partitions(0, total).start(), 0);
            assert_eq!(*partitions(total - 1, total).end(), u64::MAX);
            for at in 1..total.min(20) {
                assert_eq!(
                    *partitions(at - 1, total).end() + 1,
                    *partitions(at, total).start()
                );
            }
        }
    }
}
