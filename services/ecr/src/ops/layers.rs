//! BatchCheckLayerAvailability, GetDownloadUrlForLayer.

use std::time::Duration;

use service::{RequestContext, ServiceError};

use super::{State, repository, scheme};
use crate::domain::token::{Holder, Token};
use crate::error;
use crate::generated as g;
use crate::layers;
use oci::Digest;

/// Of a download address, as on AWS.
const LIFE: Duration = Duration::from_hours(1);

pub async fn check_availability(
    ecr: State,
    context: RequestContext,
    input: g::BatchCheckLayerAvailabilityRequest,
) -> Result<g::BatchCheckLayerAvailabilityResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    ecr.with(&id, |contents| {
        for text in input.layer_digests {
            let Some(digest) = Digest::parse(&text) else {
                failures.push(g::LayerFailure {
                    layer_digest: Some(text),
                    failure_code: Some(g::LayerFailureCode::InvalidLayerDigest),
                    failure_reason: Some(
                        "Invalid request parameters: layer digest should be a SHA-256 digest"
                            .to_owned(),
                    ),
                });
                continue;
            };
            let layer = contents.layers.get(&digest);
            let availability = match layer {
                Some(_) => g::LayerAvailability::Available,
                None => g::LayerAvailability::Unavailable,
            };
            found.push(g::Layer {
                layer_digest: Some(text),
                layer_availability: Some(availability),
                layer_size: layer.map(|layer| layer.size.cast_signed()),
                media_type: None,
            });
        }
    })?;
    Ok(g::BatchCheckLayerAvailabilityResponse {
        layers: Some(found),
        failures: Some(failures),
    })
}

/// The address is this server's own, with a token for the one layer.
pub async fn download_url(
    ecr: State,
    context: RequestContext,
    input: g::GetDownloadUrlForLayerRequest,
) -> Result<g::GetDownloadUrlForLayerResponse, ServiceError> {
    let id = repository(
        &context,
        input.registry_id.as_deref(),
        &input.repository_name,
    );
    ecr.with(&id, |_| ())?;
    let text = input.layer_digest;
    let digest = Digest::parse(&text).filter(|digest| layers::find(&ecr, &id, digest).is_some());
    let digest = digest.ok_or_else(|| error::layer_missing(&id, &text))?;
    let token = ecr.key.seal(&Token {
        holder: Holder::of(&context.principal),
        account: id.account,
        region: id.region.clone(),
        expires: ecr.clock.now() + LIFE,
        layer: Some((id.name.clone(), digest.to_string())),
    });
    let authority = context.authority().unwrap_or(&ecr.authority);
    let (scheme, name) = (scheme(&context), &id.name);
    let url = format!("{scheme}://{authority}/v2/{name}/blobs/{digest}?token={token}");
    Ok(g::GetDownloadUrlForLayerResponse {
        download_url: Some(url),
        layer_digest: Some(text),
    })
}
