//! What a stream is to its mappings.

use async_trait::async_trait;
use service::{BoxFuture, ServiceError};

use super::record::Record;

#[async_trait]
pub trait StreamSource: Send + Sync {
    /// All shards that can be read, parents before their children.
    async fn shards(&self) -> Result<Vec<Shard>, ServiceError>;

    /// An iterator, which is good for some minutes.
    async fn iterator(&self, shard: &str, position: &Position) -> Result<String, ServiceError>;

    async fn read(&self, iterator: &str) -> Result<Page, ServiceError>;

    /// Resolves once there are records that were not there at the call.
    fn changed(&self) -> BoxFuture<'static, ()>;

    /// The member of an on-failure record that tells of a batch.
    fn batch_info(&self) -> &'static str;
}

#[derive(Clone, Debug)]
pub struct Shard {
    pub id: String,
    pub parent: Option<String>,
}

/// Where to read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Position {
    TrimHorizon,
    At(base::Timestamp),
    /// After the record with that sequence number.
    After(String),
}

#[derive(Debug)]
pub struct Page {
    pub records: Vec<Record>,
    /// `None` at the end of a shard that has ended.
    pub next: Option<String>,
}
