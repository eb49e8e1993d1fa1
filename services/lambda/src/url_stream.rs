//! Responses that reach a caller of a function's address while the function writes them.
//!
//! A function that says status and headers begins with them: a JSON object, then eight zero bytes.
//! <https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html>

use bytes::{Bytes, BytesMut};
use futures::{StreamExt as _, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use proxy::{Malformed, answer};
use serde_json::Value;
use service::{Body, BoxError};

use crate::response_stream::{Source, Step};

/// Between the prelude and the body.
const DELIMITER: [u8; 8] = [0; 8];
/// The longest prelude, in bytes.
const MOST: usize = 64 * 1024;
/// Of which one is the first member of every prelude.
const MEMBERS: [&str; 5] = [
    "statusCode",
    "headers",
    "cookies",
    "multiValueHeaders",
    "isBase64Encoded",
];

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum NoResponse {
    #[error("the function failed before its first byte")]
    Failed,
    #[error("{0}")]
    Malformed(#[from] Malformed),
    #[error("the invocation broke off: {0}")]
    Broken(BoxError),
}

/// Waits until it is known what the response's head is; the body goes out as it comes. If the
/// function fails after that, the body breaks off.
///
/// # Errors
/// If the function fails before, or its head is none.
pub async fn response(mut source: Source) -> Result<Response<Body>, NoResponse> {
    let mut came = BytesMut::new();
    let (head, first, is_over) = loop {
        match source.step().await {
            Some(Ok(Step::Piece(piece))) => came.extend_from_slice(&piece),
            Some(Ok(Step::End(outcome))) => {
                if outcome.function_error.is_some() {
                    return Err(NoResponse::Failed);
                }
                came.extend_from_slice(&outcome.payload);
                let head = match opening(&came)? {
                    Opening::Prelude { head, length } => {
                        let _ = came.split_to(length);
                        head
                    }
                    Opening::Undecided | Opening::Body => plain(),
                };
                break (head, came.freeze(), true);
            }
            Some(Err(error)) => return Err(NoResponse::Broken(error)),
            None => break (plain(), came.freeze(), true),
        }
        match opening(&came)? {
            Opening::Undecided => {}
            Opening::Body => break (plain(), came.freeze(), false),
            Opening::Prelude { head, length } => {
                let _ = came.split_to(length);
                break (head, came.freeze(), false);
            }
        }
    };
    let mut response = Response::new(if is_over {
        answer::full(first)
    } else {
        body(first, source)
    });
    (*response.status_mut(), *response.headers_mut()) = head;
    Ok(response)
}

fn body(first: Bytes, source: Source) -> Body {
    let first = stream::iter(Some(first).filter(|first| !first.is_empty()).map(Ok));
    let rest = stream::unfold(Some(source), |source| async move {
        let mut source = source?;
        match source.step().await? {
            Ok(Step::Piece(piece)) => Some((Ok(piece), Some(source))),
            Ok(Step::End(outcome)) if outcome.function_error.is_some() => {
                Some((Err(BoxError::from("the function failed")), None))
            }
            // What was not streamed.
            Ok(Step::End(outcome)) => Some((Ok(outcome.payload), None)),
            Err(error) => Some((Err(error), None)),
        }
    });
    StreamBody::new(first.chain(rest).map(|piece| piece.map(Frame::data))).boxed_unsync()
}

type Head = (StatusCode, HeaderMap);

/// A function that says nothing of its response writes bytes.
fn plain() -> Head {
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static("application/octet-stream");
    headers.insert(CONTENT_TYPE, kind);
    (StatusCode::OK, headers)
}

enum Opening {
    /// More has to come.
    Undecided,
    Body,
    Prelude {
        head: Head,
        length: usize,
    },
}

/// What the bytes so far begin with.
fn opening(bytes: &[u8]) -> Result<Opening, Malformed> {
    if !may_be_prelude(bytes) {
        return Ok(Opening::Body);
    }
    let end = bytes
        .windows(DELIMITER.len())
        .position(|window| window == DELIMITER);
    let Some(end) = end else {
        return Ok(if bytes.len() > MOST {
            Opening::Body
        } else {
            Opening::Undecided
        });
    };
    let Ok(Value::Object(members)) = serde_json::from_slice(&bytes[..end]) else {
        return Ok(Opening::Body);
    };
    let (status, mut headers) = answer::head_v2(&members)?;
    if !members_name(&members, CONTENT_TYPE.as_str()) {
        let kind = HeaderValue::from_static("application/octet-stream");
        headers.insert(CONTENT_TYPE, kind);
    }
    Ok(Opening::Prelude {
        head: (status, headers),
        length: end + DELIMITER.len(),
    })
}

fn members_name(members: &serde_json::Map<String, Value>, header: &str) -> bool {
    let headers = members.get("headers").and_then(Value::as_object);
    headers.is_some_and(|headers| headers.keys().any(|name| name.eq_ignore_ascii_case(header)))
}

/// Whether a prelude may begin so: other JSON must not wait for its end.
fn may_be_prelude(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii_start();
    let Some((b'{', rest)) = text.split_first() else {
        return text.is_empty();
    };
    let rest = rest.trim_ascii_start();
    match rest.split_first() {
        None | Some((b'}', _)) => true,
        Some((b'"', name)) => MEMBERS.iter().any(|member| {
            let member = member.as_bytes();
            let length = name.len().min(member.len());
            name[..length] == member[..length] && name.get(length).is_none_or(|next| *next == b'"')
        }),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(bytes: &[u8]) -> &'static str {
        match opening(bytes) {
            Ok(Opening::Undecided) => "undecided",
            Ok(Opening::Body) => "body",
            Ok(Opening::Prelude { .. }) => "prelude",
            Err(_) => "malformed",
        }
    }

    #[test]
    fn only_what_may_be_a_prelude_waits() {
        for (bytes, expected) in [
            (&b""[..], "undecided"),
            (b"{", "undecided"),
            (b"{ \"stat", "undecided"),
            (b"{\"statusCode\":200}", "undecided"),
            (b"{\"statusCode\":200}\0\0\0", "undecided"),
            (b"{\"statusCode\":200}\0\0\0\0\0\0\0\0body", "prelude"),
            (b"{}\0\0\0\0\0\0\0\0", "prelude"),
            (b"{\"statusCode\":99}\0\0\0\0\0\0\0\0", "malformed"),
            (b"{\"message\":", "body"),
            (b"{\"statusCodes\":", "body"),
            (b"hello", "body"),
            (b"[1,", "body"),
        ] {
            assert_eq!(is(bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_prelude_says_status_headers_and_cookies() {
        let bytes = b"{\"statusCode\":201,\"headers\":{\"X-A\":\"1\"},\"cookies\":[\"a=1\"]}\
            \0\0\0\0\0\0\0\0rest";
        let Ok(Opening::Prelude { head, length }) = opening(bytes) else {
            panic!("no prelude");
        };
        assert_eq!(head.0, 201);
        assert_eq!(head.1["x-a"], "1");
        assert_eq!(head.1["set-cookie"], "a=1");
        assert_eq!(head.1["content-type"], "application/octet-stream");
        assert_eq!(&bytes[length..], b"rest");
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes: Vec<u8>, status: u16) {
            let _ = opening(&bytes);
            let prelude = format!("{{\"statusCode\":{status}}}");
            let _ = opening(&[prelude.as_bytes(), &DELIMITER, &bytes].concat());
        }
    }
}
