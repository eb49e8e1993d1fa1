//! Serves the calls that a runtime makes for each event.
//!
//! A general HTTP server spends more on such a call than the call itself takes, and its bodies
//! come through a channel that wakes the connection's own task: another worker for each. Here a
//! call is read from one buffer and answered with one write. What [`head`] does not know is left
//! to hyper, from its first byte on and for the rest of the connection.

use std::io::{self, Write as _};
use std::sync::Arc;

use base::Clock;
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::exchange::{Exchange, Offer, Posted};
use super::head::{self, Call, Read};
use super::http::{Answer, fields, posted};

/// The most that is received at once, unless a body is longer.
const RECEIVED: usize = 4 << 10;
/// A payload up to here is copied behind its head instead of being written beside it.
const COPIED: usize = 4 << 10;

const ACCEPTED: &[u8] = br#"{"status":"OK"}"#;

/// A runtime's connection.
struct Quick<'a> {
    stream: TcpStream,
    exchange: &'a Exchange,
    received: BytesMut,
    /// What is to be written, for its room.
    head: Vec<u8>,
    date: Date,
}

/// What is left of a connection.
pub(super) enum Left {
    /// It has ended.
    Nothing,
    /// Another server's, with what was received and not answered.
    Odd(TcpStream, Bytes),
}

/// Serves until the connection ends or is for another server.
///
/// # Errors
/// The connection's, which ends with it.
pub(super) async fn serve(stream: TcpStream, exchange: &Exchange) -> io::Result<Left> {
    let quick = Quick {
        stream,
        exchange,
        received: BytesMut::new(),
        head: Vec::new(),
        date: Date::default(),
    };
    quick.serve().await
}

impl Quick<'_> {
    async fn serve(mut self) -> io::Result<Left> {
        loop {
            let (call, head, body) = match head::read(&self.received) {
                Read::Incomplete => {
                    if self.receive().await? == 0 {
                        return Ok(Left::Nothing);
                    }
                    continue;
                }
                Read::Odd => return Ok(self.odd()),
                // Where the limit of a response is lower, hyper's side knows what to say.
                Read::Call { body, .. } if body > self.exchange.limit() => return Ok(self.odd()),
                Read::Call { call, head, body } => (call, head, body),
            };
            while self.received.len() < head + body {
                if self.receive().await? == 0 {
                    return Ok(self.odd());
                }
            }
            // A copy, so that the buffer can be used again.
            let payload = Bytes::copy_from_slice(&self.received[head..head + body]);
            self.received.advance(head + body);
            let outcome = match call {
                Call::Next => match self.next_event().await {
                    Some(offer) => {
                        self.give(&offer).await?;
                        continue;
                    }
                    None => return Ok(Left::Nothing),
                },
                Call::Response(id) => self.exchange.post(id.as_str(), Posted::Response(payload)),
                Call::Error(id) => self.exchange.post(id.as_str(), Posted::Error(payload)),
            };
            match outcome {
                Ok(()) => self.accept().await?,
                refused => self.answer(posted(refused)).await?,
            }
        }
    }

    fn odd(self) -> Left {
        Left::Odd(self.stream, self.received.freeze())
    }

    async fn receive(&mut self) -> io::Result<usize> {
        self.received.reserve(RECEIVED);
        self.stream.read_buf(&mut self.received).await
    }

    /// Waits for an event; `None` if the connection ends first, so that no event goes to a runtime
    /// that has given up waiting, and maybe asks anew.
    async fn next_event(&mut self) -> Option<Arc<Offer>> {
        let (stream, received) = (&self.stream, &mut self.received);
        tokio::select! {
            biased;
            offer = self.exchange.next() => Some(offer),
            () = ended(stream, received) => None,
        }
    }

    async fn give(&mut self, offer: &Offer) -> io::Result<()> {
        let payload = &offer.event.payload;
        self.head.clear();
        self.head
            .extend_from_slice(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n");
        for (name, value) in fields(offer, &offer.deadline.millis().to_string()) {
            // A client context with line ends in it cannot be a header, here as on Lambda.
            if let Some(value) = value.filter(|value| is_header(value)) {
                for part in [name, ": ", value, "\r\n"] {
                    self.head.extend_from_slice(part.as_bytes());
                }
            }
        }
        self.end_head(payload.len());
        if payload.len() <= COPIED {
            self.head.extend_from_slice(payload);
            return self.stream.write_all(&self.head).await;
        }
        let mut whole = Buf::chain(&self.head[..], payload.clone());
        self.stream.write_all_buf(&mut whole).await
    }

    async fn accept(&mut self) -> io::Result<()> {
        self.head.clear();
        self.head
            .extend_from_slice(b"HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\n");
        self.end_head(ACCEPTED.len());
        self.head.extend_from_slice(ACCEPTED);
        self.stream.write_all(&self.head).await
    }

    async fn answer(&mut self, answer: Answer) -> io::Result<()> {
        let (parts, body) = answer.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(never) => match never {},
        };
        self.head.clear();
        // Writing to a vector cannot fail.
        let _ = write!(self.head, "HTTP/1.1 {}\r\n", parts.status);
        for (name, value) in &parts.headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                self.head.extend_from_slice(part);
            }
        }
        self.end_head(body.len());
        self.head.extend_from_slice(&body);
        self.stream.write_all(&self.head).await
    }

    /// Writes what each head ends with.
    fn end_head(&mut self, length: usize) {
        let date = self.date.now();
        // Writing to a vector cannot fail.
        let _ = write!(
            self.head,
            "content-length: {length}\r\ndate: {date}\r\n\r\n"
        );
    }
}

/// Resolves when the client has closed the connection. Not if it sends more before it has its
/// answer: that is left in the socket but for its first bytes, as hyper leaves it.
async fn ended(stream: &TcpStream, received: &mut BytesMut) {
    while received.is_empty() {
        if stream.readable().await.is_err() {
            return;
        }
        received.reserve(RECEIVED);
        match stream.try_read_buf(received) {
            Ok(0) => return,
            Ok(_) => break,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
    std::future::pending::<()>().await;
}

/// Whether it can be a header's value.
fn is_header(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

/// The time for the `date` header, written anew once a second.
#[derive(Default)]
struct Date {
    second: i64,
    text: String,
}

impl Date {
    fn now(&mut self) -> &str {
        let now = Clock::system().now();
        if self.text.is_empty() || now.seconds() != self.second {
            self.second = now.seconds();
            self.text = now.http_date();
        }
        &self.text
    }
}

#[cfg(test)]
#[path = "quick_tests.rs"]
mod tests;
