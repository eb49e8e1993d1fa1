//! Processes that share memory with what they were forked from, and so have less than the sum of what
//! each has.
//!
//! How much less only the kernel knows, who visits every page of a process to say its part: a second for
//! 150 processes of half a gigabyte. Until that is done again,
//! - they have not got more than new pages and copies of shared ones, and for a copy the kernel counts a
//!   fault; and
//! - whoever has neither got nor given back any has not less than its part was then, but for what new
//!   children share of it: who else leaves a shared page leaves a part of it to those that stay.
//!
//! So where they may be beyond the limit, mostly those that have changed need a visit, and of new ones
//! counts only what is theirs alone.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::process_memory::{Part, ProcessMemory, Share};

/// What need not be told apart, in bytes.
const BLUR: u64 = 32 << 20;

/// Nobody else is visited after this time, of those that have changed: all are to be then.
const LONG: Duration = Duration::from_millis(50);

/// The most times as long as a visit to all took, until the next. After one of those that have changed, it
/// is as many.
const MOST_REST: u32 = 8;

#[derive(Debug, Default)]
pub(super) struct Sharing {
    known: Option<Known>,
    /// Of visits to those that have changed, and to all.
    some: Rest,
    all: Rest,
}

/// What the last visit to all found.
#[derive(Debug, Default)]
struct Known {
    each: HashMap<u32, Visited>,
    /// Their parts together.
    sum: u64,
    /// What a child that was forked later has begun with, at most.
    largest: u64,
}

#[derive(Debug, Clone, Copy)]
struct Visited {
    share: Share,
    part: u64,
}

/// A pause after visits that were in vain.
#[derive(Debug, Default)]
struct Rest {
    end: Option<Instant>,
    took: Duration,
    times: u32,
}

impl Sharing {
    /// Whether processes that have more than the limit, one by one, have so together.
    pub(super) fn is_beyond(&mut self, processes: &ProcessMemory, limit: u64) -> bool {
        let shares = processes.shares();
        if let Some(known) = &self.known {
            let at_most = known.at_most(&shares);
            let begun = Instant::now();
            if at_most <= limit || self.some.is_at(begun) {
                return false;
            }
            let is_enough = |sum| sum > limit || begun.elapsed() > LONG;
            let parts = known.at_least(shares.clone(), is_enough, |share| processes.part(share));
            let at_least = sum(&parts);
            if at_least > limit {
                return is_still_beyond(&parts, processes, limit);
            }
            self.some.follow(begun, MOST_REST);
            if at_most - at_least <= BLUR {
                return false;
            }
        }
        let begun = Instant::now();
        if self.all.is_at(begun) {
            return false;
        }
        let mut known = Known::default();
        for share in shares {
            known.add(share, processes.part(&share).bytes);
            if known.sum > limit {
                let parts = known.each.iter();
                let parts: Vec<_> = parts.map(|(pid, visited)| (*pid, visited.part)).collect();
                self.all.follow(begun, 1);
                return is_still_beyond(&parts, processes, limit);
            }
        }
        self.known = Some(known);
        self.all.follow_more(begun);
        false
    }
}

fn sum(parts: &[(u32, u64)]) -> u64 {
    parts.iter().map(|(_, bytes)| bytes).sum()
}

/// Whether that is not because one has executed a program meanwhile, or ended, and left what it shared to
/// another that was visited later.
fn is_still_beyond(parts: &[(u32, u64)], processes: &ProcessMemory, limit: u64) -> bool {
    let kept = parts
        .iter()
        .map(|(pid, bytes)| processes.now(*pid).min(*bytes));
    kept.sum::<u64>() > limit
}

impl Known {
    fn add(&mut self, share: Share, part: u64) {
        self.each.insert(share.pid, Visited { share, part });
        self.sum += part;
        self.largest = self.largest.max(share.anonymous);
    }

    /// Bytes that all may have together by now.
    fn at_most(&self, shares: &[Share]) -> u64 {
        let growth = shares.iter().map(|share| self.growth(share));
        self.sum + growth.sum::<u64>()
    }

    /// Bytes that one may have got since: its new pages, or its faults where it has copied shared ones.
    fn growth(&self, share: &Share) -> u64 {
        let before = self.before(share).map(|visited| visited.share);
        let (anonymous, faulted) = before.map_or((self.largest, 0), |before| {
            (before.anonymous, before.faulted)
        });
        let new = share.anonymous.saturating_sub(anonymous);
        new.max(share.faulted - faulted)
    }

    /// Bytes that each has at least, by its number, those that have grown most first, until their sum is
    /// enough.
    fn at_least(
        &self,
        shares: Vec<Share>,
        is_enough: impl Fn(u64) -> bool,
        part: impl Fn(&Share) -> Part,
    ) -> Vec<(u32, u64)> {
        let (mut parts, mut changed) = (Vec::new(), Vec::new());
        for share in shares {
            match self.before(&share) {
                Some(before) if before.share == share => parts.push((share.pid, before.part)),
                _ => changed.push(share),
            }
        }
        let mut so_far = sum(&parts);
        changed.sort_by_cached_key(|share| Reverse(self.growth(share)));
        for share in changed {
            if is_enough(so_far) {
                break;
            }
            let part = part(&share);
            let bytes = self.before(&share).map_or(part.own, |_| part.bytes);
            parts.push((share.pid, bytes));
            so_far += bytes;
        }
        parts
    }

    /// What was found of the same process; who has its number now may be another.
    fn before(&self, share: &Share) -> Option<&Visited> {
        let before = self.each.get(&share.pid);
        before.filter(|before| before.share.faulted <= share.faulted)
    }
}

impl Rest {
    fn is_at(&self, now: Instant) -> bool {
        self.end
            .is_some_and(|end| now < end + self.took * self.times)
    }

    fn follow(&mut self, begun: Instant, times: u32) {
        let end = Instant::now();
        *self = Self {
            end: Some(end),
            took: end - begun,
            times,
        };
    }

    /// Longer after each, unless the last was long ago.
    fn follow_more(&mut self, begun: Instant) {
        let long = self.took * MOST_REST * 2;
        let is_long_ago = self.end.is_none_or(|end| begun > end + long);
        let times = if is_long_ago { 1 } else { self.times * 2 };
        self.follow(begun, times.min(MOST_REST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn share(pid: u32, anonymous: u64, faulted: u64) -> Share {
        Share {
            pid,
            anonymous: anonymous * MIB,
            faulted: faulted * MIB,
        }
    }

    fn known() -> Known {
        let mut known = Known::default();
        known.add(share(2, 500, 510), 300 * MIB);
        known.add(share(3, 400, 1), 200 * MIB);
        known
    }

    #[test]
    fn nobody_grows_but_by_new_pages_and_by_copies() {
        let growth = |shares: &[Share]| known().at_most(shares) / MIB - 500;
        assert_eq!(growth(&[share(2, 500, 510), share(3, 400, 1)]), 0);
        // New, in pages small and large, and copied.
        assert_eq!(growth(&[share(2, 530, 540)]), 30);
        assert_eq!(growth(&[share(2, 530, 511)]), 30);
        assert_eq!(growth(&[share(2, 500, 540)]), 30);
        // Given back.
        assert_eq!(growth(&[share(2, 100, 510)]), 0);
    }

    #[test]
    fn a_new_child_has_what_it_was_forked_with_and_its_own() {
        assert_eq!(known().growth(&share(4, 500, 2)), 2 * MIB);
        assert_eq!(known().growth(&share(4, 700, 2)), 200 * MIB);
        // The number of one that was there before.
        assert_eq!(known().growth(&share(2, 500, 3)), 3 * MIB);
    }

    #[test]
    fn only_what_has_changed_is_visited_and_of_new_ones_counts_what_is_theirs() {
        let at_least = |shares: &[Share], part: &dyn Fn(&Share) -> Part| {
            sum(&known().at_least(shares.to_vec(), |sum| sum > 600 * MIB, part)) / MIB
        };
        let nobody = |_: &Share| panic!("a visit");
        let some = |_: &Share| Part {
            bytes: 230 * MIB,
            own: 50 * MIB,
        };
        let first = share(2, 500, 510);
        assert_eq!(at_least(&[first, share(3, 400, 1)], &nobody), 500);
        assert_eq!(at_least(&[first, share(3, 430, 31)], &some), 530);
        assert_eq!(at_least(&[first, share(4, 430, 31)], &some), 350);
        // One that has ended leaves nothing, for all that is known.
        assert_eq!(at_least(&[first], &nobody), 300);
        // Enough.
        let many = (10..30).map(|pid| share(pid, 600, 100));
        let many: Vec<Share> = many.chain([first]).collect();
        assert_eq!(at_least(&many, &some), 650);
    }
}
