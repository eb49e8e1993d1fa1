//! The entries of a layer's archive, one after the other, each with what records before it say of it.

use std::io::BufRead;

use tar::{EntryType, Header};

use super::MAX_LAYER_ENTRIES;
use crate::error::ImageError;

const BLOCK: u64 = 512;
/// Most bytes of a record that names the entry after it.
const MAX_EXTENSION: u64 = 1 << 20;

pub(super) struct Entries<R> {
    from: R,
    seen: usize,
    /// Of the content of the entry that was given last, and of what fills its last block.
    left: u64,
    padding: u64,
}

pub(super) struct Entry {
    pub(super) header: Header,
    pub(super) named: Named,
}

/// What records before an entry say of it.
#[derive(Default)]
pub(super) struct Named {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link: Option<Vec<u8>>,
    pub(super) modified: Option<u64>,
}

impl<R: BufRead> Entries<R> {
    pub(super) const fn new(from: R) -> Self {
        Self {
            from,
            seen: 0,
            left: 0,
            padding: 0,
        }
    }

    /// The next entry; what is left of the content of the one before is passed over.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, ImageError> {
        let mut named = Named::default();
        while let Some(header) = self.header()? {
            self.seen += 1;
            if self.seen > MAX_LAYER_ENTRIES {
                let limit = MAX_LAYER_ENTRIES;
                return Err(ImageError::TooManyEntries { limit });
            }
            match header.entry_type() {
                EntryType::GNULongName => named.path = Some(until_nul(self.record()?)),
                EntryType::GNULongLink => named.link = Some(until_nul(self.record()?)),
                EntryType::XHeader => named.take(&self.record()?)?,
                EntryType::XGlobalHeader => {
                    self.record()?;
                }
                _ => return Ok(Some(Entry { header, named })),
            }
        }
        Ok(None)
    }

    /// What has arrived of the rest of the entry's content; nothing at its end.
    pub(super) fn content(&mut self) -> Result<&[u8], ImageError> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let arrived = self.from.fill_buf().map_err(corrupt)?;
        if arrived.is_empty() {
            return Err(ImageError::Corrupt("an entry breaks off".to_owned()));
        }
        let length = arrived
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        Ok(&arrived[..length])
    }

    /// Says that so much of it has been used.
    pub(super) fn consume(&mut self, amount: usize) {
        self.from.consume(amount);
        self.left -= amount as u64;
    }

    fn header(&mut self) -> Result<Option<Header>, ImageError> {
        loop {
            let length = self.content()?.len();
            if length == 0 {
                break;
            }
            self.consume(length);
        }
        let mut header = Header::new_old();
        let padding = std::mem::take(&mut self.padding) as usize;
        let block = header.as_mut_bytes();
        // Some makers of images leave out how an archive ends, and others have always taken its
        // content's end for that.
        if self.fill(&mut block[..padding])? < padding || self.fill(block)? == 0 {
            return Ok(None);
        }
        if header.as_bytes().iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let bytes = header.as_bytes();
        let sum = bytes[..148].iter().chain(&bytes[156..]);
        let sum = sum.fold(8 * u32::from(b' '), |sum, byte| sum + u32::from(*byte));
        if sum != header.cksum().map_err(corrupt)? {
            let why = "an entry's head is not what its sum says";
            return Err(ImageError::Corrupt(why.to_owned()));
        }
        self.left = header.entry_size().map_err(corrupt)?;
        self.padding = self.left.wrapping_neg() % BLOCK;
        Ok(Some(header))
    }

    /// Reads as far as there is something; what is missing of a block is zeros.
    fn fill(&mut self, block: &mut [u8]) -> Result<usize, ImageError> {
        block.fill(0);
        let mut filled = 0;
        while filled < block.len() {
            let arrived = self.from.fill_buf().map_err(corrupt)?;
            let length = arrived.len().min(block.len() - filled);
            if length == 0 {
                break;
            }
            block[filled..filled + length].copy_from_slice(&arrived[..length]);
            self.from.consume(length);
            filled += length;
        }
        Ok(filled)
    }

    /// A record's content, within a bound.
    fn record(&mut self) -> Result<Vec<u8>, ImageError> {
        if self.left > MAX_EXTENSION {
            return Err(ImageError::Corrupt("a name without an end".to_owned()));
        }
        let mut record = Vec::new();
        loop {
            let arrived = self.content()?;
            if arrived.is_empty() {
                return Ok(record);
            }
            record.extend_from_slice(arrived);
            let length = arrived.len();
            self.consume(length);
        }
    }
}

impl Named {
    fn take(&mut self, records: &[u8]) -> Result<(), ImageError> {
        for record in tar::PaxExtensions::new(records) {
            let record = record.map_err(corrupt)?;
            let value = record.value_bytes();
            match record.key_bytes() {
                b"path" => self.path = Some(value.to_vec()),
                b"linkpath" => self.link = Some(value.to_vec()),
                b"mtime" => {
                    let text = String::from_utf8_lossy(value);
                    let seconds = text.split('.').next().and_then(|text| text.parse().ok());
                    self.modified = seconds;
                }
                // Only of what is larger than an image may be.
                b"size" => {
                    let why = "an entry of more than 8 GiB";
                    return Err(ImageError::Corrupt(why.to_owned()));
                }
                key if key.starts_with(b"GNU.sparse.") => {
                    return Err(ImageError::Corrupt("a sparse file".to_owned()));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn until_nul(mut name: Vec<u8>) -> Vec<u8> {
    if let Some(end) = name.iter().position(|byte| *byte == 0) {
        name.truncate(end);
    }
    name
}

#[expect(clippy::needless_pass_by_value, reason = "the form `map_err` takes")]
pub(super) fn corrupt(error: std::io::Error) -> ImageError {
    ImageError::Corrupt(error.to_string())
}
