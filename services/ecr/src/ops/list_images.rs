//! ListImages: an id for each tag, and for each image without one.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImages.html>

use service::{RequestContext, ServiceError};

use super::{State, cut, repository};
use crate::generated as g;

pub async fn list(
    ecr: State,
    context: RequestContext,
    input: g::ListImagesRequest,
) -> Result<g::ListImagesResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let wanted = TagStatus::of(input.filter.as_ref().and_then(|filter| filter.tag_status));
    let is_archived = input
        .filter
        .and_then(|filter| filter.image_status)
        .is_some_and(|status| !is_kept(status));
    let ids = ecr.with(&id, |contents| {
        let mut ids = Vec::new();
        for digest in contents.images.keys().filter(|_| !is_archived) {
            let tags = contents.tags_of(digest);
            if tags.is_empty() && wanted.untagged {
                ids.push((digest.to_string(), None));
            }
            let tags = tags.into_iter().filter(|_| wanted.tagged);
            ids.extend(tags.map(|tag| (format!("{digest} {tag}"), Some(tag))));
        }
        ids
    })?;
    let (page, next_token) = cut(ids, input.next_token.as_deref(), input.max_results)?;
    let ids = page.into_iter().map(|(key, tag)| g::ImageIdentifier {
        image_digest: key.split(' ').next().map(str::to_owned),
        image_tag: tag,
    });
    Ok(g::ListImagesResponse {
        image_ids: Some(ids.collect()),
        next_token,
    })
}

/// Every image is active here.
pub fn is_kept(status: g::ImageStatusFilter) -> bool {
    matches!(
        status,
        g::ImageStatusFilter::Active | g::ImageStatusFilter::Any
    )
}

/// Which images a filter lets through.
#[derive(Clone, Copy)]
pub struct TagStatus {
    pub tagged: bool,
    pub untagged: bool,
}

impl TagStatus {
    pub fn of(filter: Option<g::TagStatus>) -> Self {
        Self {
            tagged: filter != Some(g::TagStatus::Untagged),
            untagged: filter != Some(g::TagStatus::Tagged),
        }
    }
}
