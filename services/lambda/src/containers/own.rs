//! This server's own registry as a source of images, without a detour through HTTP.

use std::sync::Arc;

use async_trait::async_trait;
use base::{AccountId, Region};
use bytes::Bytes;
use futures::stream;
use http_body_util::BodyExt as _;
use oci::{Content, Digest, Manifest, PullError, Source};
use service::ServiceError;
use service::ports::ImageRegistry;

pub struct OwnRegistry {
    pub registry: Arc<dyn ImageRegistry>,
    pub account: AccountId,
    pub region: Region,
    pub repository: String,
}

#[async_trait]
impl Source for OwnRegistry {
    async fn manifest(&self, reference: &str) -> Result<Manifest, PullError> {
        let found = self
            .registry
            .manifest(self.account, &self.region, &self.repository, reference)
            .await
            .map_err(|error| failed(&error))?;
        Ok(Manifest {
            media_type: Some(found.media_type),
            content: found.content,
        })
    }

    async fn blob(&self, digest: Digest) -> Result<Content, PullError> {
        let digest = digest.to_string();
        let body = self
            .registry
            .layer(self.account, &self.region, &self.repository, &digest)
            .await
            .map_err(|error| failed(&error))?;
        let chunks = stream::try_unfold(body, |mut body| async move {
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| PullError::Unavailable(error.to_string()))?;
                if let Ok(chunk) = frame.into_data() {
                    return Ok(Some((chunk, body)));
                }
            }
            Ok::<Option<(Bytes, service::Body)>, PullError>(None)
        });
        Ok(Box::pin(chunks))
    }
}

fn failed(error: &ServiceError) -> PullError {
    if error.is_server_fault() {
        PullError::Unavailable(error.message.clone())
    } else {
        PullError::NotFound
    }
}
