//! What a manifest says of itself.
//!
//! <https://github.com/opencontainers/image-spec/blob/main/manifest.md>

use std::collections::BTreeMap;

use serde::Deserialize;

use super::media_type::{Kind, OCI_INDEX, OCI_MANIFEST, kind};
use oci::Digest;

/// Longest manifest, in bytes.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>
pub const MAX_BYTES: usize = 4_194_304;

/// A manifest that has been read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    pub media_type: String,
    pub artifact_type: Option<String>,
    /// What has to be there before it: the configuration and layers.
    pub layers: Vec<Descriptor>,
    /// The same, of an index.
    pub images: Vec<Descriptor>,
    pub subject: Option<Digest>,
    pub annotations: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descriptor {
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Kept elsewhere, and never pushed.
    pub is_foreign: bool,
}

/// Why something is no manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not JSON of the right form; says what is wrong.
    Malformed(String),
    /// A kind that is not kept here.
    Unsupported(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Given>,
    layers: Option<Vec<Given>>,
    manifests: Option<Vec<Given>>,
    subject: Option<Given>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    media_type: Option<String>,
    digest: String,
    size: u64,
    urls: Option<Vec<String>>,
}

impl Manifest {
    /// Reads one. `given` is the media type under which it comes, if it comes under one.
    pub fn parse(text: &str, given: Option<&str>) -> Result<Self, Refused> {
        let document: Document =
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
        if document.schema_version != 2 {
            let version = document.schema_version;
            return Err(Refused::Unsupported(format!("schema version {version}")));
        }
        let own = document.media_type.as_deref();
        if let (Some(own), Some(given)) = (own, given)
            && own != given
        {
            return Err(malformed(format!(
                "manifest media type '{own}' does not match content type '{given}'"
            )));
        }
        let media_type = own.or(given).unwrap_or(if document.manifests.is_some() {
            OCI_INDEX
        } else {
            OCI_MANIFEST
        });
        let kind = kind(media_type).ok_or_else(|| Refused::Unsupported(media_type.to_owned()))?;
        let (config, images) = (document.config, document.manifests);
        let artifact_type = document
            .artifact_type
            .or_else(|| config.as_ref().and_then(|config| config.media_type.clone()));
        let mut manifest = Self {
            media_type: media_type.to_owned(),
            artifact_type,
            layers: Vec::new(),
            images: Vec::new(),
            subject: document.subject.map(|it| digest(&it.digest)).transpose()?,
            annotations: document.annotations.unwrap_or_default(),
        };
        match kind {
            Kind::Image => {
                let config = config.ok_or_else(|| malformed("config is missing"))?;
                let layers = document
                    .layers
                    .ok_or_else(|| malformed("layers are missing"))?;
                manifest.layers = std::iter::once(config)
                    .chain(layers)
                    .map(descriptor)
                    .collect::<Result<_, _>>()?;
            }
            Kind::Index => {
                let images = images.ok_or_else(|| malformed("manifests are missing"))?;
                manifest.images = images
                    .into_iter()
                    .map(descriptor)
                    .collect::<Result<_, _>>()?;
            }
        }
        Ok(manifest)
    }

    /// Bytes of the layers, each counted once.
    pub fn size(&self) -> u64 {
        let sizes: BTreeMap<_, _> = self.layers.iter().map(|it| (&it.digest, it.size)).collect();
        sizes.into_values().fold(0, u64::saturating_add)
    }
}

fn descriptor(given: Given) -> Result<Descriptor, Refused> {
    Ok(Descriptor {
        digest: digest(&given.digest)?,
        size: given.size,
        is_foreign: given.urls.is_some_and(|urls| !urls.is_empty()),
    })
}

fn digest(text: &str) -> Result<Digest, Refused> {
    Digest::parse(text).ok_or_else(|| malformed(format!("'{text}' is no SHA-256 digest")))
}

fn malformed(reason: impl Into<String>) -> Refused {
    Refused::Malformed(reason.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn part(content: &str) -> serde_json::Value {
        json!({
            "mediaType": "application/octet-stream",
            "digest": Digest::of(content.as_bytes()).to_string(),
            "size": content.len(),
        })
    }

    #[test]
    fn an_image_names_its_configuration_and_layers() {
        let text = json!({
            "schemaVersion": 2,
            "config": part("{}"),
            "layers": [part("one"), part("one"), part("three")],
            "subject": part("other"),
            "annotations": {"a": "b"},
        });
        let manifest = Manifest::parse(&text.to_string(), None).unwrap();
        assert_eq!(manifest.media_type, OCI_MANIFEST);
        assert_eq!(manifest.layers.len(), 4);
        assert_eq!(manifest.size(), 2 + 3 + 5);
        assert_eq!(manifest.subject, Some(Digest::of(b"other")));
        assert_eq!(manifest.annotations["a"], "b");
    }

    #[test]
    fn an_index_names_images() {
        let text = json!({"schemaVersion": 2, "manifests": [part("one")]});
        let manifest = Manifest::parse(&text.to_string(), None).unwrap();
        assert_eq!(manifest.media_type, OCI_INDEX);
        assert_eq!(manifest.images[0].digest, Digest::of(b"one"));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let image = json!({"schemaVersion": 2, "config": part("{}"), "layers": []});
        assert!(Manifest::parse(&image.to_string(), None).is_ok());
        let as_index = Manifest::parse(&image.to_string(), Some(OCI_INDEX));
        assert!(matches!(as_index, Err(Refused::Malformed(_))));
        let old = json!({"schemaVersion": 1, "fsLayers": []});
        let old = Manifest::parse(&old.to_string(), None);
        assert!(matches!(old, Err(Refused::Unsupported(_))));
        for bad in [
            json!({"schemaVersion": 2}),
            json!({"schemaVersion": 2, "config": {"digest": "sha256:0", "size": 1}, "layers": []}),
            json!([]),
        ] {
            let refused = Manifest::parse(&bad.to_string(), None);
            assert!(matches!(refused, Err(Refused::Malformed(_))), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in ".{0,200}") {
            let _ = Manifest::parse(&text, None);
        }
    }
}
