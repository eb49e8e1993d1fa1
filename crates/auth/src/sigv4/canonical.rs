//! The canonical request: one spelling of a request that both sides can hash.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use http::HeaderMap;
use http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// Everything but `A-Z a-z 0-9 - . _ ~`.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/');

/// How a service's paths are canonicalised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathRule {
    /// S3: percent-encoded once, nothing normalised, as keys may hold `//` and `..`.
    Once,
    /// S3, for clients that sign the path exactly as they send it.
    AsSent,
    /// All others: dot segments and empty segments removed, and what was sent encoded again.
    Twice,
}

impl PathRule {
    /// The rules to try for a service, likeliest first.
    pub(super) fn of_service(service: &str) -> &'static [Self] {
        if service.starts_with("s3") {
            &[Self::Once, Self::AsSent]
        } else {
            &[Self::Twice]
        }
    }
}

pub(super) fn path(raw: &str, rule: PathRule) -> String {
    let path = if raw.is_empty() { "/" } else { raw };
    match rule {
        PathRule::Once => {
            let decoded: Vec<u8> = percent_decode_str(path).collect();
            percent_encode(&decoded, RESERVED_IN_PATH).to_string()
        }
        PathRule::AsSent => path.to_owned(),
        PathRule::Twice => {
            percent_encode(normalised(path).as_bytes(), RESERVED_IN_PATH).to_string()
        }
    }
}

fn normalised(path: &str) -> String {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &segments {
        out.push('/');
        out.push_str(segment);
    }
    if out.is_empty() || path.ends_with('/') {
        out.push('/');
    }
    out
}

/// Every parameter but `without`, encoded strictly and sorted by name, then value.
pub(super) fn query(raw: &str, without: Option<&str>) -> String {
    let mut pairs: Vec<(String, String)> = raw
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (recoded(name), recoded(value)))
        .filter(|(name, _)| Some(name.as_str()) != without)
        .collect();
    pairs.sort_unstable();
    let mut out = String::with_capacity(raw.len());
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(&name);
        out.push('=');
        out.push_str(&value);
    }
    out
}

fn recoded(part: &str) -> String {
    let spaced = part.replace('+', "%20");
    let decoded: Vec<u8> = percent_decode_str(&spaced).collect();
    percent_encode(&decoded, RESERVED).to_string()
}

/// Percent-encodes a query component strictly.
pub(super) fn encoded(part: &str) -> String {
    percent_encode(part.as_bytes(), RESERVED).to_string()
}

/// Percent-decodes a query component, `+` meaning a space.
pub(crate) fn decoded(part: &str) -> String {
    percent_decode_str(&part.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

/// `name:value` lines of the signed headers: values trimmed, runs of spaces folded, repeated
/// headers joined by commas.
fn headers(parts: &Parts, signed: &[String]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    for name in signed {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        if name == "host" && !parts.headers.contains_key(http::header::HOST) {
            // HTTP/2 carries it as :authority.
            let authority = parts
                .uri
                .authority()
                .map_or("", |authority| authority.as_str());
            out.extend_from_slice(authority.as_bytes());
        } else {
            push_values(&mut out, &parts.headers, name);
        }
        out.push(b'\n');
    }
    out
}

pub(crate) fn push_values(out: &mut Vec<u8>, headers: &HeaderMap, name: &str) {
    for (at, value) in headers.get_all(name).iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let mut pending_space = false;
        for byte in value.as_bytes().trim_ascii() {
            if *byte == b' ' {
                pending_space = true;
                continue;
            }
            if std::mem::take(&mut pending_space) {
                out.push(b' ');
            }
            out.push(*byte);
        }
    }
}

/// The whole canonical request. `signed` is in the order of the request's own list, which the
/// signature covers.
pub(super) fn request(
    parts: &Parts,
    rule: PathRule,
    without: Option<&str>,
    signed: &[String],
    payload: &str,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(parts.method.as_str().as_bytes());
    out.push(b'\n');
    out.extend_from_slice(path(parts.uri.path(), rule).as_bytes());
    out.push(b'\n');
    out.extend_from_slice(query(parts.uri.query().unwrap_or(""), without).as_bytes());
    out.push(b'\n');
    out.extend_from_slice(&headers(parts, signed));
    out.push(b'\n');
    out.extend_from_slice(signed.join(";").as_bytes());
    out.push(b'\n');
    out.extend_from_slice(payload.as_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s3_paths_are_encoded_once_and_kept() {
        assert_eq!(path("/b/a//../c", PathRule::Once), "/b/a//../c");
        assert_eq!(path("/b/%e3%81%82+@", PathRule::Once), "/b/%E3%81%82%2B%40");
        assert_eq!(path("/b/+@", PathRule::AsSent), "/b/+@");
        assert_eq!(path("", PathRule::Once), "/");
    }

    #[test]
    fn other_paths_are_normalised_and_encoded_twice() {
        assert_eq!(path("/", PathRule::Twice), "/");
        assert_eq!(path("/./a//b/../c/", PathRule::Twice), "/a/c/");
        assert_eq!(
            path("/functions/arn%3Aaws/x y", PathRule::Twice),
            "/functions/arn%253Aaws/x%20y"
        );
        assert_eq!(path("/../..", PathRule::Twice), "/");
    }

    #[test]
    fn queries_are_recoded_and_sorted() {
        assert_eq!(query("b=2&a=1&a=0&c", None), "a=0&a=1&b=2&c=");
        assert_eq!(query("k=a%2fb&k=%7e+", None), "k=a%2Fb&k=~%20");
        assert_eq!(
            query("X-Amz-Signature=1&a=b", Some("X-Amz-Signature")),
            "a=b"
        );
        // Sorted by the encoded spelling: '%' comes before letters.
        assert_eq!(query("a=1&%C3%A4=2", None), "%C3%A4=2&a=1");
    }

    #[test]
    fn header_values_are_trimmed_folded_and_joined() {
        let (parts, ()) = http::Request::builder()
            .uri("http://h.example:1/x")
            .header("x-a", "  one   two ")
            .header("x-a", "three")
            .body(())
            .unwrap()
            .into_parts();
        let signed = ["host".to_owned(), "x-a".to_owned(), "x-none".to_owned()];
        let text = String::from_utf8(headers(&parts, &signed)).unwrap();
        assert_eq!(text, "host:h.example:1\nx-a:one two,three\nx-none:\n");
    }
}
