//! Layers stacked into one image, which is what a function with several has at `/opt`.
//!
//! It is made when the function is deployed, of hard links to the layers' files, so that mounting it
//! takes one bind however many there are. Folders that two layers have are merged; of files, links
//! and whatever differs in kind, the later layer's stays.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::archive::{Unpacked, make_folder};
use super::{CodeImage, ImageId, Images, publish};
use crate::error::ImageError;

impl ImageId {
    /// Of the image that holds these layers, in their order. One layer is itself.
    pub fn stacked(layers: &[Self]) -> Self {
        if let [only] = layers {
            return *only;
        }
        let mut digest = Sha256::new_with_prefix(b"stacked layers\n");
        for layer in layers {
            digest.update(layer.0);
        }
        Self(digest.finalize().into())
    }
}

impl Images {
    /// Stacks layers in their order, later ones over earlier ones. Blocks; done before, it costs
    /// nothing. Its files take no room of their own.
    ///
    /// # Errors
    /// The host's own trouble.
    pub fn stack(&self, layers: &[CodeImage]) -> Result<CodeImage, ImageError> {
        if let [only] = layers {
            return Ok(only.clone());
        }
        let ids: Vec<ImageId> = layers.iter().map(CodeImage::id).collect();
        let id = ImageId::stacked(&ids);
        if let Some(image) = self.open(id) {
            return Ok(image);
        }
        let incoming = self.incoming()?;
        let mut unpacked = Unpacked::default();
        for layer in layers {
            put_over(layer.path(), incoming.path(), &mut unpacked)?;
        }
        publish::sync(incoming.path(), &unpacked)?;
        self.publish(incoming, id)
    }
}

impl CodeImage {
    /// The image with one more, empty file or folder, at which something of the host can be
    /// mounted. Blocks when it is asked for first. No function names it, so that it goes when the
    /// next server starts, and is made again when it is missing.
    ///
    /// # Errors
    /// The image has something there, and the host's own trouble.
    pub(crate) fn with_mount_point(
        &self,
        inside: &Path,
        is_folder: bool,
    ) -> Result<Self, ImageError> {
        let images = Images(Arc::clone(&self.0.folder));
        let digest = Sha256::new_with_prefix(b"mount point\n");
        let digest = digest.chain_update(self.id().0);
        let id = digest.chain_update(inside.as_os_str().as_encoded_bytes());
        let id = ImageId(id.finalize().into());
        if let Some(image) = images.open(id) {
            return Ok(image);
        }
        let incoming = images.incoming()?;
        let mut unpacked = Unpacked::default();
        put_over(self.path(), incoming.path(), &mut unpacked)?;
        let mut place = incoming.path().to_owned();
        let parent = inside.parent().unwrap_or(Path::new(""));
        let folder = if is_folder { inside } else { parent };
        for part in folder.components() {
            place.push(part);
            // Never through a link.
            if !fs::symlink_metadata(&place).is_ok_and(|there| there.is_dir()) {
                make_folder(&place)?;
                unpacked.paths.push(place.clone());
            }
        }
        if !is_folder {
            let place = incoming.path().join(inside);
            File::create_new(&place).map_err(ImageError::io("make a mount point"))?;
            unpacked.paths.push(place);
        }
        publish::sync(incoming.path(), &unpacked)?;
        images.publish(incoming, id)
    }

    /// Bytes of all its files. Blocks.
    ///
    /// # Errors
    /// The host's own trouble.
    pub fn unzipped_bytes(&self) -> Result<u64, ImageError> {
        fn of(folder: &Path) -> io::Result<u64> {
            let mut total = 0;
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                let metadata = entry.metadata()?;
                total += if metadata.is_dir() {
                    of(&entry.path())?
                } else {
                    metadata.len()
                };
            }
            Ok(total)
        }
        of(self.path()).map_err(ImageError::io("measure an image"))
    }
}

/// Puts what one folder holds into another, over what is there.
fn put_over(from: &Path, to: &Path, unpacked: &mut Unpacked) -> Result<(), ImageError> {
    let listed = fs::read_dir(from).map_err(ImageError::io("list a layer"))?;
    for entry in listed {
        let entry = entry.map_err(ImageError::io("list a layer"))?;
        let kind = entry.file_type().map_err(ImageError::io("list a layer"))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        // Not followed: nothing is ever written through a link.
        let there = fs::symlink_metadata(&target).ok();
        let is_merged = kind.is_dir() && there.as_ref().is_some_and(fs::Metadata::is_dir);
        if let Some(there) = there.filter(|_| !is_merged) {
            let cleared = if there.is_dir() {
                unpacked.paths.retain(|path| !path.starts_with(&target));
                fs::remove_dir_all(&target)
            } else {
                fs::remove_file(&target)
            };
            cleared.map_err(ImageError::io("put a layer over another"))?;
        }
        if kind.is_dir() {
            if !is_merged {
                make_folder(&target)?;
                unpacked.paths.push(target.clone());
            }
            put_over(&source, &target, unpacked)?;
        } else if kind.is_symlink() {
            fs::read_link(&source)
                .and_then(|leads| symlink(leads, &target))
                .map_err(ImageError::io("make a symbolic link of a layer"))?;
        } else {
            link(&source, &target).map_err(ImageError::io("link a file of a layer"))?;
        }
    }
    Ok(())
}

/// A file of many functions' layers may have as many links as the file system allows.
pub(super) fn link(source: &Path, target: &Path) -> io::Result<()> {
    match fs::hard_link(source, target) {
        Err(error) if error.kind() == io::ErrorKind::TooManyLinks => {
            fs::copy(source, target).map(|_| ())
        }
        linked => linked,
    }
}
