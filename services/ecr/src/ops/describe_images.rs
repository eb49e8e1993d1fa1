//! DescribeImages.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html>

use service::{RequestContext, ServiceError};

use super::list_images::{TagStatus, is_kept};
use super::{State, cut, reference, repository};
use crate::error;
use crate::generated as g;
use crate::images;
use crate::records::{Image, RepositoryId};
use crate::repositories::Contents;
use oci::Digest;

pub async fn describe(
    ecr: State,
    context: RequestContext,
    input: g::DescribeImagesRequest,
) -> Result<g::DescribeImagesResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    if let Some(ids) = input.image_ids {
        let described = ecr.with(&id, |contents| {
            let described = ids.iter().map(|asked| {
                let found = reference(asked).ok();
                let found = found.and_then(|wanted| images::find(contents, &wanted));
                let (digest, image) = found.ok_or_else(|| {
                    let (digest, tag) = (&asked.image_digest, &asked.image_tag);
                    error::image_not_found(&id, digest.as_deref(), tag.as_deref())
                })?;
                Ok(detail(&id, contents, &digest, &image))
            });
            described.collect::<Result<Vec<_>, ServiceError>>()
        })??;
        return Ok(g::DescribeImagesResponse {
            image_details: Some(described),
            next_token: None,
        });
    }
    let wanted = TagStatus::of(input.filter.as_ref().and_then(|filter| filter.tag_status));
    let is_archived = input
        .filter
        .and_then(|filter| filter.image_status)
        .is_some_and(|status| !is_kept(status));
    let all = ecr.with(&id, |contents| {
        let images = contents.images.iter().filter(|_| !is_archived);
        let details = images.map(|(digest, image)| {
            let shown = detail(&id, contents, digest, image);
            (digest.to_string(), shown)
        });
        let fitting = details.filter(|(_, detail)| {
            if detail.image_tags.is_some() {
                wanted.tagged
            } else {
                wanted.untagged
            }
        });
        fitting.collect::<Vec<_>>()
    })?;
    let (page, next_token) = cut(all, input.next_token.as_deref(), input.max_results)?;
    Ok(g::DescribeImagesResponse {
        image_details: Some(page.into_iter().map(|(_, detail)| detail).collect()),
        next_token,
    })
}

fn detail(
    id: &RepositoryId,
    contents: &Contents,
    digest: &Digest,
    image: &Image,
) -> g::ImageDetail {
    let tags = contents.tags_of(digest);
    g::ImageDetail {
        registry_id: Some(id.account.to_string()),
        repository_name: Some(id.name.clone()),
        image_digest: Some(digest.to_string()),
        image_tags: Some(tags).filter(|tags| !tags.is_empty()),
        // An index has no layers of its own.
        image_size_in_bytes: Some(image.size.cast_signed()).filter(|_| image.images.is_empty()),
        image_pushed_at: Some(image.pushed),
        image_manifest_media_type: Some(image.media_type.clone()),
        artifact_media_type: image.artifact_type.clone(),
        subject_manifest_digest: image.subject.as_ref().map(ToString::to_string),
        image_status: Some(g::ImageStatus::Active),
        ..g::ImageDetail::default()
    }
}
