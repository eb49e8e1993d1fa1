//! A blob's bytes as a body, read as they are sent.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use service::{Body, BoxError};
use store::{BlobReader, StoreError};

/// The bytes of a range, in order.
pub fn body(reader: Arc<dyn BlobReader>, range: Range<u64>) -> Body {
    let chunks = stream::unfold(Some((reader, range)), |state| async move {
        let (reader, mut range) = state?;
        if range.start >= range.end {
            return None;
        }
        let read = reader.read(range.clone()).await;
        let checked = read.and_then(|chunk: Bytes| {
            if chunk.is_empty() {
                return Err(StoreError::corrupt("a layer is cut short"));
            }
            Ok(chunk)
        });
        Some(match checked {
            Ok(chunk) => {
                range.start += chunk.len() as u64;
                (Ok(Frame::data(chunk)), Some((reader, range)))
            }
            Err(error) => {
                tracing::error!(%error, "ecr: read a layer");
                (Err(BoxError::from(error)), None)
            }
        })
    });
    StreamBody::new(chunks).boxed_unsync()
}

/// The one range that a `Range` header asks for, of so many bytes; `None` where it asks for none or
/// for several, and everything is sent.
///
/// # Errors
/// It lies outside.
pub fn range(header: Option<&str>, length: u64) -> Result<Option<Range<u64>>, OutOfRange> {
    let Some(asked) = header.and_then(|header| header.strip_prefix("bytes=")) else {
        return Ok(None);
    };
    let Some((first, last)) = asked.trim().split_once('-') else {
        return Ok(None);
    };
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.is_empty() => first..length,
        (Err(_), Ok(count)) if first.is_empty() => length.saturating_sub(count)..length,
        _ => return Ok(None),
    };
    if range.start >= range.end {
        return Err(OutOfRange);
    }
    Ok(Some(range))
}

#[derive(Debug, PartialEq, Eq)]
pub struct OutOfRange;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let of = |header| range(Some(header), 10);
        assert_eq!(of("bytes=0-3"), Ok(Some(0..4)));
        assert_eq!(of("bytes=5-"), Ok(Some(5..10)));
        assert_eq!(of("bytes=-3"), Ok(Some(7..10)));
        assert_eq!(of("bytes=5-99"), Ok(Some(5..10)));
        assert_eq!(of("bytes=10-"), Err(OutOfRange));
        assert_eq!(of("bytes=4-3"), Err(OutOfRange));
        for all in ["bytes=0-1,3-4", "lines=1-2", "bytes=x-y", "bytes=1"] {
            assert_eq!(of(all), Ok(None), "{all}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(header in ".{0,40}", length: u64) {
            if let Ok(Some(range)) = range(Some(&header), length) {
                proptest::prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
