//! Blobs that no record names: what a crash between a blob and its record left behind.

use std::sync::Arc;

use anyhow::Context;
use lambda::Lambda;
use s3::S3;
use store::Blobs;

/// Blobs looked at between two pauses, so that a large store does not slow the first requests.
const PAGE: usize = 256;

/// Removes the orphans of earlier runs. In the background: nobody can come to name them.
pub async fn orphans(blobs: Arc<dyn Blobs>, s3: Arc<S3>, lambda: Arc<Lambda>) {
    match sweep(&*blobs, &s3, &lambda).await {
        Ok(0) => {}
        Ok(removed) => tracing::info!(removed, "swept contents that an earlier crash left behind"),
        Err(error) => tracing::warn!("sweep the blobs, again at the next start: {error:#}"),
    }
}

async fn sweep(blobs: &dyn Blobs, s3: &S3, lambda: &Lambda) -> anyhow::Result<usize> {
    let (mut removed, mut last) = (0, None);
    loop {
        let ids = blobs
            .list_earlier(last.as_ref(), PAGE)
            .await
            .context("list blobs")?;
        for id in &ids {
            if !s3.names_blob(id).await? && !lambda.names_blob(id).await? {
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
