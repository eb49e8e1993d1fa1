//! PutImage.
//!
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>

use service::{RequestContext, ServiceError};

use super::{State, repository};
use crate::error;
use crate::generated as g;
use crate::images::{self, Pushed};
use oci::is_tag;

pub async fn put(
    ecr: State,
    context: RequestContext,
    input: g::PutImageRequest,
) -> Result<g::PutImageResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let tag = input.image_tag.as_deref();
    if let Some(bad) = tag.filter(|tag| !is_tag(tag)) {
        return Err(error::invalid(
            "imageTag",
            format_args!(
                "'{bad}' must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{{0,127}}'"
            ),
        ));
    }
    let put = images::put(
        &ecr,
        &id,
        Pushed {
            manifest: input.image_manifest,
            media_type: input.image_manifest_media_type.as_deref(),
            tag,
            digest: input.image_digest.as_deref(),
        },
    )
    .await?;
    if !put.is_new {
        return Err(error::image_exists(&id, &put.digest, tag));
    }
    let image = g::Image {
        registry_id: Some(id.account.to_string()),
        repository_name: Some(id.name),
        image_id: Some(g::ImageIdentifier {
            image_digest: Some(put.digest.to_string()),
            image_tag: input.image_tag,
        }),
        image_manifest: Some(put.image.manifest.clone()),
        image_manifest_media_type: Some(put.image.media_type.clone()),
    };
    Ok(g::PutImageResponse { image: Some(image) })
}
