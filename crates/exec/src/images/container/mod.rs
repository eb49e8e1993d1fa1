//! Container images: layers unpacked once, and linked together into the tree that is an
//! environment's root.
//!
//! `<root>/.layers/<sha256>/` is a layer: `tree/` with what it adds, and `layer.json` with what it
//! takes away. `<root>/<id>/` is an image: hard links into the trees of its layers, with the places
//! at which a sandbox mounts what is its own. Nothing of it is made when an environment starts.

mod clean;
mod furnish;
mod inside;
mod layer;
mod merge;
mod unpack;

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::syncfs;
use sha2::{Digest, Sha256};

use super::{CodeImage, ImageId, Images, UNFINISHED, publish};
use crate::error::ImageError;

pub(crate) use inside::{is_program, resolve};
use layer::Layer;
pub use unpack::Pulled;

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

    /// Unpacks a layer. Blocks. Nothing of it stays unless its bytes are what the digest says, and
    /// once this returns, it survives a crash.
    ///
    /// # Errors
    /// It is no archive of a file system, or too large, or of another digest.
    pub fn import_layer(
        &self,
        digest: ImageId,
        compression: Compression,
        content: impl Read,
    ) -> Result<(), ImageError> {
        if self.has_layer(digest) {
            return Ok(());
        }
        let incoming = self.incoming()?;
        let tree = incoming.path().join(TREE);
        clean::folder(&tree).map_err(ImageError::io("make a folder for a layer"))?;
        let summary = unpack::unpack(content, compression, digest, &tree, MAX_CONTAINER_BYTES)?;
        summary.write(&incoming.path().join(SUMMARY))?;
        sync(incoming.path())?;
        let place = self.layer(digest);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).map_err(ImageError::io("make the folder of layers"))?;
        }
        publish::publish(incoming, &place)
    }

    /// Links layers into one tree, later ones over earlier ones. Blocks; done before, it costs
    /// nothing. `None` if a layer is missing.
    ///
    /// # Errors
    /// The layers together are too large, or do not fit each other.
    pub fn assemble(&self, layers: &[ImageId]) -> Result<Option<CodeImage>, ImageError> {
        let id = ImageId::container(layers);
        if let Some(image) = self.open(id) {
            return Ok(Some(image));
        }
        let mut summaries = Vec::new();
        for digest in layers {
            let folder = self.layer(*digest);
            if !folder.is_dir() {
                return Ok(None);
            }
            summaries.push((Layer::read(&folder.join(SUMMARY))?, folder.join(TREE)));
        }
        let bytes = summaries.iter().map(|(layer, _)| layer.bytes);
        if bytes.fold(0, u64::saturating_add) > MAX_CONTAINER_BYTES {
            let limit = MAX_CONTAINER_BYTES;
            return Err(ImageError::TooLarge { limit });
        }
        let incoming = self.incoming()?;
        for (layer, tree) in &summaries {
            merge::put_over(layer, tree, incoming.path())?;
        }
        furnish::furnish(incoming.path()).map_err(ImageError::io("furnish an image"))?;
        sync(incoming.path())?;
        self.publish(incoming, id).map(Some)
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

impl ImageId {
    /// Of the image that these layers make. The number changes with the furniture.
    pub fn container(layers: &[Self]) -> Self {
        let mut digest = Sha256::new_with_prefix(b"container image 1\n");
        for layer in layers {
            digest.update(layer.0);
        }
        Self(digest.finalize().into())
    }
}

/// Thousands of files: one sync of the whole file system is cheaper than each.
fn sync(folder: &Path) -> Result<(), ImageError> {
    let sync = || -> io::Result<()> {
        clean::open_up(folder)?;
        Ok(syncfs(fs::File::open(folder)?)?)
    };
    sync().map_err(ImageError::io("sync an image"))
}
