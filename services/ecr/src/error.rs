//! Every error a client of ECR can see, as AWS words it.

use std::fmt::Display;

use http::StatusCode;
use service::ServiceError;
use store::StoreError;
use wire::{ErrorSchema, Value};

use crate::generated::errors;
use crate::records::RepositoryId;
use oci::Digest;

fn modelled(error: &'static ErrorSchema, message: impl Into<String>) -> ServiceError {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    ServiceError::new(error.code, status, message)
}

/// How messages name a repository.
fn named(id: &RepositoryId) -> String {
    let (name, registry) = (&id.name, id.account);
    format!("repository with name '{name}' in the registry with id '{registry}'")
}

/// A value that the model allows and ECR does not.
pub fn invalid(member: &str, constraint: impl Display) -> ServiceError {
    invalid_parameter(format!(
        "Invalid parameter at '{member}' failed to satisfy constraint: '{constraint}'"
    ))
}

pub fn invalid_parameter(message: impl Into<String>) -> ServiceError {
    modelled(&errors::INVALID_PARAMETER_EXCEPTION, message)
}

pub fn invalid_tag(message: impl Into<String>) -> ServiceError {
    modelled(&errors::INVALID_TAG_PARAMETER_EXCEPTION, message)
}

pub fn too_many_tags() -> ServiceError {
    modelled(
        &errors::TOO_MANY_TAGS_EXCEPTION,
        "The number of tags exceeds the limit of 50 tags per repository.",
    )
}

pub fn repository_not_found(id: &RepositoryId) -> ServiceError {
    modelled(
        &errors::REPOSITORY_NOT_FOUND_EXCEPTION,
        format!(
            "The repository with name '{}' does not exist in the registry with id '{}'",
            id.name, id.account
        ),
    )
}

pub fn repository_exists(id: &RepositoryId) -> ServiceError {
    modelled(
        &errors::REPOSITORY_ALREADY_EXISTS_EXCEPTION,
        format!(
            "The repository with name '{}' already exists in the registry with id '{}'",
            id.name, id.account
        ),
    )
}

pub fn repository_not_empty(id: &RepositoryId) -> ServiceError {
    modelled(
        &errors::REPOSITORY_NOT_EMPTY_EXCEPTION,
        format!(
            "The repository with name '{}' in registry with id '{}' cannot be deleted because it \
             still contains images",
            id.name, id.account
        ),
    )
}

pub fn policy_not_found(id: &RepositoryId) -> ServiceError {
    modelled(
        &errors::REPOSITORY_POLICY_NOT_FOUND_EXCEPTION,
        format!("Repository policy does not exist for the {}", named(id)),
    )
}

/// An image by its tag or digest, as the model writes an image's id.
pub fn image_not_found(id: &RepositoryId, digest: Option<&str>, tag: Option<&str>) -> ServiceError {
    let or_null = |text: Option<&str>| text.unwrap_or("null").to_owned();
    modelled(
        &errors::IMAGE_NOT_FOUND_EXCEPTION,
        format!(
            "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the \
             {}",
            or_null(digest),
            or_null(tag),
            named(id)
        ),
    )
}

pub fn image_exists(id: &RepositoryId, digest: &Digest, tag: Option<&str>) -> ServiceError {
    let tagged = tag.map(|tag| format!(" and tag '{tag}'"));
    modelled(
        &errors::IMAGE_ALREADY_EXISTS_EXCEPTION,
        format!(
            "Image with digest '{digest}'{} already exists in the {}",
            tagged.unwrap_or_default(),
            named(id)
        ),
    )
}

pub fn tag_exists(id: &RepositoryId, tag: &str) -> ServiceError {
    modelled(
        &errors::IMAGE_TAG_ALREADY_EXISTS_EXCEPTION,
        format!(
            "The image tag '{tag}' already exists in the '{}' repository and cannot be overwritten \
             because the tag is immutable.",
            id.name
        ),
    )
}

pub fn digest_does_not_match(given: &str, digest: &Digest) -> ServiceError {
    modelled(
        &errors::IMAGE_DIGEST_DOES_NOT_MATCH_EXCEPTION,
        format!(
            "The calculated digest '{digest}' of the image manifest does not match the specified \
             digest '{given}'"
        ),
    )
}

pub fn unsupported_image(kind: &str) -> ServiceError {
    // PutImage's model has no other code for it.
    invalid(
        "ImageManifest",
        format_args!("Unsupported manifest: {kind}"),
    )
}

pub fn layers_missing(id: &RepositoryId, digests: &[&Digest]) -> ServiceError {
    modelled(
        &errors::LAYERS_NOT_FOUND_EXCEPTION,
        format!(
            "The layers with digests '{}' required for pushing image into {} do not exist",
            listed(digests),
            named(id)
        ),
    )
}

pub fn layer_missing(id: &RepositoryId, digest: &str) -> ServiceError {
    modelled(
        &errors::LAYERS_NOT_FOUND_EXCEPTION,
        format!(
            "The layer with digest '{digest}' does not exist within the {}",
            named(id)
        ),
    )
}

pub fn images_missing(id: &RepositoryId, digests: &[&Digest]) -> ServiceError {
    modelled(
        &errors::REFERENCED_IMAGES_NOT_FOUND_EXCEPTION,
        format!(
            "Images with digests '{}' required for pushing image into {} do not exist",
            listed(digests),
            named(id)
        ),
    )
}

fn listed(digests: &[&Digest]) -> String {
    let digests: Vec<String> = digests.iter().map(ToString::to_string).collect();
    format!("[{}]", digests.join(", "))
}

pub fn layer_exists(id: &RepositoryId, digest: &Digest) -> ServiceError {
    modelled(
        &errors::LAYER_ALREADY_EXISTS_EXCEPTION,
        format!(
            "Layer with digest '{digest}' already exists in the {}",
            named(id)
        ),
    )
}

pub fn upload_not_found(id: &RepositoryId, upload: &str) -> ServiceError {
    modelled(
        &errors::UPLOAD_NOT_FOUND_EXCEPTION,
        format!(
            "The upload with upload id '{upload}' does not exist in the {}",
            named(id)
        ),
    )
}

/// `received` is the number of the last good byte, `None` before the first.
pub fn invalid_part(
    id: &RepositoryId,
    upload: &str,
    received: Option<u64>,
    message: impl Into<String>,
) -> ServiceError {
    let error = modelled(&errors::INVALID_LAYER_PART_EXCEPTION, message)
        .with_member("registryId", Value::Str(id.account.to_string()))
        .with_member("repositoryName", Value::Str(id.name.clone()))
        .with_member("uploadId", Value::Str(upload.to_owned()));
    match received {
        Some(last) => error.with_member("lastValidByteReceived", Value::Int(last.cast_signed())),
        None => error,
    }
}

pub fn part_too_small(bytes: u64) -> ServiceError {
    modelled(
        &errors::LAYER_PART_TOO_SMALL_EXCEPTION,
        format!("Layer parts must be at least 5 MiB but the last one; one has {bytes} bytes"),
    )
}

pub fn empty_upload(id: &RepositoryId, upload: &str) -> ServiceError {
    modelled(
        &errors::EMPTY_UPLOAD_EXCEPTION,
        format!(
            "The upload with id '{upload}' in the {} has no parts",
            named(id)
        ),
    )
}

/// The content is not what its digest says.
pub fn invalid_layer(message: impl Into<String>) -> ServiceError {
    modelled(&errors::INVALID_LAYER_EXCEPTION, message)
}

/// More uploads at once than there is room for.
pub fn too_many_uploads() -> ServiceError {
    modelled(
        &errors::LIMIT_EXCEEDED_EXCEPTION,
        "Too many layer uploads are in progress; complete some of them and try again.",
    )
}

/// The store failed: logged here, and the client may retry.
pub fn unavailable(error: &StoreError) -> ServiceError {
    tracing::error!(%error, "ECR cannot reach its records");
    modelled(
        &errors::SERVER_EXCEPTION,
        "The request could not be completed; try again.",
    )
}
