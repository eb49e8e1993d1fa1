//! Blobs that no record names: what a crash between a blob and its record left behind.

use std::sync::Arc;

use anyhow::Context;
use ecr::Ecr;
use lambda::Lambda;
use s3::S3;
use store::{BlobId, Blobs, StoreError};

/// Blobs looked at between two pauses, so that a large store does not slow the first requests.
const PAGE: usize = 256;

/// The services whose records name blobs.
pub struct Namers {
    pub s3: Arc<S3>,
    pub lambda: Arc<Lambda>,
    pub ecr: Arc<Ecr>,
}

impl Namers {
    async fn name(&self, id: &BlobId) -> Result<bool, StoreError> {
        Ok(self.s3.names_blob(id).await?
            || self.lambda.names_blob(id).await?
            || self.ecr.names_blob(id).await?)
    }
}

/// Removes the orphans of earlier runs. In the background: nobody can come to name them.
pub async fn orphans(blobs: Arc<dyn Blobs>, namers: Namers) {
    match sweep(&*blobs, &namers).await {
        Ok(0) => {}
        Ok(removed) => tracing::info!(removed, "swept contents that an earlier crash left behind"),
        Err(error) => tracing::warn!("sweep the blobs, again at the next start: {error:#}"),
    }
}

async fn sweep(blobs: &dyn Blobs, namers: &Namers) -> anyhow::Result<usize> {
    let (mut removed, mut last) = (0, None);
    loop {
        let ids = blobs
            .list_earlier(last.as_ref(), PAGE)
            .await
            .context("list blobs")?;
        for id in &ids {
            if !namers.name(id).await? {
                blobs.delete(id).await.context("remove an orphan")?;
                removed += 1;
            }
        }
        match ids.last() {
            Some(id) => last = Some(*id),
            None => return Ok(removed),
        }
        tokio::task::yield_now().await;
    }
}
