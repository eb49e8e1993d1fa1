//! `Marker`, `MaxItems`, `IsTruncated`: how every list of IAM is cut.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use service::ServiceError;

use crate::error;

/// Items of a page when the caller names no number.
const DEFAULT_ITEMS: usize = 100;

/// One page of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub is_truncated: Option<bool>,
    /// The key of the last item, where there are more.
    pub marker: Option<String>,
}

/// Cuts a page out of items given in the order of their keys, each unique. A marker stays good
/// when its item is deleted.
///
/// # Errors
/// A marker that we did not make.
pub fn cut<T>(
    items: impl IntoIterator<Item = (String, T)>,
    marker: Option<&str>,
    max_items: Option<i32>,
) -> Result<Page<T>, ServiceError> {
    let after = marker.map(decode).transpose()?;
    let limit = max_items
        .and_then(|n| usize::try_from(n).ok())
        .unwrap_or(DEFAULT_ITEMS)
        .max(1);
    let mut rest = items
        .into_iter()
        .skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after))
        .peekable();
    let mut page = Vec::new();
    let mut last = String::new();
    while page.len() < limit {
        let Some((key, item)) = rest.next() else {
            break;
        };
        last = key;
        page.push(item);
    }
    let more = rest.peek().is_some();
    Ok(Page {
        items: page,
        is_truncated: Some(more),
        marker: more.then(|| STANDARD.encode(last)),
    })
}

fn decode(marker: &str) -> Result<String, ServiceError> {
    let bytes = STANDARD.decode(marker).map_err(|_| invalid())?;
    String::from_utf8(bytes).map_err(|_| invalid())
}

fn invalid() -> ServiceError {
    error::validation("Invalid Marker: the marker was not returned by this operation.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_on_each_other() {
        let all = || {
            ["a", "b", "c", "d", "e"]
                .into_iter()
                .map(|key| (key.to_owned(), key))
        };
        let first = cut(all(), None, Some(2)).unwrap();
        assert_eq!(
            (first.items, first.is_truncated),
            (vec!["a", "b"], Some(true))
        );
        let without_b = all().filter(|(key, _)| key != "b");
        let second = cut(without_b, first.marker.as_deref(), Some(2)).unwrap();
        assert_eq!(second.items, ["c", "d"]);
        let third = cut(all(), second.marker.as_deref(), Some(2)).unwrap();
        assert_eq!(
            (third.items, third.is_truncated, third.marker),
            (vec!["e"], Some(false), None)
        );
    }

    #[test]
    fn a_foreign_marker_is_refused() {
        assert_eq!(
            cut([(String::new(), 1)], Some("%"), None).unwrap_err().code,
            "ValidationError"
        );
    }
}
