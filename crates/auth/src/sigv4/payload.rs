//! `x-amz-content-sha256`: what a signature says of the body.

use crate::AuthError;

/// What the signature covers of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayloadHash {
    /// The body must have this SHA-256.
    Sha256([u8; 32]),
    /// No header said; the signature covers the SHA-256 of the body as it is. Not for S3.
    OfBody,
    /// `UNSIGNED-PAYLOAD`.
    Unsigned,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`, with or without `-TRAILER`.
    SignedChunks { trailer: bool },
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`.
    UnsignedChunks,
}

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
const SIGNED_CHUNKS: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const SIGNED_CHUNKS_TRAILER: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const UNSIGNED_CHUNKS: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

impl PayloadHash {
    /// Reads the header's value.
    ///
    /// # Errors
    /// [`AuthError::UnsupportedAlgorithm`] for SigV4A's constants, [`AuthError::InvalidPayloadHash`]
    /// for anything else unknown.
    pub fn parse(value: &str) -> Result<Self, AuthError> {
        match value {
            UNSIGNED => Ok(Self::Unsigned),
            SIGNED_CHUNKS => Ok(Self::SignedChunks { trailer: false }),
            SIGNED_CHUNKS_TRAILER => Ok(Self::SignedChunks { trailer: true }),
            UNSIGNED_CHUNKS => Ok(Self::UnsignedChunks),
            _ if value.starts_with("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD") => Err(
                AuthError::UnsupportedAlgorithm("AWS4-ECDSA-P256-SHA256".to_owned()),
            ),
            _ => {
                let mut hash = [0; 32];
                hex::decode_to_slice(value, &mut hash)
                    .map_err(|_| AuthError::InvalidPayloadHash)?;
                Ok(Self::Sha256(hash))
            }
        }
    }

    /// Whether the body is `aws-chunked` and goes through [`crate::chunked::Decoder`].
    pub fn is_chunked(self) -> bool {
        matches!(self, Self::SignedChunks { .. } | Self::UnsignedChunks)
    }

    /// The last line of the canonical request; `body` is the hash for [`PayloadHash::OfBody`].
    pub(super) fn canonical(self, body: [u8; 32]) -> String {
        match self {
            Self::Sha256(hash) => hex::encode(hash),
            Self::OfBody => hex::encode(body),
            Self::Unsigned => UNSIGNED.to_owned(),
            Self::SignedChunks { trailer: false } => SIGNED_CHUNKS.to_owned(),
            Self::SignedChunks { trailer: true } => SIGNED_CHUNKS_TRAILER.to_owned(),
            Self::UnsignedChunks => UNSIGNED_CHUNKS.to_owned(),
        }
    }
}
