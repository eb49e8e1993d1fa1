//! What a connection keeps of its handshake while nothing happens on it.
//!
//! Values of headers, and the path, are parts of the buffer that hyper read the request into: whoever
//! keeps one of them keeps all of the buffer, 8 KB for each connection. So they are copied, into one
//! text, and become headers again when something happens.

use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::super::exchange::Exchange;

/// Headers as lines, `name:value`. Neither has a line's end in it.
#[derive(Debug)]
struct Lines(Box<[u8]>);

impl Lines {
    fn of(headers: &HeaderMap) -> Self {
        let mut lines = Vec::new();
        for (name, value) in headers {
            lines.extend_from_slice(name.as_str().as_bytes());
            lines.push(b':');
            lines.extend_from_slice(value.as_bytes());
            lines.push(b'\n');
        }
        Self(lines.into_boxed_slice())
    }

    fn headers(&self) -> HeaderMap {
        let lines = self.0.split(|byte| *byte == b'\n');
        let pairs = lines.filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            Some((name, HeaderValue::from_bytes(&line[colon + 1..]).ok()?))
        });
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    }
}

/// The exchange of a handshake, without its headers.
pub struct Handshake {
    bare: Exchange,
    headers: Lines,
}

impl Handshake {
    pub fn new(mut exchange: Exchange) -> Self {
        let headers = Lines::of(&std::mem::take(&mut exchange.headers));
        exchange.parts.headers = HeaderMap::new();
        exchange.parts.extensions.clear();
        exchange.parts.uri = copied(&exchange.parts.uri);
        Self {
            bare: exchange,
            headers,
        }
    }

    /// All but the headers.
    pub fn bare(&self) -> &Exchange {
        &self.bare
    }

    /// A copy, whole.
    pub fn exchange(&self) -> Exchange {
        Exchange {
            headers: self.headers.headers(),
            ..self.bare.clone()
        }
    }
}

/// Its path and query, in memory of their own.
fn copied(uri: &Uri) -> Uri {
    let whole = uri.path_and_query().map_or("/", |whole| whole.as_str());
    Uri::try_from(whole.to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_as_they_were() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("host", &b"a:b"[..]),
            ("x-empty", b""),
            ("x-twice", b"1"),
            ("x-twice", b"2"),
            ("x-bytes", b"\xff:\t"),
        ] {
            let name = HeaderName::from_static(name);
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        assert_eq!(Lines::of(&headers).headers(), headers);
        assert_eq!(Lines::of(&HeaderMap::new()).headers(), HeaderMap::new());
    }

    #[test]
    fn addresses_keep_their_path_and_query() {
        for (whole, kept) in [
            ("http://h/a?b=%20", "/a?b=%20"),
            ("/", "/"),
            ("http://h", "/"),
        ] {
            assert_eq!(copied(&whole.parse().unwrap()).to_string(), kept);
        }
    }
}
