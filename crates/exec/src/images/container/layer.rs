//! What a layer says beside the files it adds.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::ImageError;
use crate::images::ImageId;

/// Paths are relative to the root, free of links as far as the layer's own files go.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Layer {
    /// Of all files, unpacked.
    pub(super) bytes: u64,
    /// The SHA-256 of its archive, uncompressed. Layers that were unpacked long ago do not tell.
    #[serde(default, with = "digest")]
    pub(super) diff_id: Option<ImageId>,
    /// What earlier layers have here goes.
    pub(super) whiteouts: Vec<LayerPath>,
    /// What earlier layers have below here goes.
    pub(super) opaque: Vec<LayerPath>,
    /// Folders that the archive has only as parts of paths.
    pub(super) implicit: BTreeSet<LayerPath>,
    /// Hard links to files of earlier layers: the new name, and the old one.
    pub(super) links: Vec<(LayerPath, LayerPath)>,
}

/// A path that need not be text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LayerPath(pub(super) PathBuf);

impl Serialize for LayerPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.0.as_os_str().as_bytes()))
    }
}

impl<'de> Deserialize<'de> for LayerPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(serde::de::Error::custom)?;
        Ok(Self(PathBuf::from(OsString::from_vec(bytes))))
    }
}

impl Layer {
    pub(super) fn write(&self, path: &Path) -> Result<(), ImageError> {
        let text = serde_json::to_vec(self).map_err(std::io::Error::other);
        text.and_then(|text| fs::write(path, text))
            .map_err(ImageError::io("write a layer's summary"))
    }

    pub(super) fn read(path: &Path) -> Result<Self, ImageError> {
        fs::read(path)
            .and_then(|text| serde_json::from_slice(&text).map_err(std::io::Error::other))
            .map_err(ImageError::io("read a layer's summary"))
    }
}

/// In hexadecimal.
mod digest {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::images::ImageId;

    #[expect(clippy::ref_option, reason = "serde gives it like this")]
    pub fn serialize<S: Serializer>(id: &Option<ImageId>, to: S) -> Result<S::Ok, S::Error> {
        id.map(|id| id.to_string()).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ImageId>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        let id = text.map(|text| text.parse()).transpose();
        id.map_err(serde::de::Error::custom)
    }
}
