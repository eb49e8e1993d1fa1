//! A layer's bytes on their way into its archive's reader: hashed and decompressed on a thread of
//! their own, a few pieces ahead of whoever unpacks them.

use std::io::{self, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, ScopedJoinHandle};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use sha2::{Digest, Sha256};

use super::{Compression, ImageId};
use crate::error::ImageError;

/// Bytes of a piece, and how many pieces of a layer are in memory at once.
const PIECE: usize = 256 << 10;
const PIECES: usize = 4;

/// Has `read` read the archive, and makes sure that the whole content is what the digest says.
pub(super) fn unpacked<T>(
    content: impl Read + Send,
    compression: Compression,
    digest: ImageId,
    read: impl FnOnce(Archived) -> Result<T, ImageError>,
) -> Result<T, ImageError> {
    let (full, arriving) = sync_channel(PIECES);
    let (used, empty) = sync_channel(PIECES);
    let (unpacked, found) = thread::scope(|scope| {
        let hashing = thread::Builder::new()
            .name("image-layer".to_owned())
            .spawn_scoped(scope, move || {
                decompress(content, compression, &full, &empty)
            });
        let unpacked = read(Archived {
            arriving,
            used,
            piece: Piece::default(),
            at: 0,
        });
        let hashed = hashing.map(ScopedJoinHandle::join);
        let found = hashed.and_then(|joined| {
            joined.unwrap_or_else(|_| Err(io::Error::other("the decompression panicked")))
        });
        (unpacked, found)
    });
    // Bytes of another digest may well be no archive; then that they are others is what is wrong.
    let found = found.map_err(pulled)?;
    if found != digest {
        return Err(ImageError::Digest {
            expected: digest,
            found,
        });
    }
    unpacked
}

/// Sends pieces until the archive ends or nobody wants more of it; then reads to the content's end,
/// as what follows the archive is a part of what the digest is of.
fn decompress(
    content: impl Read,
    compression: Compression,
    full: &SyncSender<io::Result<Piece>>,
    empty: &Receiver<Piece>,
) -> io::Result<ImageId> {
    let mut hashed = Hashed {
        from: content,
        hash: Sha256::new(),
    };
    match compression {
        Compression::None => send(&mut hashed, full, empty),
        Compression::Gzip => {
            let buffered = BufReader::with_capacity(64 << 10, &mut hashed);
            send(&mut MultiGzDecoder::new(buffered), full, empty);
        }
        Compression::Zstd => {
            let buffered = BufReader::with_capacity(64 << 10, &mut hashed);
            match StreamingDecoder::new(buffered) {
                Ok(mut decoder) => send(&mut decoder, full, empty),
                Err(error) => {
                    // Nobody may be listening any more.
                    let _ = full.send(Err(io::Error::other(error.to_string())));
                }
            }
        }
    }
    io::copy(&mut hashed, &mut io::sink())?;
    Ok(ImageId(hashed.hash.finalize().into()))
}

fn send(from: &mut dyn Read, full: &SyncSender<io::Result<Piece>>, empty: &Receiver<Piece>) {
    loop {
        let mut piece = empty.try_recv().unwrap_or_else(|_| Piece {
            bytes: vec![0; PIECE],
            length: 0,
        });
        let filled = piece.fill(from);
        let is_last = filled.is_err() || piece.length == 0;
        let sent = match filled {
            Ok(()) if piece.length == 0 => Ok(()),
            Ok(()) => full.send(Ok(piece)),
            Err(error) => full.send(Err(error)),
        };
        if is_last || sent.is_err() {
            return;
        }
    }
}

#[derive(Default)]
struct Piece {
    bytes: Vec<u8>,
    length: usize,
}

impl Piece {
    /// As far as there is something.
    fn fill(&mut self, from: &mut dyn Read) -> io::Result<()> {
        self.length = 0;
        while self.length < self.bytes.len() {
            match from.read(&mut self.bytes[self.length..]) {
                Ok(0) => break,
                Ok(read) => self.length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

struct Hashed<R> {
    from: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}

/// The archive, as it arrives.
pub(super) struct Archived {
    arriving: Receiver<io::Result<Piece>>,
    /// Pieces that can be filled again.
    used: SyncSender<Piece>,
    piece: Piece,
    at: usize,
}

impl Read for Archived {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.piece.length {
            let Ok(next) = self.arriving.recv() else {
                return Ok(0);
            };
            let done = std::mem::replace(&mut self.piece, next?);
            self.at = 0;
            if !done.bytes.is_empty() {
                let _ = self.used.try_send(done);
            }
        }
        let left = &self.piece.bytes[self.at..self.piece.length];
        let length = buffer.len().min(left.len());
        buffer[..length].copy_from_slice(&left[..length]);
        self.at += length;
        Ok(length)
    }
}

fn pulled(error: io::Error) -> ImageError {
    ImageError::Io {
        action: "receive a layer",
        source: error,
    }
}
