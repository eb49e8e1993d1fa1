//! Which entries a scan returns, and in which order.

use std::ops::Bound;

use bytes::Bytes;

/// One stored entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key, in full.
    pub key: Bytes,
    /// The value.
    pub value: Bytes,
}

/// A range of keys, how many of its entries to return, and from which end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Lowest key of the range.
    pub start: Bound<Bytes>,
    /// Highest key of the range.
    pub end: Bound<Bytes>,
    /// At most this many entries are returned; `usize::MAX` for all.
    pub limit: usize,
    /// Highest key first.
    pub reverse: bool,
}

impl Scan {
    /// Every key.
    pub fn all() -> Self {
        Self {
            start: Bound::Unbounded,
            end: Bound::Unbounded,
            limit: usize::MAX,
            reverse: false,
        }
    }

    /// The keys from `start`, inclusive, to `end`, exclusive.
    pub fn range(start: impl Into<Bytes>, end: impl Into<Bytes>) -> Self {
        Self {
            start: Bound::Included(start.into()),
            end: Bound::Excluded(end.into()),
            ..Self::all()
        }
    }

    /// The keys that begin with `prefix`; every key when it is empty.
    pub fn prefix(prefix: impl Into<Bytes>) -> Self {
        let prefix = prefix.into();
        let end = match prefix_end(&prefix) {
            Some(end) => Bound::Excluded(end),
            None => Bound::Unbounded,
        };
        Self {
            start: Bound::Included(prefix),
            end,
            ..Self::all()
        }
    }

    /// Continues past `key`, the last one already seen: in scan order, so that a reverse scan
    /// continues below it. Call it after [`reversed`](Self::reversed).
    #[must_use]
    pub fn after(mut self, key: impl Into<Bytes>) -> Self {
        let key = key.into();
        if self.reverse {
            if below(&key, &self.end) {
                self.end = Bound::Excluded(key);
            }
        } else if above(&key, &self.start) {
            self.start = Bound::Excluded(key);
        }
        self
    }

    /// Returns at most `limit` entries.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Highest key first.
    #[must_use]
    pub fn reversed(mut self) -> Self {
        self.reverse = true;
        self
    }

    /// Whether no key can lie in the range, or the limit is zero.
    ///
    /// Backends ask before they build a range: the standard library's ordered map panics on a
    /// range whose start is past its end.
    pub fn is_empty(&self) -> bool {
        self.limit == 0 || range_is_empty(&self.start, &self.end)
    }

    /// The bounds as slices, the form that ordered maps take.
    pub fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        (slice(&self.start), slice(&self.end))
    }
}

pub(crate) fn slice(bound: &Bound<Bytes>) -> Bound<&[u8]> {
    match bound {
        Bound::Included(key) => Bound::Included(key),
        Bound::Excluded(key) => Bound::Excluded(key),
        Bound::Unbounded => Bound::Unbounded,
    }
}

pub(crate) fn range_is_empty(start: &Bound<Bytes>, end: &Bound<Bytes>) -> bool {
    match (start, end) {
        (Bound::Unbounded, _) => matches!(end, Bound::Excluded(key) if key.is_empty()),
        (_, Bound::Unbounded) => false,
        (Bound::Included(low), Bound::Included(high)) => low > high,
        (
            Bound::Included(low) | Bound::Excluded(low),
            Bound::Included(high) | Bound::Excluded(high),
        ) => low >= high,
    }
}

/// The first key after every key that begins with `prefix`, unless there is none.
pub(crate) fn prefix_end(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end.into())
}

fn above(key: &Bytes, start: &Bound<Bytes>) -> bool {
    match start {
        Bound::Included(low) | Bound::Excluded(low) => key >= low,
        Bound::Unbounded => true,
    }
}

fn below(key: &Bytes, end: &Bound<Bytes>) -> bool {
    match end {
        Bound::Included(high) | Bound::Excluded(high) => key <= high,
        Bound::Unbounded => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_of_high_bytes_ends_where_the_next_lower_byte_can_grow() {
        assert_eq!(prefix_end(b"a\xff\xff"), Some(Bytes::from_static(b"b")));
        assert_eq!(prefix_end(b"\xff\xff"), None);
        assert_eq!(prefix_end(b""), None);
    }

    #[test]
    fn after_never_widens_the_range() {
        let scan = Scan::prefix("b").after("a");
        assert_eq!(scan.start, Bound::Included(Bytes::from_static(b"b")));
        let scan = Scan::prefix("b").reversed().after("d");
        assert_eq!(scan.end, Bound::Excluded(Bytes::from_static(b"c")));
    }

    #[test]
    fn after_the_end_leaves_nothing() {
        assert!(Scan::prefix("b").after("c").is_empty());
        assert!(Scan::prefix("b").reversed().after("a").is_empty());
        assert!(Scan::all().limit(0).is_empty());
        assert!(!Scan::all().is_empty());
    }
}
