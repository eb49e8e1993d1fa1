//! Media types: which are binary to an API, and which template is for which.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};

/// `text/html` of `Text/HTML; charset=utf-8`.
pub fn bare(kind: &str) -> String {
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

/// The media type of a body; JSON where nobody says.
pub fn of(headers: &HeaderMap) -> String {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.map(bare).filter(|kind| !kind.is_empty());
    kind.unwrap_or_else(|| "application/json".to_owned())
}

/// The first media type that a client accepts.
pub fn accepted(headers: &HeaderMap) -> Option<String> {
    let accept = headers.get(ACCEPT)?.to_str().ok()?;
    Some(bare(accept.split(',').next()?))
}

/// Whether an API takes a media type as binary. `*/*` is every type, `image/*` those of one kind.
pub fn is_binary(types: Option<&[String]>, kind: &str) -> bool {
    types.unwrap_or_default().iter().any(|pattern| {
        let pattern = pattern.replace("~1", "/").to_ascii_lowercase();
        let of_kind = pattern.strip_suffix("/*");
        pattern == "*/*"
            || pattern == kind
            || of_kind.is_some_and(|of_kind| kind.split('/').next() == Some(of_kind))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_types() {
        let types = ["image/*".to_owned(), "application~1pdf".to_owned()];
        let is = |kind| is_binary(Some(&types), kind);
        assert!(is("image/png") && is("application/pdf") && !is("text/plain"));
        assert!(is_binary(Some(&["*/*".to_owned()]), "text/plain"));
        assert!(!is_binary(None, "image/png"));
        assert_eq!(bare("Text/HTML; charset=x"), "text/html");
    }
}
