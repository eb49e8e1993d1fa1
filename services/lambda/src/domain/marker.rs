//! Pages of a list: the marker is the last item's name, made opaque.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use service::ServiceError;

use crate::error;

/// Lambda returns no more at once, whatever MaxItems says.
pub const MAX_PAGE: usize = 50;

/// Where to begin and how many to return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// The name after which the page begins.
    pub after: Option<String>,
    pub limit: usize,
}

impl PageRequest {
    pub fn of(
        marker: Option<&str>,
        max_items: Option<i32>,
        most: usize,
    ) -> Result<Self, ServiceError> {
        let after = match marker.filter(|marker| !marker.is_empty()) {
            None => None,
            Some(marker) => Some(name(marker).ok_or_else(invalid)?),
        };
        let asked = max_items.and_then(|items| usize::try_from(items).ok());
        Ok(Self {
            after,
            limit: asked.unwrap_or(most).clamp(1, most),
        })
    }

    /// Cuts a list that begins after the marker to a page; gives the next marker if it was cut.
    pub fn cut<T>(
        &self,
        mut items: Vec<T>,
        name: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        if items.len() <= self.limit {
            return (items, None);
        }
        items.truncate(self.limit);
        let next = items.last().map(|last| URL_SAFE_NO_PAD.encode(name(last)));
        (items, next)
    }
}

pub fn invalid() -> ServiceError {
    error::invalid_parameter("The provided Marker is not valid for this operation.")
}

fn name(marker: &str) -> Option<String> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(marker).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_to_its_end_page_by_page() {
        let all = ["a", "b", "c", "d", "e"];
        let (mut seen, mut marker) = (Vec::new(), None::<String>);
        loop {
            let page = PageRequest::of(marker.as_deref(), Some(2), MAX_PAGE).unwrap();
            let rest = all
                .iter()
                .filter(|name| page.after.as_deref().is_none_or(|after| **name > after));
            let (items, next) = page.cut(rest.copied().collect(), |name| (*name).to_owned());
            assert!(items.len() <= 2);
            seen.extend(items);
            marker = next;
            if marker.is_none() {
                break;
            }
        }
        assert_eq!(seen, all);
    }

    #[test]
    fn a_marker_nobody_gave_is_refused() {
        assert!(PageRequest::of(Some("!!"), None, MAX_PAGE).is_err());
    }
}
