//! Requests that no service is to see, whatever they are for.

use http::header::HOST;
use http::{HeaderMap, Method, StatusCode};

/// The status that refuses a request: one with two hosts, which servers on its way may understand
/// differently (<https://www.rfc-editor.org/rfc/rfc9112#section-3.2>), or one that asks for a tunnel or
/// for itself.
pub fn refusal(method: &Method, headers: &HeaderMap) -> Option<StatusCode> {
    if headers.get_all(HOST).iter().nth(1).is_some() {
        return Some(StatusCode::BAD_REQUEST);
    }
    matches!(*method, Method::CONNECT | Method::TRACE).then_some(StatusCode::METHOD_NOT_ALLOWED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ambiguous_is_refused() {
        let mut headers = HeaderMap::new();
        assert_eq!(refusal(&Method::GET, &headers), None);
        headers.append(HOST, "a".parse().unwrap());
        assert_eq!(refusal(&Method::PATCH, &headers), None);
        assert_eq!(
            refusal(&Method::TRACE, &headers),
            Some(StatusCode::METHOD_NOT_ALLOWED)
        );
        headers.append(HOST, "a".parse().unwrap());
        assert_eq!(
            refusal(&Method::GET, &headers),
            Some(StatusCode::BAD_REQUEST)
        );
    }
}
