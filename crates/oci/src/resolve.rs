//! From a name to an image that can be run here: manifest, configuration, layers.

use futures::StreamExt as _;

use crate::document::{Compression, ImageConfig, ImageManifest, RunConfig};
use crate::source::Content;
use crate::{Digest, PullError, Source};

/// Most bytes of a manifest, and of a configuration.
const MAX_DOCUMENT: usize = 4 << 20;

/// An image whose documents have been read and checked.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Of the manifest.
    pub digest: Digest,
    pub media_type: String,
    pub run: RunConfig,
    /// In their order.
    pub layers: Vec<Layer>,
}

/// A layer that an image is made of.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    pub digest: Digest,
    /// Of its archive uncompressed, as the configuration says.
    pub diff_id: Digest,
    pub compression: Compression,
    /// As it is stored, in bytes.
    pub size: u64,
}

/// Reads what is needed to know whether an image can be run, and nothing of its layers.
/// `architecture` is as the specification writes it, such as `amd64`; `limit` is of the image's
/// bytes.
pub async fn resolve(
    source: &dyn Source,
    reference: &str,
    architecture: &'static str,
    limit: u64,
) -> Result<Resolved, PullError> {
    let found = source.manifest(reference).await?;
    let digest = Digest::of(&found.content);
    if let Some(wanted) = Digest::parse(reference)
        && wanted != digest
    {
        return Err(mismatch("manifest", wanted, digest));
    }
    let manifest = ImageManifest::parse(&found.content, found.media_type.as_deref())?;
    let kept = manifest.layers.iter().map(|layer| {
        Ok(Kept {
            digest: layer.digest()?,
            compression: layer.compression()?,
            size: layer.size,
        })
    });
    let kept: Vec<Kept> = kept.collect::<Result<_, PullError>>()?;
    let sizes = kept.iter().map(|layer| layer.size);
    if sizes.fold(0, u64::saturating_add) > limit {
        return Err(PullError::TooLarge { limit });
    }
    let wanted = manifest.config.digest()?;
    let content = collect(source.blob(wanted).await?, MAX_DOCUMENT).await?;
    let found = Digest::of(&content);
    if found != wanted {
        return Err(mismatch("configuration", wanted, found));
    }
    let config = ImageConfig::parse(&content)?;
    if !config.os.is_empty() && config.os != "linux" {
        return Err(PullError::Unsupported(format!(
            "the operating system {}",
            config.os
        )));
    }
    if !config.architecture.is_empty() && config.architecture != architecture {
        return Err(PullError::Architecture {
            found: config.architecture,
            wanted: architecture,
        });
    }
    let layers = layers(kept, config.diff_ids()?)?;
    Ok(Resolved {
        digest,
        media_type: manifest.media_type().to_owned(),
        run: config.run()?,
        layers,
    })
}

/// What a manifest says of a layer.
struct Kept {
    digest: Digest,
    compression: Compression,
    size: u64,
}

/// What the manifest and the configuration say, put together.
fn layers(kept: Vec<Kept>, diff_ids: Vec<Digest>) -> Result<Vec<Layer>, PullError> {
    if diff_ids.len() != kept.len() {
        return Err(PullError::Invalid(format!(
            "the configuration has {} diff_ids for {} layers",
            diff_ids.len(),
            kept.len()
        )));
    }
    let layers = kept.into_iter().zip(diff_ids);
    let layers = layers.map(|(kept, diff_id)| Layer {
        digest: kept.digest,
        diff_id,
        compression: kept.compression,
        size: kept.size,
    });
    Ok(layers.collect())
}

fn mismatch(what: &str, wanted: Digest, found: Digest) -> PullError {
    PullError::Invalid(format!("the {what} has the digest {found}, not {wanted}"))
}

/// A document, which is never large.
async fn collect(mut content: Content, limit: usize) -> Result<Vec<u8>, PullError> {
    let mut whole = Vec::new();
    while let Some(chunk) = content.next().await {
        whole.extend_from_slice(&chunk?);
        if whole.len() > limit {
            return Err(PullError::Invalid(
                "a document of the image is too long".to_owned(),
            ));
        }
    }
    Ok(whole)
}
