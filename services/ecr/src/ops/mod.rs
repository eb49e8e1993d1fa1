//! One file an operation, or a resource where operations are trivial.

pub mod authorization;
pub mod batch_delete_image;
pub mod batch_get_image;
pub mod describe_images;
pub mod layer_upload;
pub mod layers;
pub mod list_images;
pub mod policy;
pub mod put_image;
pub mod repositories;
pub mod tags;

use std::sync::Arc;

use service::page::{self, Page};
use service::{Origin, RequestContext, ServiceError};
use store::{Batch, StoreError};

use crate::Ecr;
use crate::domain::authority;
use crate::error;
use crate::generated as g;
use crate::images::Reference;
use crate::records::{REPOSITORIES, Repository, RepositoryId};
use crate::repositories::Contents;
use oci::Digest;
use oci::is_tag;

pub type State = Arc<Ecr>;

/// Items of a page that does not say how many it wants.
const PAGE: i32 = 100;

/// The repository that a request names, of its own account's registry unless it says which.
pub fn repository(context: &RequestContext, registry: Option<&str>, name: &str) -> RepositoryId {
    // The model has checked that it is twelve digits.
    let account = registry.and_then(|registry| registry.parse().ok());
    RepositoryId {
        account: account.unwrap_or(context.account),
        region: context.region.clone(),
        name: name.to_owned(),
    }
}

/// How this server is spoken to, for addresses that lead back to it.
pub fn scheme(context: &RequestContext) -> &'static str {
    match context.origin {
        Origin::Http { is_tls: true, .. } => "https",
        _ => "http",
    }
}

/// A page of items in the order of their keys.
pub fn cut<T>(
    items: impl IntoIterator<Item = (String, T)>,
    token: Option<&str>,
    limit: Option<i32>,
) -> Result<Page<T>, ServiceError> {
    let limit = usize::try_from(limit.unwrap_or(PAGE)).unwrap_or(1);
    page::cut(items, token, limit)
        .ok_or_else(|| error::invalid_parameter("Invalid parameter at 'nextToken'"))
}

/// How an image's id asks for an image: by its digest where it has both.
pub fn reference(id: &g::ImageIdentifier) -> Result<Reference, g::ImageFailureCode> {
    match (id.image_digest.as_deref(), id.image_tag.as_deref()) {
        (Some(digest), _) => Digest::parse(digest)
            .map(Reference::Digest)
            .ok_or(g::ImageFailureCode::InvalidImageDigest),
        (None, Some(tag)) if is_tag(tag) => Ok(Reference::Tag(tag.to_owned())),
        (None, Some(_)) => Err(g::ImageFailureCode::InvalidImageTag),
        (None, None) => Err(g::ImageFailureCode::MissingDigestAndTag),
    }
}

/// What batches say of an image that could not be had.
pub fn failure(id: g::ImageIdentifier, code: g::ImageFailureCode) -> g::ImageFailure {
    let reason = match code {
        g::ImageFailureCode::InvalidImageDigest => {
            "Invalid request parameters: image digest should satisfy the regex \
             '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'"
        }
        g::ImageFailureCode::InvalidImageTag => {
            "Invalid request parameters: image tag should satisfy the regex \
             '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'"
        }
        g::ImageFailureCode::ImageTagDoesNotMatchDigest => {
            "Tag does not map to the specified digest"
        }
        g::ImageFailureCode::MissingDigestAndTag => {
            "Invalid request parameters: both tag and digest cannot be null"
        }
        g::ImageFailureCode::ImageReferencedByManifestList => {
            "Requested image referenced by manifest list"
        }
        _ => "Requested image not found",
    };
    g::ImageFailure {
        image_id: Some(id),
        failure_code: Some(code),
        failure_reason: Some(reason.to_owned()),
    }
}

impl Ecr {
    /// Reads a repository that has to be there.
    pub(crate) fn with<T>(
        &self,
        id: &RepositoryId,
        read: impl FnOnce(&Contents) -> T,
    ) -> Result<T, ServiceError> {
        let read = self.repositories.with(id, read);
        read.ok_or_else(|| error::repository_not_found(id))
    }

    /// Changes what is set of a repository: durable, then visible. The writer's lock is held.
    pub(crate) async fn set(
        &self,
        id: &RepositoryId,
        record: Repository,
    ) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        let put = REPOSITORIES.put(&mut batch, id.key(), &record);
        self.commit(put.map(|()| batch)).await?;
        self.repositories.change(id, |it| it.record = record);
        Ok(())
    }

    pub(crate) async fn commit(
        &self,
        batch: Result<Batch, StoreError>,
    ) -> Result<(), ServiceError> {
        let committed = self.store.commit_made(batch).await;
        committed.map_err(|error| error::unavailable(&error))
    }

    /// The host and port of a registry, as the caller knows this server.
    pub(crate) fn registry_host(&self, context: &RequestContext, id: &RepositoryId) -> String {
        let authority = context.authority().unwrap_or(&self.authority);
        authority::of_registry(authority, id.account, &id.region)
    }
}
