//! The chain of chunk signatures, each over the one before.

use crate::sigv4::key::{empty_sha256, sha256};
use crate::sigv4::{ChunkChain, VerifiedSeed};

/// Computes what each chunk's signature must be, in order, from a request's verified seed. The
/// decoder checks with it; clients sign with it.
#[derive(Clone, Debug)]
pub struct ChunkSigner {
    chain: ChunkChain,
}

impl ChunkSigner {
    /// `None` for seeds no chunk can be signed from (Signature Version 2).
    pub fn new(seed: VerifiedSeed) -> Option<Self> {
        seed.chain.map(|chain| Self { chain })
    }

    /// The signature, in hexadecimal, of the next chunk: the last one is empty.
    pub fn chunk(&mut self, data: &[u8]) -> String {
        self.chunk_of_hash(sha256(data))
    }

    pub(super) fn chunk_of_hash(&mut self, hash: [u8; 32]) -> String {
        let lines = format!("{}\n{}", hex::encode(empty_sha256()), hex::encode(hash));
        self.next("AWS4-HMAC-SHA256-PAYLOAD", &lines)
    }

    /// The signature of the trailers, written `name:value` in lowercase and ended by newlines.
    pub fn trailers(&mut self, canonical: &str) -> String {
        let hash = hex::encode(sha256(canonical.as_bytes()));
        self.next("AWS4-HMAC-SHA256-TRAILER", &hash)
    }

    fn next(&mut self, kind: &str, lines: &str) -> String {
        let chain = &mut self.chain;
        let text = format!(
            "{kind}\n{}\n{}\n{}\n{lines}",
            chain.date, chain.scope, chain.seed
        );
        chain.seed = hex::encode(chain.key.sign(&text));
        chain.seed.clone()
    }
}
