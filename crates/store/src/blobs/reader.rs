//! Reading a blob's file.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};

use super::file::{Shelf, blocking};
use super::{BlobId, BlobReader};
use crate::StoreError;

/// Read along with opening, so that a small blob needs one hop to a blocking thread.
const HEAD_BYTES: u64 = 64 << 10;
/// The longest chunk of one read.
const CHUNK_BYTES: u64 = 256 << 10;

pub(super) struct FileReader {
    file: Arc<File>,
    length: u64,
    head: Bytes,
    /// Ephemeral files stay until their last reader is gone.
    _shelf: Arc<Shelf>,
}

impl FileReader {
    pub(super) fn open(shelf: &Arc<Shelf>, id: BlobId) -> Result<Self, StoreError> {
        let file = File::open(shelf.finished(&id)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StoreError::BlobMissing { id },
            _ => StoreError::io("open a blob", error),
        })?;
        let length = file
            .metadata()
            .map_err(|error| StoreError::io("open a blob", error))?
            .len();
        let head = read_at(&file, 0..length.min(HEAD_BYTES))?;
        Ok(Self {
            file: Arc::new(file),
            length,
            head,
            _shelf: Arc::clone(shelf),
        })
    }
}

#[async_trait]
impl BlobReader for FileReader {
    fn len(&self) -> u64 {
        self.length
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes, StoreError> {
        let end = range.end.min(self.length);
        if range.start >= end {
            return Ok(Bytes::new());
        }
        let head_end = end.min(self.head.len() as u64);
        if range.start < head_end {
            return Ok(self.head.slice(range.start as usize..head_end as usize));
        }
        let file = Arc::clone(&self.file);
        let end = end.min(range.start.saturating_add(CHUNK_BYTES));
        blocking(move || read_at(&file, range.start..end)).await
    }
}

/// The bytes of a range within the file.
fn read_at(file: &File, range: Range<u64>) -> Result<Bytes, StoreError> {
    let failed = |error: io::Error| StoreError::io("read a blob", error);
    let length = (range.end - range.start) as usize;
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let at = range.start + bytes.len() as u64;
        // Into memory that was not cleared first, which costs as much as the copy.
        match pread(file, spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error.into())),
        }
    }
    bytes.truncate(length);
    Ok(bytes.into())
}
