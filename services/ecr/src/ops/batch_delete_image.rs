//! BatchDeleteImage: by tag, and the image goes with its last one; or by digest, with all its tags.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html>

use service::{RequestContext, ServiceError};

use super::{State, failure, reference, repository};
use crate::generated as g;
use crate::images::{self, Reference, Removal};
use crate::repositories::Contents;
use oci::Digest;

pub async fn batch_delete(
    ecr: State,
    context: RequestContext,
    input: g::BatchDeleteImageRequest,
) -> Result<g::BatchDeleteImageResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let _one_writer = ecr.writer.lock().await;
    let (mut deleted, mut failures, mut removals) = (Vec::new(), Vec::new(), Vec::new());
    ecr.with(&id, |contents| {
        // What an index that goes as well refers to may go.
        let going: Vec<Digest> = input
            .image_ids
            .iter()
            .filter_map(|asked| reference(asked).ok())
            .filter_map(|wanted| images::find(contents, &wanted))
            .map(|(digest, _)| digest)
            .collect();
        for asked in input.image_ids {
            match removal(contents, &asked, &going) {
                Err(code) => failures.push(failure(asked, code)),
                Ok((removal, ids)) => {
                    removals.push(removal);
                    deleted.extend(ids);
                }
            }
        }
    })?;
    images::remove(&ecr, &id, &removals).await?;
    Ok(g::BatchDeleteImageResponse {
        image_ids: Some(deleted),
        failures: Some(failures),
    })
}

fn removal(
    contents: &Contents,
    asked: &g::ImageIdentifier,
    going: &[Digest],
) -> Result<(Removal, Vec<g::ImageIdentifier>), g::ImageFailureCode> {
    let wanted = reference(asked)?;
    let found = images::find(contents, &wanted);
    let (digest, _) = found.ok_or(g::ImageFailureCode::ImageNotFound)?;
    let tags = contents.tags_of(&digest);
    let is_referenced = || {
        let mut indexes = contents.images.iter();
        indexes.any(|(index, image)| image.images.contains(&digest) && !going.contains(index))
    };
    let identified = |tag: Option<String>| g::ImageIdentifier {
        image_digest: Some(digest.to_string()),
        image_tag: tag,
    };
    match (wanted, &asked.image_tag) {
        (Reference::Tag(tag), _) => {
            if tags.len() == 1 && is_referenced() {
                return Err(g::ImageFailureCode::ImageReferencedByManifestList);
            }
            Ok((Removal::Tag(tag.clone()), vec![identified(Some(tag))]))
        }
        (Reference::Digest(_), Some(tag)) => {
            if !tags.contains(tag) {
                return Err(g::ImageFailureCode::ImageTagDoesNotMatchDigest);
            }
            if tags.len() == 1 && is_referenced() {
                return Err(g::ImageFailureCode::ImageReferencedByManifestList);
            }
            Ok((
                Removal::Tag(tag.clone()),
                vec![identified(Some(tag.clone()))],
            ))
        }
        (Reference::Digest(digest), None) => {
            if is_referenced() {
                return Err(g::ImageFailureCode::ImageReferencedByManifestList);
            }
            let ids = if tags.is_empty() {
                vec![identified(None)]
            } else {
                tags.into_iter().map(|tag| identified(Some(tag))).collect()
            };
            Ok((Removal::Image(digest), ids))
        }
    }
}
