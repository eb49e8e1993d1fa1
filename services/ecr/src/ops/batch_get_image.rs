//! BatchGetImage.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchGetImage.html>

use service::{RequestContext, ServiceError};

use super::{State, failure, reference, repository};
use crate::generated as g;
use crate::images::{self, Reference};

pub async fn batch_get(
    ecr: State,
    context: RequestContext,
    input: g::BatchGetImageRequest,
) -> Result<g::BatchGetImageResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    let accepted = input.accepted_media_types.unwrap_or_default();
    ecr.with(&id, |contents| {
        for asked in input.image_ids {
            let found = reference(&asked).and_then(|wanted| {
                let found = images::find(contents, &wanted);
                let (digest, image) = found.ok_or(g::ImageFailureCode::ImageNotFound)?;
                if let (Reference::Digest(_), Some(tag)) = (&wanted, &asked.image_tag)
                    && contents.tags.get(tag) != Some(&digest)
                {
                    return Err(g::ImageFailureCode::ImageTagDoesNotMatchDigest);
                }
                if !accepted.is_empty() && !accepted.contains(&image.media_type) {
                    return Err(g::ImageFailureCode::ImageNotFound);
                }
                Ok((digest, image))
            });
            match found {
                Err(code) => failures.push(failure(asked, code)),
                Ok((digest, image)) => images.push(g::Image {
                    registry_id: Some(id.account.to_string()),
                    repository_name: Some(id.name.clone()),
                    image_id: Some(g::ImageIdentifier {
                        image_digest: Some(digest.to_string()),
                        image_tag: asked.image_tag,
                    }),
                    image_manifest: Some(image.manifest.clone()),
                    image_manifest_media_type: Some(image.media_type.clone()),
                }),
            }
        }
    })?;
    Ok(g::BatchGetImageResponse {
        images: Some(images),
        failures: Some(failures),
    })
}
