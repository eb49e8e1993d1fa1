//! Streamed request bodies: `aws-chunked` framing undone, signed hashes checked.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use auth::AuthError;
use auth::chunked::{Decoder, Event};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use http_body::{Frame, SizeHint};
use service::{Body, BoxError, TrailingHeaders};
use sha2::{Digest, Sha256};

/// The content of an `aws-chunked` body. Its trailers go to a [`TrailingHeaders`].
pub struct Dechunked {
    inner: Body,
    decoder: Option<Decoder>,
    ready: VecDeque<Bytes>,
    trailers: TrailingHeaders,
    length: Option<u64>,
}

impl Dechunked {
    /// `length` is `x-amz-decoded-content-length`.
    pub fn new(
        inner: Body,
        decoder: Decoder,
        trailers: TrailingHeaders,
        length: Option<u64>,
    ) -> Self {
        Self {
            inner,
            decoder: Some(decoder),
            ready: VecDeque::new(),
            trailers,
            length,
        }
    }

    fn take(&mut self, bytes: Bytes) -> Result<(), AuthError> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(());
        };
        for event in decoder.push(bytes)? {
            match event {
                Event::Data(bytes) => self.ready.push_back(bytes),
                Event::Trailer { name, value } => {
                    let name = HeaderName::try_from(name);
                    let value = HeaderValue::try_from(value);
                    let (Ok(name), Ok(value)) = (name, value) else {
                        return Err(AuthError::MalformedTrailer("not a header"));
                    };
                    self.trailers.insert(name, value);
                }
            }
        }
        Ok(())
    }
}

impl http_body::Body for Dechunked {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        loop {
            if let Some(bytes) = this.ready.pop_front() {
                if let Some(left) = &mut this.length {
                    *left = left.saturating_sub(bytes.len() as u64);
                }
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if this.decoder.is_none() {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut this.inner).poll_frame(context)) {
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data()
                        && let Err(error) = this.take(bytes)
                    {
                        this.decoder = None;
                        return Poll::Ready(Some(Err(error.into())));
                    }
                }
                Some(Err(error)) => {
                    this.decoder = None;
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    let finished = this.decoder.take().map_or(Ok(()), Decoder::finish);
                    if let Err(error) = finished {
                        return Poll::Ready(Some(Err(error.into())));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.decoder.is_none() && self.ready.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.length
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// A body that must turn out to have the SHA-256 that was signed.
pub struct Hashed {
    inner: Body,
    expected: [u8; 32],
    hash: Option<Sha256>,
}

impl Hashed {
    pub fn new(inner: Body, expected: [u8; 32]) -> Self {
        Self {
            inner,
            expected,
            hash: Some(Sha256::new()),
        }
    }
}

impl http_body::Body for Hashed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.inner).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(hash), Some(bytes)) = (&mut this.hash, frame.data_ref()) {
                    hash.update(bytes);
                }
            }
            Some(Err(_)) => this.hash = None,
            None => {
                if let Some(hash) = this.hash.take()
                    && hash.finalize()[..] != this.expected
                {
                    return Poll::Ready(Some(Err(AuthError::PayloadHashMismatch.into())));
                }
            }
        }
        Poll::Ready(frame)
    }

    /// Never before the hash has been judged.
    fn is_end_stream(&self) -> bool {
        self.hash.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use auth::chunked::Format;
    use http_body_util::{BodyExt, Full};

    use super::*;

    fn body(bytes: &'static [u8]) -> Body {
        Full::new(Bytes::from_static(bytes))
            .map_err(|never| match never {})
            .boxed_unsync()
    }

    #[tokio::test]
    async fn content_and_trailers_of_a_chunked_body() {
        let format = Format {
            signed: false,
            trailers: true,
        };
        let trailers = TrailingHeaders::default();
        let wire = body(b"3\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum-crc32:abcdef==\r\n\r\n");
        let decoder = Decoder::new(format, None, Some(5));
        let dechunked = Dechunked::new(wire, decoder, trailers.clone(), Some(5));
        assert_eq!(dechunked.collect().await.unwrap().to_bytes(), "abcde");
        assert_eq!(trailers.get("x-amz-checksum-crc32").unwrap(), "abcdef==");
    }

    #[tokio::test]
    async fn torn_and_forged_bodies_end_in_an_error() {
        let format = Format {
            signed: false,
            trailers: true,
        };
        let decoder = Decoder::new(format, None, Some(5));
        let torn = Dechunked::new(
            body(b"5\r\nab"),
            decoder,
            TrailingHeaders::default(),
            Some(5),
        );
        assert!(torn.collect().await.is_err());
        assert!(Hashed::new(body(b"abc"), [0; 32]).collect().await.is_err());
        let right: [u8; 32] = Sha256::digest(b"abc").into();
        assert_eq!(
            Hashed::new(body(b"abc"), right)
                .collect()
                .await
                .unwrap()
                .to_bytes(),
            "abc"
        );
    }
}
