//! How other services read images: Lambda, whose functions are made of them.

use async_trait::async_trait;
use base::{AccountId, Region};
use service::ports::{ImageRegistry, PulledManifest};
use service::{Body, ServiceError};

use crate::Ecr;
use crate::distribution::content;
use crate::domain::authority;
use crate::error;
use crate::images::{self, Reference};
use crate::layers;
use crate::records::RepositoryId;
use oci::Digest;

fn repository(account: AccountId, region: &Region, name: &str) -> RepositoryId {
    RepositoryId {
        account,
        region: region.clone(),
        name: name.to_owned(),
    }
}

#[async_trait]
impl ImageRegistry for Ecr {
    fn registry_at(&self, authority: &str) -> Option<(AccountId, Region)> {
        authority::registry(authority)
    }

    async fn manifest(
        &self,
        account: AccountId,
        region: &Region,
        name: &str,
        reference: &str,
    ) -> Result<PulledManifest, ServiceError> {
        let id = repository(account, region, name);
        let asked = Digest::parse(reference)
            .map_or_else(|| Reference::Tag(reference.to_owned()), Reference::Digest);
        let found = self.repositories.with(&id, |it| images::find(it, &asked));
        let found = found.ok_or_else(|| error::repository_not_found(&id))?;
        let (digest, image) = found.ok_or_else(|| match &asked {
            Reference::Digest(_) => error::image_not_found(&id, Some(reference), None),
            Reference::Tag(_) => error::image_not_found(&id, None, Some(reference)),
        })?;
        Ok(PulledManifest {
            digest: digest.to_string(),
            media_type: image.media_type.clone(),
            content: image.manifest.clone().into(),
        })
    }

    async fn layer(
        &self,
        account: AccountId,
        region: &Region,
        name: &str,
        digest: &str,
    ) -> Result<Body, ServiceError> {
        let id = repository(account, region, name);
        let layer = Digest::parse(digest).and_then(|digest| layers::find(self, &id, &digest));
        let layer = layer.ok_or_else(|| error::layer_missing(&id, digest))?;
        let reader = self.blobs.open(&layer.blob).await;
        let reader = reader.map_err(|error| error::unavailable(&error))?;
        Ok(content::body(reader.into(), 0..layer.size))
    }
}
