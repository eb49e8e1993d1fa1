//! Bodies that travel compressed, where an API has a `minimumCompressionSize`.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html>

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use flate2::Compression;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, HeaderValue};
use http::{HeaderMap, Response};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }
}

/// Why a request's body is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// Of a coding that is not known here.
    Coding,
    Broken,
    TooLarge,
}

/// The client's body as it was before it was compressed, of at most `limit` bytes.
pub fn expand(headers: &mut HeaderMap, body: Bytes, limit: usize) -> Result<Bytes, Unreadable> {
    let Some(coding) = headers.get(CONTENT_ENCODING) else {
        return Ok(body);
    };
    let coding = coding.to_str().map_err(|_| Unreadable::Coding)?;
    if coding.eq_ignore_ascii_case("identity") {
        return Ok(body);
    }
    let coding = Coding::parse(coding).ok_or(Unreadable::Coding)?;
    let mut expanded = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = match coding {
        Coding::Gzip => GzDecoder::new(&*body).take(most).read_to_end(&mut expanded),
        Coding::Deflate => ZlibDecoder::new(&*body)
            .take(most)
            .read_to_end(&mut expanded),
    };
    read.map_err(|_| Unreadable::Broken)?;
    if expanded.len() > limit {
        return Err(Unreadable::TooLarge);
    }
    headers.remove(CONTENT_ENCODING);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(expanded.len()));
    Ok(Bytes::from(expanded))
}

/// Compresses a response of that size or more, if the client takes it so.
pub fn compress(asked: &HeaderMap, minimum: i32, response: &mut Response<Bytes>) {
    let minimum = usize::try_from(minimum).unwrap_or(usize::MAX);
    let is_coded = response.headers().contains_key(CONTENT_ENCODING);
    if is_coded || response.body().is_empty() || response.body().len() < minimum {
        return;
    }
    let accepted = asked
        .get(ACCEPT_ENCODING)
        .and_then(|accepted| accepted.to_str().ok());
    let mut accepted = accepted.unwrap_or_default().split(',').filter_map(|one| {
        let (name, weight) = one.split_once(';').unwrap_or((one, ""));
        let refused = weight.trim().trim_start_matches("q=").parse() == Ok(0.0_f32);
        Coding::parse(name).filter(|_| !refused)
    });
    let Some(coding) = accepted.next() else {
        return;
    };
    let body = response.body();
    let compressed = match coding {
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
        Coding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body).and_then(|()| encoder.finish())
        }
    };
    // Writing into memory does not fail; if it did, the body would go as it is.
    if let Ok(compressed) = compressed {
        *response.body_mut() = Bytes::from(compressed);
        let name = HeaderValue::from_static(coding.name());
        response.headers_mut().insert(CONTENT_ENCODING, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(accept: &'static str, minimum: i32) -> Response<Bytes> {
        let mut asked = HeaderMap::new();
        asked.insert(ACCEPT_ENCODING, HeaderValue::from_static(accept));
        let mut response = Response::new(Bytes::from(vec![b'x'; 1_000]));
        compress(&asked, minimum, &mut response);
        response
    }

    #[test]
    fn bodies_come_back() {
        for (accept, coding) in [
            ("gzip, br", "gzip"),
            ("br, deflate", "deflate"),
            ("gzip;q=0, deflate", "deflate"),
        ] {
            let response = compressed(accept, 10);
            assert_eq!(response.headers()[CONTENT_ENCODING], coding);
            let (parts, body) = response.into_parts();
            assert!(body.len() < 100);
            let mut headers = parts.headers;
            assert_eq!(
                expand(&mut headers.clone(), body.clone(), 999),
                Err(Unreadable::TooLarge)
            );
            let back = expand(&mut headers, body, 1_000).unwrap();
            assert_eq!(back, vec![b'x'; 1_000]);
            assert!(!headers.contains_key(CONTENT_ENCODING));
        }
        for (accept, minimum) in [("gzip", 1_001), ("br", 0)] {
            assert!(
                !compressed(accept, minimum)
                    .headers()
                    .contains_key(CONTENT_ENCODING)
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(body: Vec<u8>, gzip: bool) {
            let mut headers = HeaderMap::new();
            let coding = if gzip { "gzip" } else { "deflate" };
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
            let _ = expand(&mut headers, Bytes::from(body), 10_000);
        }
    }
}
