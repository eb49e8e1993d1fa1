//! A layer's bytes on their way into its archive's reader: hashed and decompressed on a thread of
//! their own, a few pieces ahead of whoever unpacks them. What need not be decompressed is not
//! copied either.

use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, ScopedJoinHandle};

use bytes::{Buf as _, Bytes};
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use sha2::{Digest, Sha256};

use super::{Compression, ImageId};
use crate::error::ImageError;

/// Bytes of a piece that is decompressed, and how many pieces of a layer are in memory at once.
const PIECE: usize = 256 << 10;
const PIECES: usize = 4;

/// Most bytes after an archive's end: a bound of ours against what unpacks to zeros without end.
const MAX_TRAILER: u64 = 64 << 20;

/// Has `read` read the archive, and makes sure that the whole content is what the digest says.
/// Gives the digest of the archive, uncompressed, too.
pub(super) fn unpacked<T>(
    pieces: impl Iterator<Item = io::Result<Bytes>> + Send,
    compression: Compression,
    digest: ImageId,
    read: impl FnOnce(Archived) -> Result<T, ImageError>,
) -> Result<(T, ImageId), ImageError> {
    let (full, arriving) = sync_channel(PIECES);
    let (unpacked, hashed) = thread::scope(|scope| {
        let hashing = thread::Builder::new()
            .name("image-layer".to_owned())
            .spawn_scoped(scope, move || decompress(pieces, compression, &full));
        let unpacked = read(Archived {
            arriving,
            piece: Bytes::new(),
        });
        let hashed = hashing.map(ScopedJoinHandle::join);
        let hashed = hashed.and_then(|joined| {
            joined.unwrap_or_else(|_| Err(io::Error::other("the decompression panicked")))
        });
        (unpacked, hashed)
    });
    // Bytes of another digest may well be no archive; then that they are others is what is wrong.
    let hashed = hashed.map_err(ImageError::io("receive a layer"))?;
    if hashed.content != digest {
        return Err(ImageError::Digest {
            expected: digest,
            found: hashed.content,
        });
    }
    let unpacked = unpacked?;
    let archive = hashed
        .archive
        .map_err(|error| ImageError::Corrupt(error.to_string()))?;
    Ok((unpacked, archive))
}

/// What has gone by.
struct Hashes {
    content: ImageId,
    /// Uncompressed; or why it could not be.
    archive: io::Result<ImageId>,
}

/// Sends the archive until it ends or nobody wants more of it; then reads to the content's end, as
/// what follows the archive is a part of what the digests are of.
fn decompress(
    pieces: impl Iterator<Item = io::Result<Bytes>>,
    compression: Compression,
    full: &SyncSender<io::Result<Bytes>>,
) -> io::Result<Hashes> {
    let mut from = Hashed {
        pieces,
        piece: Bytes::new(),
        hash: Sha256::new(),
        failed: None,
    };
    let archive = if compression == Compression::None {
        let mut is_wanted = true;
        while from.more() {
            let piece = std::mem::take(&mut from.piece);
            is_wanted = is_wanted && full.send(Ok(piece)).is_ok();
        }
        None
    } else {
        let mut sending = Sending {
            full,
            hash: Sha256::new(),
            unwanted: 0,
        };
        let sent = if compression == Compression::Gzip {
            sending.all(&mut MultiGzDecoder::new(&mut from))
        } else {
            sending.frames(&mut from)
        };
        if let Err(error) = &sent {
            // Nobody may be listening any more.
            let _ = full.send(Err(io::Error::other(error.to_string())));
        }
        Some(sent.map(|()| ImageId(sending.hash.finalize().into())))
    };
    while from.more() {}
    if let Some(error) = from.failed {
        return Err(error);
    }
    let content = ImageId(from.hash.finalize().into());
    // Whoever reads the archive has an error of its own, as it ended too early.
    let archive = archive.unwrap_or(Ok(content));
    Ok(Hashes { content, archive })
}

/// An archive on its way, uncompressed.
struct Sending<'a> {
    full: &'a SyncSender<io::Result<Bytes>>,
    hash: Sha256,
    /// Bytes that nobody wanted any more.
    unwanted: u64,
}

impl Sending<'_> {
    fn all(&mut self, from: &mut dyn Read) -> io::Result<()> {
        loop {
            let mut piece = Vec::with_capacity(PIECE);
            from.take(PIECE as u64).read_to_end(&mut piece)?;
            if piece.is_empty() {
                return Ok(());
            }
            self.hash.update(&piece);
            let length = piece.len() as u64;
            if self.unwanted > 0 || self.full.send(Ok(piece.into())).is_err() {
                self.unwanted += length;
            }
            if self.unwanted > MAX_TRAILER {
                return Err(io::Error::other("too much follows the archive's end"));
            }
        }
    }

    /// Zstandard has frames, of which some are to be skipped.
    /// <https://www.rfc-editor.org/rfc/rfc8878.html#name-frames>
    fn frames(&mut self, from: &mut dyn BufRead) -> io::Result<()> {
        loop {
            match StreamingDecoder::new(&mut *from) {
                Ok(mut frame) => self.all(&mut frame)?,
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    if io::copy(&mut from.take(length), &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(io::Error::other(error.to_string())),
            }
            if from.fill_buf()?.is_empty() {
                return Ok(());
            }
        }
    }
}

/// The content, hashed as it is read.
struct Hashed<P> {
    pieces: P,
    piece: Bytes,
    hash: Sha256,
    failed: Option<io::Error>,
}

impl<P: Iterator<Item = io::Result<Bytes>>> Hashed<P> {
    /// Gets the next piece; false at the end, and after an error.
    fn more(&mut self) -> bool {
        self.piece = match self.pieces.next() {
            Some(Ok(piece)) if self.failed.is_none() => piece,
            Some(Err(error)) => {
                self.failed = Some(error);
                return false;
            }
            _ => return false,
        };
        self.hash.update(&self.piece);
        true
    }
}

impl<P: Iterator<Item = io::Result<Bytes>>> BufRead for Hashed<P> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.piece.is_empty() && self.more() {}
        if self.piece.is_empty() && self.failed.is_some() {
            return Err(io::Error::other("the layer breaks off"));
        }
        Ok(&self.piece)
    }

    fn consume(&mut self, amount: usize) {
        self.piece.advance(amount);
    }
}

impl<P: Iterator<Item = io::Result<Bytes>>> Read for Hashed<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

/// The archive, as it arrives.
pub(super) struct Archived {
    arriving: Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl BufRead for Archived {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.piece.is_empty() {
            let Ok(next) = self.arriving.recv() else {
                break;
            };
            self.piece = next?;
        }
        Ok(&self.piece)
    }

    fn consume(&mut self, amount: usize) {
        self.piece.advance(amount);
    }
}

impl Read for Archived {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}
