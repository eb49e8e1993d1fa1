//! Where images come from, and what can go wrong there.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;

use crate::Digest;

/// The bytes of a blob, as they arrive.
pub type Content = Pin<Box<dyn Stream<Item = Result<Bytes, PullError>> + Send>>;

/// A repository of a registry, or a layout.
#[async_trait]
pub trait Source: Send + Sync {
    /// What a tag or a digest leads to.
    async fn manifest(&self, reference: &str) -> Result<Manifest, PullError>;

    /// A blob. Whoever reads it checks that its bytes are those of the digest.
    async fn blob(&self, digest: Digest) -> Result<Content, PullError>;
}

/// A manifest, as the source gives it.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub media_type: Option<String>,
    pub content: Bytes,
}

/// Why an image cannot be had, or cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PullError {
    #[error("there is no such image")]
    NotFound,
    #[error("access is denied")]
    Denied,
    /// A manifest, configuration or layer of a kind that cannot be run.
    #[error("{0} is not supported")]
    Unsupported(String),
    #[error("the image is for {found}, not for {wanted}")]
    Architecture { found: String, wanted: &'static str },
    #[error("the image has more than {limit} bytes")]
    TooLarge { limit: u64 },
    /// What the source gives is not what it says it is.
    #[error("{0}")]
    Invalid(String),
    /// The source does not answer, or answers that it cannot now.
    #[error("{0}")]
    Unavailable(String),
}
