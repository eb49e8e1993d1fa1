//! The one byte range a GET may ask for.
//!
//! <https://www.rfc-editor.org/rfc/rfc9110.html#section-14.1.2>; S3 ignores ranges it cannot read
//! and several ranges at once, and answers with the whole object.

use std::fmt;
use std::ops::Range;

/// A range as asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// `bytes=first-` or `bytes=first-last`, both inclusive.
    From { first: u64, last: Option<u64> },
    /// `bytes=-length`: the last so many.
    Last(u64),
}

impl ByteRange {
    /// Reads a `Range` header; `None` when S3 would ignore it.
    pub fn parse(header: &str) -> Option<Self> {
        let spec = header.trim().strip_prefix("bytes=")?.trim();
        let (first, last) = spec.split_once('-')?;
        match (first, last) {
            ("", length) => number(length).map(Self::Last),
            (first, "") => Some(Self::From {
                first: number(first)?,
                last: None,
            }),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From {
                    first,
                    last: Some(last),
                })
            }
        }
    }

    /// The bytes of an object of `size` it means, end exclusive; `None` when there are none, which
    /// is a 416.
    pub fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From { first, last } => {
                first..last.map_or(size, |last| last.saturating_add(1).min(size))
            }
            Self::Last(length) => size.saturating_sub(length)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

impl fmt::Display for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From { first, last: None } => write!(f, "bytes={first}-"),
            Self::From {
                first,
                last: Some(last),
            } => write!(f, "bytes={first}-{last}"),
            Self::Last(length) => write!(f, "bytes=-{length}"),
        }
    }
}

/// Digits only: no sign, no space. More than a u64 holds is past the end of any object.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_read_and_what_is_ignored() {
        let within = |header: &str| ByteRange::parse(header).map(|range| range.within(10));
        assert_eq!(within("bytes=0-4"), Some(Some(0..5)));
        assert_eq!(within("bytes=5-"), Some(Some(5..10)));
        assert_eq!(within("bytes=-3"), Some(Some(7..10)));
        assert_eq!(within("bytes=-30"), Some(Some(0..10)));
        assert_eq!(within("bytes=2-99999999999999999999999"), Some(Some(2..10)));
        assert_eq!(within("bytes=10-"), Some(None));
        assert_eq!(within("bytes=-0"), Some(None));
        for ignored in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=4-2",
            "bytes=a-b",
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes=+1-2",
            "bytes=--1",
        ] {
            assert_eq!(ByteRange::parse(ignored), None, "{ignored}");
        }
    }

    proptest! {
        #[test]
        fn a_range_is_never_empty_nor_past_the_end(text in "bytes=[0-9]{0,20}-[0-9]{0,20}", size: u64) {
            if let Some(range) = ByteRange::parse(&text).and_then(|range| range.within(size)) {
                prop_assert!(range.start < range.end);
                prop_assert!(range.end <= size);
            }
        }

        #[test]
        fn a_range_is_what_slicing_gives(first in 0..40_u64, last in 0..40_u64, size in 0..40_u64) {
            let bytes: Vec<u64> = (0..size).collect();
            let expected: Vec<u64> =
                bytes.iter().copied().filter(|at| (first..=last).contains(at)).collect();
            let got = ByteRange::parse(&format!("bytes={first}-{last}"))
                .and_then(|range| range.within(size))
                .map(Iterator::collect::<Vec<_>>);
            prop_assert_eq!(got.unwrap_or_default(), expected);
        }
    }
}
