//! A request as it came in: what events, mappings and logs say of it.

use std::collections::BTreeMap;

use base::{RequestId, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use http::{StatusCode, Version};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode_str;
use service::Body;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A request whose body has been read.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    pub method: &'a str,
    /// The path that the event tells.
    pub path: &'a str,
    pub query: &'a str,
    pub version: Version,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub source_ip: &'a str,
    /// The host that the client used.
    pub domain_name: &'a str,
    pub request_id: &'a str,
    pub at: Timestamp,
}

impl Incoming<'_> {
    pub fn user_agent(&self) -> String {
        let agent = self.headers.get(USER_AGENT);
        agent
            .map(|agent| lossy(agent.as_bytes()))
            .unwrap_or_default()
    }

    pub fn protocol(&self) -> String {
        format!("{:?}", self.version)
    }
}

/// The whole body, or the status that refuses it: 413 over the limit, 400 if it broke off.
pub async fn collect(mut body: Body, limit: usize) -> Result<Bytes, StatusCode> {
    let mut first: Option<Bytes> = None;
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        let Ok(bytes) = frame.into_data() else {
            continue;
        };
        let before = first.as_ref().map_or(whole.len(), Bytes::len);
        if before + bytes.len() > limit {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        match first.take() {
            // Most bodies are of one piece, which needs no copy.
            None if whole.is_empty() => first = Some(bytes),
            Some(earlier) => {
                whole.extend_from_slice(&earlier);
                whole.extend_from_slice(&bytes);
            }
            None => whole.extend_from_slice(&bytes),
        }
    }
    Ok(first.unwrap_or_else(|| whole.freeze()))
}

/// Adds what AWS's front door tells a function of the connection.
pub fn add_forwarded(headers: &mut HeaderMap, source_ip: &str, port: u16, is_tls: bool) {
    let earlier = headers.get("x-forwarded-for").cloned();
    let earlier = earlier.as_ref().and_then(|value| value.to_str().ok());
    let chain = match earlier {
        Some(earlier) => format!("{earlier}, {source_ip}"),
        None => source_ip.to_owned(),
    };
    let fixed = |name: &'static str| HeaderName::from_static(name);
    if let Ok(chain) = HeaderValue::try_from(chain) {
        headers.insert(fixed("x-forwarded-for"), chain);
    }
    headers.insert(fixed("x-forwarded-port"), HeaderValue::from(port));
    let scheme = HeaderValue::from_static(if is_tls { "https" } else { "http" });
    headers.insert(fixed("x-forwarded-proto"), scheme);
}

/// The request's `X-Amzn-Trace-Id`, which it gets here if it has none.
pub fn trace(headers: &mut HeaderMap, at: Timestamp) -> String {
    let name = HeaderName::from_static("x-amzn-trace-id");
    if let Some(Ok(given)) = headers.get(&name).map(HeaderValue::to_str) {
        return given.to_owned();
    }
    let random = RequestId::random().to_string().replace('-', "");
    let fresh = format!("Root=1-{:08x}-{}", at.seconds(), &random[..24]);
    let value = HeaderValue::from_str(&fresh).expect("digits are ASCII");
    headers.insert(name, value);
    fresh
}

/// `12/Mar/2020:19:03:58 +0000`.
pub fn access_log_time(at: Timestamp) -> String {
    let iso = at.iso8601_seconds();
    let (date, time) = iso.split_once('T').unwrap_or((&iso, ""));
    let mut parts = date.rsplit('-');
    let day = parts.next().unwrap_or_default();
    let month = parts.next().and_then(|month| month.parse::<usize>().ok());
    let month = month.and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    let year = parts.next().unwrap_or_default();
    let time = time.trim_end_matches('Z');
    format!("{day}/{}/{year}:{time} +0000", month.unwrap_or(&"Jan"))
}

/// All values of a header, joined by commas.
pub fn joined_header(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter().peekable();
    values.peek()?;
    let values: Vec<String> = values.map(|value| lossy(value.as_bytes())).collect();
    Some(values.join(","))
}

/// Each cookie on its own.
pub fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(COOKIE).iter();
    let lines: Vec<String> = values.map(|value| lossy(value.as_bytes())).collect();
    let cookies = lines.iter().flat_map(|line| line.split(';')).map(str::trim);
    let cookies = cookies.filter(|cookie| !cookie.is_empty());
    cookies.map(str::to_owned).collect()
}

/// The parameters of a query or a form, decoded, in order.
pub fn pairs(query: &str) -> impl Iterator<Item = (String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
}

/// The parameters of a query, by name, with all their values.
pub fn parameters(query: &str) -> BTreeMap<String, Vec<String>> {
    let mut parameters = BTreeMap::<String, Vec<String>>::new();
    for (name, value) in pairs(query) {
        parameters.entry(name).or_default().push(value);
    }
    parameters
}

/// A part of a query, with its `+` and `%xx` undone.
pub fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    decoded_path(&text)
}

/// A part of a path, with its `%xx` undone.
pub fn decoded_path(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The body, if its media type says that it is text and it is UTF-8.
pub fn as_text<'a>(headers: &HeaderMap, body: &'a [u8]) -> Option<&'a str> {
    let kind = headers.get(CONTENT_TYPE).map(|kind| lossy(kind.as_bytes()));
    let is_text = kind.is_none_or(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let kind = kind.to_ascii_lowercase();
        kind.starts_with("text/")
            || kind.ends_with("+json")
            || kind.ends_with("+xml")
            || matches!(
                kind.as_str(),
                "application/json" | "application/xml" | "application/javascript"
            )
    });
    is_text.then(|| std::str::from_utf8(body).ok()).flatten()
}

/// A body as an event carries it, and whether it is in base64.
pub fn event_body(text: Option<&str>, body: &[u8]) -> (String, bool) {
    match text {
        Some(text) => (text.to_owned(), false),
        None => (STANDARD.encode(body), true),
    }
}

pub fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_repeats_is_joined_and_cookies_stand_apart() {
        let headers = headers(&[("X-A", "1"), ("x-a", "2"), ("cookie", "a=1; b=2")]);
        assert_eq!(joined_header(&headers, "x-a").as_deref(), Some("1,2"));
        assert_eq!(joined_header(&headers, "x-b"), None);
        assert_eq!(cookies(&headers), ["a=1", "b=2"]);
        let parameters = parameters("a=1&a=x%20y&b&c=p+q");
        assert_eq!(parameters["a"], ["1", "x y"]);
        assert_eq!((&*parameters["b"][0], &*parameters["c"][0]), ("", "p q"));
    }

    #[test]
    fn bodies_are_text_by_their_type() {
        let json = headers(&[("content-type", "application/json; charset=utf-8")]);
        assert_eq!(as_text(&json, b"{}"), Some("{}"));
        assert_eq!(as_text(&json, b"\xff"), None);
        let png = headers(&[("content-type", "image/png")]);
        assert_eq!(as_text(&png, b"{}"), None);
    }

    #[test]
    fn time_is_written_as_in_access_logs() {
        let at = Timestamp::from_millis(1_584_039_838_000);
        assert_eq!(access_log_time(at), "12/Mar/2020:19:03:58 +0000");
    }

    #[test]
    fn a_request_without_a_trace_begins_one() {
        let mut given = headers(&[("x-amzn-trace-id", "Root=1-a-b")]);
        let at = Timestamp::from_millis(1_584_039_838_000);
        assert_eq!(trace(&mut given, at), "Root=1-a-b");
        let mut none = HeaderMap::new();
        let fresh = trace(&mut none, at);
        assert!(fresh.starts_with("Root=1-5e6a879e-"), "{fresh}");
        assert_eq!(none["x-amzn-trace-id"], fresh.as_str());
        assert_eq!(fresh.len(), 40);
    }

    #[test]
    fn the_chain_of_proxies_grows_at_its_end() {
        let mut headers = headers(&[("x-forwarded-for", "1.1.1.1")]);
        add_forwarded(&mut headers, "2.2.2.2", 443, true);
        assert_eq!(headers["x-forwarded-for"], "1.1.1.1, 2.2.2.2");
        assert_eq!(headers["x-forwarded-proto"], "https");
    }

    proptest::proptest! {
        #[test]
        fn parameters_are_found_again(name in ".{1,12}", value in ".{0,12}") {
            let encode = |text: &str| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                    .to_string()
            };
            let query = format!("{}={}", encode(&name), encode(&value));
            let found = parameters(&query);
            proptest::prop_assert_eq!(found.get(&name), Some(&vec![value]));
        }

        #[test]
        fn any_query_is_read_without_a_panic(query in ".{0,100}") {
            let _ = parameters(&query);
        }
    }
}
