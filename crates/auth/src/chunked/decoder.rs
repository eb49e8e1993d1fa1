//! The decoder: bytes in, data and trailers out, one small state at a time.

use bytes::{Buf, Bytes};
use sha2::{Digest, Sha256};

use super::ChunkSigner;
use crate::sigv4::{PayloadHash, VerifiedSeed};
use crate::{AuthError, Mismatch, constant_time_eq};

/// The longest chunk header or trailer line, in bytes without its line end.
pub const MAX_LINE: usize = 8 * 1024;
/// The most trailers.
pub const MAX_TRAILERS: usize = 32;
/// The largest single chunk, in bytes: as much as one PutObject takes.
pub const MAX_CHUNK: u64 = 5 * 1024 * 1024 * 1024;

/// What a body's announcement says of its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Every chunk carries a `chunk-signature`, and trailers an `x-amz-trailer-signature`.
    pub signed: bool,
    /// Trailers follow the last chunk.
    pub trailers: bool,
}

/// What came out of the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A piece of the content. Where chunks are signed it may come before its signature has been
    /// checked: commit nothing until [`Decoder::finish`] has succeeded.
    Data(Bytes),
    /// A trailer, its name in lowercase. `x-amz-trailer-signature` is checked and kept back.
    Trailer { name: String, value: String },
}

/// Decodes one body. Memory is bounded by [`MAX_LINE`]; data passes through without being copied.
/// After an error the decoder accepts nothing more.
#[derive(Debug)]
pub struct Decoder {
    format: Format,
    signer: Option<ChunkSigner>,
    state: State,
    line: Vec<u8>,
    /// Of the chunk at hand.
    hash: Sha256,
    claimed: String,
    /// Content bytes that must still come, where their number was announced.
    expected: Option<u64>,
    canonical_trailers: String,
    trailers: usize,
    trailer_signature: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    ChunkHeader,
    Data {
        left: u64,
    },
    /// The line end after a chunk's data.
    DataEnd,
    /// The line end after an empty last chunk, where no trailers are due.
    LastEnd,
    Trailers,
    Done,
    Failed,
}

impl Format {
    /// The form of a payload, if it is chunked.
    pub fn of_payload(payload: PayloadHash) -> Option<Self> {
        match payload {
            PayloadHash::SignedChunks { trailer } => Some(Self {
                signed: true,
                trailers: trailer,
            }),
            PayloadHash::UnsignedChunks => Some(Self {
                signed: false,
                trailers: true,
            }),
            _ => None,
        }
    }
}

impl Decoder {
    /// A decoder at a body's first byte. Signatures are checked when `seed` is given (and the
    /// format has them); without one only the framing is. `decoded_length` is
    /// `x-amz-decoded-content-length`, which the content must then have exactly.
    pub fn new(format: Format, seed: Option<VerifiedSeed>, decoded_length: Option<u64>) -> Self {
        Self {
            format,
            signer: seed.filter(|_| format.signed).and_then(ChunkSigner::new),
            state: State::ChunkHeader,
            line: Vec::new(),
            hash: Sha256::new(),
            claimed: String::new(),
            expected: decoded_length,
            canonical_trailers: String::new(),
            trailers: 0,
            trailer_signature: None,
        }
    }

    /// Takes the next bytes of the body, cut anywhere.
    ///
    /// # Errors
    /// [`AuthError::MalformedChunk`] or [`AuthError::MalformedTrailer`] for wrong framing,
    /// [`AuthError::SignatureMismatch`] for a wrong signature, [`AuthError::IncompleteBody`] for
    /// content of another length than announced.
    pub fn push(&mut self, mut input: Bytes) -> Result<Vec<Event>, AuthError> {
        let mut events = Vec::new();
        let outcome = self.take(&mut input, &mut events);
        if outcome.is_err() {
            self.state = State::Failed;
        }
        outcome.map(|()| events)
    }

    /// Ends the body: it must be whole, and its trailers signed if its chunks were.
    pub fn finish(mut self) -> Result<(), AuthError> {
        match self.state {
            State::Done => {}
            // Some clients leave out the very last line end.
            State::LastEnd | State::Trailers if self.line.is_empty() => self.end()?,
            _ => return Err(AuthError::IncompleteBody),
        }
        Ok(())
    }

    /// Whether the last byte that belongs to the body has been seen.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    fn take(&mut self, input: &mut Bytes, events: &mut Vec<Event>) -> Result<(), AuthError> {
        while input.has_remaining() {
            match self.state {
                State::Data { left } => self.take_data(left, input, events)?,
                State::Done if input.iter().all(|byte| matches!(byte, b'\r' | b'\n')) => {
                    input.clear();
                }
                State::Done | State::Failed => {
                    return Err(AuthError::MalformedChunk("bytes after the end"));
                }
                _ => {
                    if let Some(line) = self.take_line(input)? {
                        self.take_whole_line(&line, events)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn take_data(
        &mut self,
        left: u64,
        input: &mut Bytes,
        events: &mut Vec<Event>,
    ) -> Result<(), AuthError> {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
        let data = input.split_to(length);
        if self.signer.is_some() {
            self.hash.update(&data);
        }
        events.push(Event::Data(data));
        let left = left - length as u64;
        if left > 0 {
            self.state = State::Data { left };
            return Ok(());
        }
        self.state = State::DataEnd;
        self.check_chunk()
    }

    /// Collects a line across pushes; `None` while its end has not come.
    fn take_line(&mut self, input: &mut Bytes) -> Result<Option<Vec<u8>>, AuthError> {
        let end = input.iter().position(|byte| *byte == b'\n');
        let piece = input.split_to(end.map_or(input.len(), |end| end + 1));
        if self.line.len() + piece.len() > MAX_LINE + 2 {
            return Err(AuthError::MalformedChunk("line too long"));
        }
        self.line.extend_from_slice(&piece);
        if end.is_none() {
            return Ok(None);
        }
        let mut line = std::mem::take(&mut self.line);
        line.pop();
        if line.pop() != Some(b'\r') {
            return Err(AuthError::MalformedChunk("line does not end in CR LF"));
        }
        Ok(Some(line))
    }

    fn take_whole_line(&mut self, line: &[u8], events: &mut Vec<Event>) -> Result<(), AuthError> {
        match self.state {
            State::ChunkHeader => self.chunk_header(line),
            State::DataEnd if line.is_empty() => {
                self.state = State::ChunkHeader;
                Ok(())
            }
            State::DataEnd => Err(AuthError::MalformedChunk("data longer than its chunk")),
            State::LastEnd if line.is_empty() => self.end(),
            State::LastEnd => Err(AuthError::MalformedChunk("bytes after the last chunk")),
            State::Trailers => self.trailer(line, events),
            State::Data { .. } | State::Done | State::Failed => {
                unreachable!("take() reads no line in these states")
            }
        }
    }

    /// `size-in-hex[;chunk-signature=…]`
    fn chunk_header(&mut self, line: &[u8]) -> Result<(), AuthError> {
        let malformed = AuthError::MalformedChunk;
        let text = std::str::from_utf8(line).map_err(|_| malformed("header is not text"))?;
        let mut fields = text.split(';');
        let size = fields.next().unwrap_or("").trim();
        if size.is_empty() || size.len() > 16 || !size.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(malformed("size is not hexadecimal"));
        }
        let size = u64::from_str_radix(size, 16).map_err(|_| malformed("size is too large"))?;
        if size > MAX_CHUNK {
            return Err(malformed("size is too large"));
        }
        let signature = fields.find_map(|field| field.trim().strip_prefix("chunk-signature="));
        if self.format.signed && signature.is_none() {
            return Err(malformed("chunk has no signature"));
        }
        signature.unwrap_or("").clone_into(&mut self.claimed);
        if let Some(expected) = &mut self.expected {
            *expected = expected
                .checked_sub(size)
                .ok_or(AuthError::IncompleteBody)?;
        }
        self.hash = Sha256::new();
        if size > 0 {
            self.state = State::Data { left: size };
            return Ok(());
        }
        self.check_chunk()?;
        if self.expected.is_some_and(|left| left > 0) {
            return Err(AuthError::IncompleteBody);
        }
        self.state = if self.format.trailers {
            State::Trailers
        } else {
            State::LastEnd
        };
        Ok(())
    }

    fn check_chunk(&mut self) -> Result<(), AuthError> {
        let Some(signer) = &mut self.signer else {
            return Ok(());
        };
        let hash = std::mem::take(&mut self.hash).finalize().into();
        let signature = signer.chunk_of_hash(hash);
        matching(&signature, &self.claimed)
    }

    fn trailer(&mut self, line: &[u8], events: &mut Vec<Event>) -> Result<(), AuthError> {
        if line.is_empty() {
            // Some clients put a line end between the last chunk and the trailers.
            return if self.trailers == 0 {
                Ok(())
            } else {
                self.end()
            };
        }
        let malformed = AuthError::MalformedTrailer;
        let text = std::str::from_utf8(line).map_err(|_| malformed("it is not text"))?;
        let (name, value) = text.split_once(':').ok_or(malformed("it has no colon"))?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
            return Err(malformed("its name is no header name"));
        }
        self.trailers += 1;
        if self.trailers > MAX_TRAILERS {
            return Err(malformed("there are too many"));
        }
        if name == "x-amz-trailer-signature" {
            self.trailer_signature = Some(value.to_owned());
            return Ok(());
        }
        if self.trailer_signature.is_some() {
            return Err(malformed("it comes after the trailers' signature"));
        }
        if self.signer.is_some() {
            for part in [&name, ":", value, "\n"] {
                self.canonical_trailers.push_str(part);
            }
        }
        events.push(Event::Trailer {
            name,
            value: value.to_owned(),
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), AuthError> {
        self.state = State::Done;
        let Some(signer) = self.signer.as_mut().filter(|_| self.format.trailers) else {
            return Ok(());
        };
        let claimed = self
            .trailer_signature
            .as_deref()
            .ok_or(AuthError::MalformedTrailer("the trailers are not signed"))?;
        matching(&signer.trailers(&self.canonical_trailers), claimed)
    }
}

fn matching(computed: &str, claimed: &str) -> Result<(), AuthError> {
    if constant_time_eq(computed.as_bytes(), claimed.as_bytes()) {
        return Ok(());
    }
    Err(AuthError::SignatureMismatch(Box::new(Mismatch {
        signature_provided: claimed.to_owned(),
        ..Mismatch::default()
    })))
}
