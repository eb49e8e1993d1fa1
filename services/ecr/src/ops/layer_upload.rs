//! InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload: pushing without the distribution API.

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::{State, repository};
use crate::error;
use crate::generated as g;
use crate::layers;
use crate::records::RepositoryId;
use crate::uploads::Upload;
use oci::Digest;

/// The size of a part that is recommended, and the least of all but the last.
const PART: i64 = 20 << 20;
const LEAST_PART: u64 = 5 << 20;

pub async fn initiate(
    ecr: State,
    context: RequestContext,
    input: g::InitiateLayerUploadRequest,
) -> Result<g::InitiateLayerUploadResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    ecr.with(&id, |_| ())?;
    let upload = ecr.uploads.begin(id, &*ecr.blobs).await?;
    Ok(g::InitiateLayerUploadResponse {
        upload_id: Some(upload.id.clone()),
        part_size: Some(PART),
    })
}

pub async fn part(
    ecr: State,
    context: RequestContext,
    input: g::UploadLayerPartRequest,
) -> Result<g::UploadLayerPartResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let upload = find(&ecr, &id, &input.upload_id)?;
    let mut receiving = upload.receiving.lock().await;
    let received = receiving.bytes();
    let refuse = |message: String| {
        Err(error::invalid_part(
            &id,
            &upload.id,
            received.checked_sub(1),
            message,
        ))
    };
    let (first, last) = (
        input.part_first_byte.cast_unsigned(),
        input.part_last_byte.cast_unsigned(),
    );
    if first != received {
        return refuse(format!(
            "Layer parts must follow each other: the next byte is {received}, not {first}"
        ));
    }
    let length = input.layer_part_blob.len() as u64;
    if length == 0 || first.checked_add(length - 1) != Some(last) {
        return refuse(format!(
            "Bytes {first} to {last} were announced, and {length} bytes came"
        ));
    }
    if let Some(short) = receiving.had_short_part {
        return Err(error::part_too_small(short));
    }
    let added = receiving.add(input.layer_part_blob).await;
    added.map_err(|error| error::unavailable(&error))?;
    if length < LEAST_PART {
        receiving.had_short_part = Some(length);
    }
    Ok(g::UploadLayerPartResponse {
        registry_id: Some(id.account.to_string()),
        repository_name: Some(id.name.clone()),
        upload_id: Some(upload.id.clone()),
        last_byte_received: Some(last.cast_signed()),
    })
}

pub async fn complete(
    ecr: State,
    context: RequestContext,
    input: g::CompleteLayerUploadRequest,
) -> Result<g::CompleteLayerUploadResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let upload = find(&ecr, &id, &input.upload_id)?;
    let mut receiving = upload.receiving.lock().await;
    if receiving.bytes() == 0 {
        return Err(error::empty_upload(&id, &upload.id));
    }
    let digest = receiving.digest();
    let is_named = |text: &String| Digest::parse(text).as_ref() == Some(&digest);
    if !input.layer_digests.iter().any(is_named) {
        return Err(error::invalid_layer(format!(
            "The layer's digest is '{digest}', and not one of '{}'",
            input.layer_digests.join(", ")
        )));
    }
    let size = receiving.bytes();
    let blob = receiving.finish(&*ecr.blobs).await;
    let blob = blob.map_err(|error| error::unavailable(&error))?;
    ecr.uploads.remove(&upload.id);
    if !layers::add(&ecr, &id, &digest, blob, size).await? {
        return Err(error::layer_exists(&id, &digest));
    }
    Ok(g::CompleteLayerUploadResponse {
        registry_id: Some(id.account.to_string()),
        repository_name: Some(id.name),
        upload_id: Some(upload.id.clone()),
        layer_digest: Some(digest.to_string()),
    })
}

fn find(ecr: &State, id: &RepositoryId, upload: &str) -> Result<Arc<Upload>, ServiceError> {
    ecr.with(id, |_| ())?;
    let found = ecr.uploads.find(id, upload);
    found.ok_or_else(|| error::upload_not_found(id, upload))
}
