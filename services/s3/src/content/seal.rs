//! Content encrypted at rest, in segments, so that it streams both ways and a range is read without
//! the rest.
//!
//! Each content has a key of its own, by which its segments are sealed with AES-256-GCM; the nonce
//! is the segment's number and whether it is the last, as in STREAM
//! (<https://eprint.iacr.org/2015/189>). The record has the content's key, sealed in turn by the
//! operator's key or by the client's own.

use std::ops::Range;
use std::sync::Arc;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use store::{BlobReader, StoreError};

use crate::domain::encryption::{CustomerKey, KEY};
use crate::error::Error;
use crate::records::{Keeper, Sealed};

/// Bytes of a segment, before it is sealed.
pub const SEGMENT: u64 = 64 * 1024;
/// What sealing adds to each.
const TAG: u64 = 16;
const NONCE: usize = 12;
/// What the key of a content is sealed for.
const KEY_CONTEXT: &[u8] = b"kagero s3 content key";

/// The keys by which a request's contents are sealed and opened.
#[derive(Clone, Default)]
pub struct Keys {
    pub operator: Option<[u8; KEY]>,
    pub customer: Option<CustomerKey>,
}

/// Not derived: a key must not reach a log.
impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    /// Seals a new content: by the client's key if it sends one, else by the operator's if there is
    /// one.
    pub fn sealer(&self) -> Option<Sealer> {
        let (by, key) = match (&self.customer, self.operator) {
            (Some(customer), _) => (Keeper::Customer, customer.key),
            (None, Some(operator)) => (Keeper::Operator, operator),
            (None, None) => return None,
        };
        let own: [u8; KEY] = rand::random();
        let nonce: [u8; NONCE] = rand::random();
        let payload = Payload {
            msg: &own,
            aad: KEY_CONTEXT,
        };
        let sealed_key = cipher(&key)
            .encrypt(&Nonce::from(nonce), payload)
            .expect("32 bytes are not too long for AES-GCM");
        let key = BASE64.encode([&nonce[..], &sealed_key].concat());
        Some(Sealer {
            cipher: cipher(&own),
            number: 0,
            waiting: BytesMut::new(),
            sealed: Sealed { by, key },
        })
    }

    /// Opens a content of so many bytes.
    ///
    /// # Errors
    /// `AccessDenied` when the client's key is another; the store is damaged, or the operator's key
    /// gone, otherwise.
    pub fn opener(&self, sealed: &Sealed, size: u64) -> Result<Opener, Error> {
        let key = match sealed.by {
            Keeper::Customer => self.customer.as_ref().map(|customer| customer.key),
            Keeper::Operator => self.operator,
        };
        let own = key.and_then(|key| unseal_key(&sealed.key, &key));
        let own = own.ok_or_else(|| match sealed.by {
            Keeper::Customer => Error::access_denied(),
            Keeper::Operator => StoreError::corrupt(
                "a content is encrypted with a key that this server does not have",
            )
            .into(),
        })?;
        Ok(Opener {
            cipher: Arc::new(cipher(&own)),
            size,
        })
    }
}

fn cipher(key: &[u8; KEY]) -> Aes256Gcm {
    Aes256Gcm::new(&(*key).into())
}

fn unseal_key(text: &str, key: &[u8; KEY]) -> Option<[u8; KEY]> {
    let bytes = BASE64.decode(text).ok()?;
    let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
    let payload = Payload {
        msg: sealed,
        aad: KEY_CONTEXT,
    };
    let own = cipher(key).decrypt(&Nonce::from(*nonce), payload).ok()?;
    own.try_into().ok()
}

fn nonce(number: u64, is_last: bool) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    nonce[0] = u8::from(is_last);
    nonce[NONCE - 8..].copy_from_slice(&number.to_be_bytes());
    nonce
}

/// Seals bytes as they pass.
pub struct Sealer {
    cipher: Aes256Gcm,
    number: u64,
    /// The last segment is sealed differently, so one waits until more comes.
    waiting: BytesMut,
    sealed: Sealed,
}

impl Sealer {
    /// The segments that are full, sealed.
    pub fn push(&mut self, chunk: &Bytes) -> Bytes {
        self.waiting.extend_from_slice(chunk);
        let mut out = BytesMut::new();
        while self.waiting.len() as u64 > SEGMENT {
            let segment = self.waiting.split_to(SEGMENT as usize);
            out.extend_from_slice(&self.seal(&segment, false));
        }
        out.freeze()
    }

    /// The last segment, and what the record has to say.
    pub fn finish(mut self) -> (Bytes, Sealed) {
        let last = std::mem::take(&mut self.waiting);
        (self.seal(&last, true).into(), self.sealed)
    }

    fn seal(&mut self, segment: &[u8], is_last: bool) -> Vec<u8> {
        let sealed = self
            .cipher
            .encrypt(&Nonce::from(nonce(self.number, is_last)), segment)
            .expect("a segment is not too long for AES-GCM");
        self.number += 1;
        sealed
    }
}

/// Opens the segments of one content.
#[derive(Clone)]
pub struct Opener {
    cipher: Arc<Aes256Gcm>,
    /// Bytes of the content, opened.
    size: u64,
}

impl Opener {
    /// Of bytes that are all of it.
    pub fn whole(&self, sealed: &[u8]) -> Result<Bytes, Error> {
        self.open(0, sealed)
    }

    /// The bytes from where a range starts to the end of the segment that this is in, or of the
    /// range.
    pub async fn read(&self, reader: &dyn BlobReader, range: Range<u64>) -> Result<Bytes, Error> {
        let number = range.start / SEGMENT;
        let start = number * SEGMENT;
        let end = self.size.min(start + SEGMENT);
        let place = number * (SEGMENT + TAG);
        let sealed = read_all(reader, place..place + (end - start) + TAG).await?;
        let segment = self.open(number, &sealed)?;
        let to = range.end.min(end) - start;
        Ok(segment.slice((range.start - start) as usize..to as usize))
    }

    fn open(&self, number: u64, sealed: &[u8]) -> Result<Bytes, Error> {
        let is_last = (number + 1) * SEGMENT >= self.size;
        let opened = self
            .cipher
            .decrypt(&Nonce::from(nonce(number, is_last)), sealed)
            .map_err(|_| StoreError::corrupt("an encrypted content was changed on the disk"))?;
        Ok(opened.into())
    }
}

async fn read_all(reader: &dyn BlobReader, range: Range<u64>) -> Result<Bytes, StoreError> {
    let first = reader.read(range.clone()).await?;
    let wanted = (range.end - range.start) as usize;
    if first.len() == wanted {
        return Ok(first);
    }
    let mut all = BytesMut::from(first);
    while all.len() < wanted {
        let more = reader
            .read(range.start + all.len() as u64..range.end)
            .await?;
        if more.is_empty() {
            return Err(StoreError::corrupt("a blob is shorter than its object"));
        }
        all.extend_from_slice(&more);
    }
    Ok(all.freeze())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use store::{Blobs as _, FileBlobs};

    use super::*;

    fn keys(byte: u8) -> Keys {
        Keys {
            operator: Some([byte; KEY]),
            customer: None,
        }
    }

    async fn round_trip(content: &[u8], chunk: usize, range: Range<u64>) -> Vec<u8> {
        let blobs = FileBlobs::temporary().unwrap();
        let mut sealer = keys(1).sealer().unwrap();
        let mut writer = blobs.create().await.unwrap();
        for chunk in content.chunks(chunk) {
            let sealed = sealer.push(&Bytes::copy_from_slice(chunk));
            writer.write(sealed).await.unwrap();
        }
        let (last, sealed) = sealer.finish();
        writer.write(last).await.unwrap();
        let blob = blobs.open(&writer.finish().await.unwrap()).await.unwrap();
        let opener = keys(1).opener(&sealed, content.len() as u64).unwrap();
        let (mut read, mut at) = (Vec::new(), range.start);
        while at < range.end {
            let bytes = opener.read(&*blob, at..range.end).await.unwrap();
            at += bytes.len() as u64;
            read.extend(bytes);
        }
        assert!(keys(2).opener(&sealed, 1).is_err());
        read
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]
        #[test]
        fn any_range_is_read_as_it_was_written(
            size in prop::sample::select(vec![1, 65_535, 65_536, 65_537, 131_072, 300_001_usize]),
            chunk in prop::sample::select(vec![1_000, 65_536, 100_000_usize]),
            from in 0.0..1.0_f64,
            to in 0.0..=1.0_f64,
        ) {
            let content: Vec<u8> = (0..size).map(|at| (at * 7 % 251) as u8).collect();
            let start = (from * size as f64) as usize;
            let end = start + ((size - start) as f64 * to) as usize;
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let read = runtime.block_on(round_trip(&content, chunk, start as u64..end as u64));
            prop_assert!(read == content[start..end]);
        }
    }

    #[test]
    fn what_was_changed_or_cut_is_not_opened() {
        let mut sealer = keys(1).sealer().unwrap();
        assert!(sealer.push(&Bytes::from_static(b"secret")).is_empty());
        let (bytes, sealed) = sealer.finish();
        assert!(!bytes.windows(6).any(|window| window == b"secret"));
        let opener = keys(1).opener(&sealed, 6).unwrap();
        assert_eq!(opener.whole(&bytes).unwrap(), "secret");
        let mut changed = bytes.to_vec();
        changed[0] ^= 1;
        assert!(opener.whole(&changed).is_err());
        // The same bytes are not the first segment of something longer.
        let longer = keys(1).opener(&sealed, SEGMENT + 6).unwrap();
        assert!(longer.whole(&bytes).is_err());
    }
}
