//! `aws-chunked` bodies: chunks with or without signatures, then trailers.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html> and
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html>

mod decoder;
mod signer;

pub use decoder::{Decoder, Event, Format, MAX_CHUNK, MAX_LINE, MAX_TRAILERS};
pub use signer::ChunkSigner;
