//! Container images: layers unpacked once, and linked together into the tree that is an
//! environment's root.
//!
//! `<root>/.layers/<sha256>/` is a layer: `tree/` with what it adds, and `layer.json` with what it
//! takes away. `<root>/<id>/` is an image: hard links into the trees of its layers, with the places
//! at which a sandbox mounts what is its own. Nothing of it is made when an environment starts.

mod clean;
mod content;
mod entries;
mod furnish;
mod inside;
mod layer;
mod merge;
mod staging;
mod unpack;

use std::fs;
use std::io;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{ImageId, Images, UNFINISHED};
use crate::error::ImageError;

pub(crate) use inside::{is_program, resolve};
pub use staging::Staging;

/// Most bytes of an image's layers, unpacked (10 GB).
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_CONTAINER_BYTES: u64 = 10 << 30;

/// Most entries of a layer: a bound of ours against archives of millions of empty files.
const MAX_LAYER_ENTRIES: usize = 1 << 20;

const LAYERS: &str = ".layers";
const TREE: &str = "tree";
const SUMMARY: &str = "layer.json";

/// How the archive of a layer is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Images {
    /// Whether a layer, named by the SHA-256 of its archive, has been unpacked.
    pub fn has_layer(&self, digest: ImageId) -> bool {
        self.layer(digest).is_dir()
    }

    /// Removes every layer that `live` does not name; returns how many. Images that were made of
    /// one stay.
    pub fn sweep_layers(&self, live: impl Fn(ImageId) -> bool) -> Result<usize, ImageError> {
        let sweep = || -> io::Result<usize> {
            let folder = match fs::read_dir(self.0.root.join(LAYERS)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
                folder => folder?,
            };
            let mut swept = 0;
            for entry in folder {
                let entry = entry?;
                let id = entry
                    .file_name()
                    .to_str()
                    .and_then(|name| name.parse().ok());
                if id.is_some_and(|id| !live(id)) {
                    let grave = tempfile::Builder::new()
                        .prefix(UNFINISHED)
                        .tempdir_in(&self.0.root)?;
                    fs::rename(entry.path(), grave.path().join("layer"))?;
                    grave.close()?;
                    swept += 1;
                }
            }
            Ok(swept)
        };
        sweep().map_err(ImageError::io("delete unused layers"))
    }

    fn layer(&self, digest: ImageId) -> PathBuf {
        self.0.root.join(LAYERS).join(digest.to_string())
    }
}

/// What an image says of one of its layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackedLayer {
    /// Of the archive as it is kept.
    pub digest: ImageId,
    /// Of the archive uncompressed. Functions that were made long ago do not tell.
    pub diff_id: Option<ImageId>,
}

impl ImageId {
    /// Of the image that these layers make. Whatever is said of them is a part of it, so that an image
    /// which says other things is not found, but checked. The number changes with the furniture.
    pub fn container(layers: &[StackedLayer]) -> Self {
        let mut digest = Sha256::new_with_prefix(b"container image 2\n");
        for layer in layers {
            digest.update(layer.digest.0);
            digest.update(layer.diff_id.map_or([0; 32], |id| id.0));
        }
        Self(digest.finalize().into())
    }
}
