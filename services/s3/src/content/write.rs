//! Takes the bytes of an object in: a few of them into memory, more of them into a blob.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt as _, pin_mut};
use service::TrailingHeaders;
use store::{BlobId, BlobWriter, Blobs};

use super::digests::Digests;
use super::seal::{Keys, Sealer};
use crate::domain::checksum::{Algorithm, Checksum};
use crate::error::Error;
use crate::records::Sealed;

/// Up to this many bytes an object's content is a record of the store, and a PUT one commit.
const MAX_INLINE: usize = 16 * 1024;
/// Most bytes of one PUT or one part.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>
const MAX_UPLOAD: u64 = 5 * 1024 * 1024 * 1024;

/// What the client says the bytes are.
#[derive(Clone, Debug)]
pub struct Expected {
    pub length: Option<u64>,
    pub md5: Option<[u8; 16]>,
    /// The checksum to compute, and the value it must have if the client gave one.
    pub algorithm: Algorithm,
    pub checksum: Option<String>,
    /// Where the value arrives after the body instead.
    pub trailers: Option<TrailingHeaders>,
    /// Whether a few bytes may stay in memory. Parts are always blobs.
    pub may_inline: bool,
    /// By which the bytes are encrypted at rest, if by any.
    pub keys: Keys,
}

/// Bytes that are kept but not yet named by a record.
#[derive(Clone, Debug)]
pub enum Stored {
    Empty,
    Inline(Bytes),
    Blob(BlobId),
}

#[derive(Clone, Debug)]
pub struct Written {
    pub stored: Stored,
    pub size: u64,
    /// MD5, in hexadecimal.
    pub etag: String,
    pub checksum: Checksum,
    pub sealed: Option<Sealed>,
}

impl Expected {
    /// Nothing: of bytes that are ours already.
    pub fn nothing(algorithm: Algorithm) -> Self {
        Self {
            length: None,
            md5: None,
            algorithm,
            checksum: None,
            trailers: None,
            may_inline: true,
            keys: Keys::default(),
        }
    }

    /// # Errors
    /// `InvalidDigest` for a Content-MD5 that is not 16 bytes in base64.
    pub fn read_md5(header: Option<&str>) -> Result<Option<[u8; 16]>, Error> {
        let Some(header) = header else {
            return Ok(None);
        };
        let bytes = BASE64
            .decode(header)
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        let invalid = || {
            Error::bad_request(
                "InvalidDigest",
                "The Content-MD5 you specified was invalid.",
            )
            .with("Content-MD5", header)
        };
        bytes.map(Some).ok_or_else(invalid)
    }

    /// The trailer of the algorithm that is computed, once the body has been read.
    fn trailing_checksum(&self) -> Result<Option<String>, Error> {
        let Some(trailers) = &self.trailers else {
            return Ok(None);
        };
        let Some(value) = trailers.get(self.algorithm.header()) else {
            let message = "The request contained trailing data that was not well-formed or did not \
                           conform to our published schema.";
            return Err(Error::bad_request("MalformedTrailerError", message));
        };
        let value = value.to_str().unwrap_or_default().to_owned();
        self.algorithm.check_form(&value)?;
        Ok(Some(value))
    }

    fn check_length(&self) -> Result<(), Error> {
        match self.length {
            Some(length) if length > MAX_UPLOAD => Err(too_large(length)),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// `BadDigest` when the bytes that arrived are others.
    pub fn check(&self, size: u64, md5: [u8; 16], checksum: &Checksum) -> Result<(), Error> {
        if self.length.is_some_and(|length| length != size) {
            return Err(Error::Body(
                "the body is shorter or longer than announced".into(),
            ));
        }
        if let Some(expected) = self.md5.filter(|expected| *expected != md5) {
            let message = "The Content-MD5 you specified did not match what we received.";
            return Err(Error::bad_request("BadDigest", message)
                .with("ExpectedDigest", BASE64.encode(expected))
                .with("CalculatedDigest", BASE64.encode(md5)));
        }
        let trailer = self.trailing_checksum()?;
        let given = [self.checksum.as_ref(), trailer.as_ref()];
        if given
            .into_iter()
            .flatten()
            .any(|expected| *expected != checksum.value)
        {
            let name = self.algorithm.name();
            let message =
                format!("The {name} you specified did not match the calculated checksum.");
            return Err(Error::bad_request("BadDigest", message));
        }
        Ok(())
    }
}

/// Reads a body to its end. When this fails nothing is kept.
///
/// # Errors
/// `BadDigest`, `IncompleteBody`, `EntityTooLarge`, and what the store says.
pub async fn write(
    blobs: &dyn Blobs,
    body: impl Stream<Item = Result<Bytes, Error>> + Send,
    expected: &Expected,
) -> Result<Written, Error> {
    expected.check_length()?;
    pin_mut!(body);
    let mut intake = Intake::new(expected);
    while let Some(chunk) = body.next().await {
        intake.take(blobs, chunk?).await?;
    }
    intake.finish(blobs, expected).await
}

/// Forgets bytes that will not be named after all.
pub async fn discard(blobs: &dyn Blobs, stored: &Stored) {
    if let Stored::Blob(id) = stored
        && let Err(error) = blobs.delete(id).await
    {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(%id, error, "a blob of a refused upload was not deleted");
    }
}

struct Intake {
    size: u64,
    digests: Digests,
    held: BytesMut,
    may_hold: usize,
    writer: Option<Box<dyn BlobWriter>>,
    sealer: Option<Sealer>,
}

impl Intake {
    fn new(expected: &Expected) -> Self {
        Self {
            size: 0,
            digests: Digests::new(expected.algorithm),
            held: BytesMut::new(),
            may_hold: if expected.may_inline { MAX_INLINE } else { 0 },
            writer: None,
            sealer: expected.keys.sealer(),
        }
    }

    async fn take(&mut self, blobs: &dyn Blobs, chunk: Bytes) -> Result<(), Error> {
        self.size += chunk.len() as u64;
        if self.size > MAX_UPLOAD {
            return Err(too_large(self.size));
        }
        self.digests.update(chunk.clone()).await?;
        if self.writer.is_none() {
            if self.held.len() + chunk.len() <= self.may_hold {
                self.held.extend_from_slice(&chunk);
                return Ok(());
            }
            self.writer = Some(blobs.create().await?);
            let held = std::mem::take(&mut self.held).freeze();
            self.append(held).await?;
        }
        self.append(chunk).await
    }

    async fn append(&mut self, chunk: Bytes) -> Result<(), Error> {
        let chunk = match &mut self.sealer {
            Some(sealer) => sealer.push(&chunk),
            None => chunk,
        };
        match &mut self.writer {
            Some(writer) if !chunk.is_empty() => Ok(writer.write(chunk).await?),
            _ => Ok(()),
        }
    }

    async fn finish(self, blobs: &dyn Blobs, expected: &Expected) -> Result<Written, Error> {
        let (md5, checksum) = self.digests.finish().await?;
        expected.check(self.size, md5, &checksum)?;
        let is_empty = self.size == 0;
        let sealer = self.sealer.filter(|_| !is_empty);
        let (stored, sealed) = match (self.writer, sealer) {
            (None, _) if is_empty && expected.may_inline => (Stored::Empty, None),
            (None, None) if expected.may_inline => (Stored::Inline(self.held.freeze()), None),
            (None, Some(mut sealer)) => {
                // Held bytes are of one segment, the last.
                sealer.push(&self.held.freeze());
                let (bytes, sealed) = sealer.finish();
                (Stored::Inline(bytes), Some(sealed))
            }
            (writer, sealer) => {
                let mut writer = match writer {
                    Some(writer) => writer,
                    None => blobs.create().await?,
                };
                let (last, sealed) = sealer.map(Sealer::finish).unzip();
                if let Some(last) = last {
                    writer.write(last).await?;
                }
                (Stored::Blob(writer.finish().await?), sealed)
            }
        };
        Ok(Written {
            stored,
            size: self.size,
            etag: hex::encode(md5),
            checksum,
            sealed,
        })
    }
}

fn too_large(size: u64) -> Error {
    let message = "Your proposed upload exceeds the maximum allowed size";
    Error::bad_request("EntityTooLarge", message)
        .with("ProposedSize", size.to_string())
        .with("MaxSizeAllowed", MAX_UPLOAD.to_string())
}
