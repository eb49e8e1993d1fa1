//! Amazon ECR: repositories of container images, and the OCI distribution API by which clients push
//! and pull them.
//!
//! # What is absent
//! Scanning, replication, lifecycle policies, signing and pull-through caches. Each is refused by
//! name.

mod distribution;
mod domain;
mod error;
mod generated;
mod images;
mod layers;
mod ops;
mod records;
mod registry;
mod repositories;
mod service_impl;
mod uploads;

use std::sync::Arc;

use base::Clock;
use service::ports::Credentials;
use service::{Operation, operation};
use store::{BlobId, Blobs, Store, StoreError};

pub use distribution::endpoint as distribution;
pub use service_impl::endpoint;

use domain::token::TokenKey;
use generated as g;
use repositories::Repositories;
use uploads::Uploads;

/// What the service stands on.
pub struct Config {
    pub store: Arc<dyn Store>,
    /// Layers, as they were pushed.
    pub blobs: Arc<dyn Blobs>,
    pub clock: Clock,
    /// Who may push and pull what; `None` lets everybody, without a token.
    pub credentials: Option<Arc<dyn Credentials>>,
    /// Host and port of this server, for callers that did not come over HTTP.
    pub authority: String,
}

/// What the operations work on.
pub struct Ecr {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) clock: Clock,
    pub(crate) credentials: Option<Arc<dyn Credentials>>,
    pub(crate) authority: String,
    pub(crate) repositories: Repositories,
    pub(crate) uploads: Uploads,
    pub(crate) key: TokenKey,
    /// Repositories are read, changed and written by one at a time.
    pub(crate) writer: tokio::sync::Mutex<()>,
}

/// Opens the service.
///
/// # Errors
/// When its records cannot be read.
pub async fn service(config: Config) -> Result<Arc<Ecr>, StoreError> {
    let key = records::token_key(&*config.store).await?;
    let repositories = Repositories::open(&*config.store).await?;
    Ok(Arc::new(Ecr {
        store: config.store,
        blobs: config.blobs,
        uploads: Uploads::default(),
        clock: config.clock,
        credentials: config.credentials,
        authority: config.authority,
        repositories,
        key: TokenKey::new(key),
        writer: tokio::sync::Mutex::new(()),
    }))
}

impl Ecr {
    /// Removes layers that no image came to use.
    ///
    /// # Errors
    /// When the records cannot be written.
    pub async fn resume(&self) -> Result<(), StoreError> {
        layers::forget_unused(self).await
    }

    /// Whether a record names this blob: if not, and an earlier run made it, it is an orphan.
    #[expect(clippy::unused_async, reason = "as every service answers it")]
    pub async fn names_blob(&self, id: &BlobId) -> Result<bool, StoreError> {
        Ok(self.repositories.names_blob(id))
    }
}

/// What the service answers.
pub static OPERATIONS: &[Operation<Ecr>] = &[
    operation!(g::BatchCheckLayerAvailability => ops::layers::check_availability),
    operation!(g::BatchDeleteImage => ops::batch_delete_image::batch_delete),
    operation!(g::BatchGetImage => ops::batch_get_image::batch_get),
    operation!(g::CompleteLayerUpload => ops::layer_upload::complete),
    operation!(g::CreateRepository => ops::repositories::create),
    operation!(g::DeleteRepository => ops::repositories::delete),
    operation!(g::DeleteRepositoryPolicy => ops::policy::delete),
    operation!(g::DescribeImages => ops::describe_images::describe),
    operation!(g::DescribeRegistry => ops::repositories::describe_registry),
    operation!(g::DescribeRepositories => ops::repositories::describe),
    operation!(g::GetAuthorizationToken => ops::authorization::token),
    operation!(g::GetDownloadUrlForLayer => ops::layers::download_url),
    operation!(g::GetRepositoryPolicy => ops::policy::get),
    operation!(g::InitiateLayerUpload => ops::layer_upload::initiate),
    operation!(g::ListImages => ops::list_images::list),
    operation!(g::ListTagsForResource => ops::tags::list),
    operation!(g::PutImage => ops::put_image::put),
    operation!(g::PutImageScanningConfiguration => ops::repositories::put_scanning),
    operation!(g::PutImageTagMutability => ops::repositories::put_mutability),
    operation!(g::SetRepositoryPolicy => ops::policy::set),
    operation!(g::TagResource => ops::tags::tag),
    operation!(g::UntagResource => ops::tags::untag),
    operation!(g::UploadLayerPart => ops::layer_upload::part),
];
