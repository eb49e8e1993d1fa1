//! MD5 and the asked checksum of a body, computed on another thread than receives it.

use std::mem;

use bytes::Bytes;
use store::StoreError;
use tokio::task::JoinHandle;

use crate::domain::checksum::{Algorithm, Checksum, Hasher};
use crate::domain::md5::Md5;
use crate::error::Error;

/// Chunks gather up to this many bytes before another thread takes them. A shorter body is not
/// worth the hop.
const GATHER_BYTES: usize = 512 << 10;

/// While one stretch is computed, the next one gathers. That is all it holds.
pub struct Digests {
    sums: Sums,
    gathered: Vec<Bytes>,
    gathered_bytes: usize,
}

enum Sums {
    Here(Box<Pair>),
    Away(JoinHandle<Box<Pair>>),
    Lost,
}

struct Pair {
    md5: Md5,
    hasher: Hasher,
}

impl Pair {
    fn update(&mut self, chunks: &[Bytes]) {
        for chunk in chunks {
            self.md5.update(chunk);
            self.hasher.update(chunk);
        }
    }
}

impl Digests {
    pub fn new(algorithm: Algorithm) -> Self {
        let pair = Pair {
            md5: Md5::new(),
            hasher: Hasher::new(algorithm),
        };
        Self {
            sums: Sums::Here(Box::new(pair)),
            gathered: Vec::new(),
            gathered_bytes: 0,
        }
    }

    /// Takes a chunk. Waits only for a computation that is slower than the body comes.
    ///
    /// # Errors
    /// When the server is ending.
    pub async fn update(&mut self, chunk: Bytes) -> Result<(), Error> {
        self.gathered_bytes += chunk.len();
        self.gathered.push(chunk);
        if self.gathered_bytes < GATHER_BYTES {
            return Ok(());
        }
        let mut pair = self.settle().await?;
        let chunks = mem::take(&mut self.gathered);
        self.gathered_bytes = 0;
        self.sums = Sums::Away(tokio::task::spawn_blocking(move || {
            pair.update(&chunks);
            pair
        }));
        Ok(())
    }

    /// The MD5 and the checksum of all that was taken.
    ///
    /// # Errors
    /// When the server is ending.
    pub async fn finish(mut self) -> Result<([u8; 16], Checksum), Error> {
        let mut pair = self.settle().await?;
        pair.update(&self.gathered);
        Ok((pair.md5.finish(), pair.hasher.finish()))
    }

    async fn settle(&mut self) -> Result<Box<Pair>, Error> {
        match mem::replace(&mut self.sums, Sums::Lost) {
            Sums::Here(pair) => Ok(pair),
            Sums::Away(pair) => Ok(pair.await.map_err(|_| StoreError::Closed)?),
            Sums::Lost => Err(StoreError::Closed.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use md5::Digest as _;

    use super::*;

    #[tokio::test]
    async fn chunks_of_any_size_count_in_order() {
        let body: Vec<u8> = (0..5_000_000_u32)
            .map(|at| (at.wrapping_mul(at) >> 7) as u8)
            .collect();
        let mut digests = Digests::new(Algorithm::Sha256);
        let mut rest = Bytes::from(body.clone());
        for size in [1, 700_000, 64, 0, 3_000_000, GATHER_BYTES, 5] {
            digests.update(rest.split_to(size)).await.unwrap();
        }
        digests.update(rest).await.unwrap();
        let (md5, checksum) = digests.finish().await.unwrap();
        assert_eq!(md5, <[u8; 16]>::from(md5::Md5::digest(&body)));
        let mut whole = Hasher::new(Algorithm::Sha256);
        whole.update(&body);
        assert_eq!(checksum, whole.finish());
    }
}
