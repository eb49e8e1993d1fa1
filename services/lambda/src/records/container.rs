//! What a function keeps of the container image that it is made of.

use std::collections::BTreeMap;

use exec::{ImageId, StackedLayer};
use oci::Digest;
use serde::{Deserialize, Serialize};

/// Names the image and everything that is needed to pull and to run it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerCode {
    /// As it was given.
    pub uri: String,
    /// The same by its digest.
    pub resolved: String,
    /// Of the manifest.
    pub digest: Digest,
    /// In their order.
    pub layers: Vec<PulledLayer>,
    /// What the image says, for what the function does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entry_point: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PulledLayer {
    pub digest: Digest,
    /// Of its archive uncompressed. Functions that were made before it was checked do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff_id: Option<Digest>,
    pub compression: LayerCompression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LayerCompression {
    None,
    Gzip,
    Zstd,
}

/// What of an image's settings the function sets itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_point: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_directory: Option<String>,
}

impl ContainerCode {
    /// The tree that its layers make.
    pub fn image(&self) -> ImageId {
        ImageId::container(&self.stacked())
    }

    /// Its layers, as they are put together.
    pub fn stacked(&self) -> Vec<StackedLayer> {
        let layers = self.layers.iter().map(|it| StackedLayer {
            digest: ImageId(it.digest.0),
            diff_id: it.diff_id.map(|id| ImageId(id.0)),
        });
        layers.collect()
    }

    pub fn has_layer(&self, id: ImageId) -> bool {
        self.layers.iter().any(|layer| layer.digest.0 == id.0)
    }
}

impl LayerCompression {
    pub fn of(compression: oci::Compression) -> Self {
        match compression {
            oci::Compression::None => Self::None,
            oci::Compression::Gzip => Self::Gzip,
            oci::Compression::Zstd => Self::Zstd,
        }
    }
}

impl From<LayerCompression> for exec::Compression {
    fn from(compression: LayerCompression) -> Self {
        match compression {
            LayerCompression::None => Self::None,
            LayerCompression::Gzip => Self::Gzip,
            LayerCompression::Zstd => Self::Zstd,
        }
    }
}
