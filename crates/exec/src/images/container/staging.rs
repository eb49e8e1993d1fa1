//! Layers on their way to an image, and one sync for all of it.
//!
//! What is unpacked here is nobody's until [`Staging::keep`] or [`Staging::assemble`] has made it
//! durable and put it in its place. Meanwhile what has been written already goes to the disk, so
//! that little of it is left to wait for.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::fs::syncfs;
use tempfile::TempDir;

use super::layer::Layer;
use super::{
    Compression, MAX_CONTAINER_BYTES, SUMMARY, StackedLayer, TREE, clean, furnish, merge, unpack,
};
use crate::error::ImageError;
use crate::images::{CodeImage, ImageId, Images, publish};

/// Unpacked bytes after which they are sent to the disk, while more arrive.
const AHEAD: u64 = 64 << 20;

/// Layers that have been unpacked and are not durable yet. What is left here when it is dropped goes.
pub struct Staging {
    images: Images,
    /// Opened before anything was written: a sync by it tells of every write that failed since.
    since: File,
    layers: Mutex<Vec<Staged>>,
    unsent: AtomicU64,
    is_sending: Arc<AtomicBool>,
}

struct Staged {
    digest: ImageId,
    summary: Layer,
    incoming: TempDir,
}

impl Images {
    /// Where the layers of an image are unpacked.
    ///
    /// # Errors
    /// The folder of images cannot be opened.
    pub fn staging(&self) -> Result<Staging, ImageError> {
        let since = File::open(&self.0.root);
        Ok(Staging {
            images: self.clone(),
            since: since.map_err(ImageError::io("open the folder of images"))?,
            layers: Mutex::default(),
            unsent: AtomicU64::new(0),
            is_sending: Arc::default(),
        })
    }
}

impl Staging {
    /// Unpacks a layer. Blocks; several may be unpacked at once. Nothing of it stays unless its
    /// bytes are what the digest says.
    ///
    /// # Errors
    /// It is no archive of a file system, or too large, or of another digest.
    pub fn unpack(
        &self,
        digest: ImageId,
        compression: Compression,
        pieces: impl Iterator<Item = io::Result<Bytes>> + Send,
    ) -> Result<(), ImageError> {
        if self.images.has_layer(digest) || self.has(digest) {
            return Ok(());
        }
        let incoming = self.images.incoming()?;
        let tree = incoming.path().join(TREE);
        clean::folder(&tree).map_err(ImageError::io("make a folder for a layer"))?;
        let wrote = |bytes| self.send_ahead(bytes);
        let bounds = unpack::Bounds {
            bytes: MAX_CONTAINER_BYTES,
            wrote: &wrote,
        };
        let summary = unpack::unpack(pieces, compression, digest, &tree, bounds)?;
        summary.write(&incoming.path().join(SUMMARY))?;
        clean::open_up(incoming.path()).map_err(ImageError::io("open up a layer"))?;
        let mut layers = self.layers.lock();
        // The same layer twice at once: the first stays.
        if layers.iter().all(|it| it.digest != digest) {
            layers.push(Staged {
                digest,
                summary,
                incoming,
            });
        }
        Ok(())
    }

    /// Makes what has been unpacked durable, for images to come. Blocks.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn keep(&self) -> Result<(), ImageError> {
        let layers = std::mem::take(&mut *self.layers.lock());
        if layers.is_empty() {
            return Ok(());
        }
        self.sync()?;
        self.place(layers)
    }

    /// Links layers into one tree, later ones over earlier ones: those that were unpacked here, and
    /// those that were before. Blocks; done before, it costs nothing. Once this returns, the image
    /// and its layers survive a crash. `None` if a layer is missing.
    ///
    /// # Errors
    /// The layers together are too large, or do not fit each other.
    pub fn assemble(&self, layers: &[StackedLayer]) -> Result<Option<CodeImage>, ImageError> {
        let id = ImageId::container(layers);
        if let Some(image) = self.images.open(id) {
            return Ok(Some(image));
        }
        let staged = std::mem::take(&mut *self.layers.lock());
        let merged = self.merge(layers, &staged);
        let incoming = match merged {
            Ok(Some(incoming)) => incoming,
            // Layers are worth keeping without it.
            none => {
                self.layers.lock().extend(staged);
                self.keep()?;
                return none.map(|_| None);
            }
        };
        self.sync()?;
        self.place(staged)?;
        self.images.publish(incoming, id).map(Some)
    }

    /// The tree, if every layer is there.
    fn merge(
        &self,
        layers: &[StackedLayer],
        staged: &[Staged],
    ) -> Result<Option<TempDir>, ImageError> {
        let mut placed: Vec<(ImageId, Layer, PathBuf)> = Vec::new();
        for StackedLayer { digest, .. } in layers {
            let here = staged.iter().any(|it| it.digest == *digest);
            let folder = self.images.layer(*digest);
            if !here && !folder.is_dir() {
                return Ok(None);
            }
            if !here && placed.iter().all(|(known, ..)| known != digest) {
                placed.push((*digest, Layer::read(&folder.join(SUMMARY))?, folder));
            }
        }
        let mut found: Vec<(&Layer, &Path)> = Vec::new();
        for StackedLayer { digest, diff_id } in layers {
            let here = staged.iter().find(|it| it.digest == *digest);
            let here = here.map(|it| (&it.summary, it.incoming.path()));
            let there = || {
                let there = placed.iter().find(|(known, ..)| known == digest)?;
                Some((&there.1, there.2.as_path()))
            };
            let Some((layer, folder)) = here.or_else(there) else {
                return Ok(None);
            };
            if let (Some(expected), Some(found)) = (*diff_id, layer.diff_id)
                && expected != found
            {
                return Err(ImageError::DiffId {
                    layer: *digest,
                    expected,
                    found,
                });
            }
            found.push((layer, folder));
        }
        let bytes = found.iter().map(|(layer, _)| layer.bytes);
        if bytes.fold(0, u64::saturating_add) > MAX_CONTAINER_BYTES {
            let limit = MAX_CONTAINER_BYTES;
            return Err(ImageError::TooLarge { limit });
        }
        // The disk has something to do while links are made.
        self.send();
        let incoming = self.images.incoming()?;
        for (layer, folder) in found {
            merge::put_over(layer, &folder.join(TREE), incoming.path())?;
        }
        furnish::furnish(incoming.path())
            .and_then(|()| clean::open_up(incoming.path()))
            .map_err(ImageError::io("furnish an image"))?;
        Ok(Some(incoming))
    }

    fn has(&self, digest: ImageId) -> bool {
        self.layers.lock().iter().any(|it| it.digest == digest)
    }

    /// Thousands of files: one sync of the whole file system is cheaper than each.
    fn sync(&self) -> Result<(), ImageError> {
        syncfs(&self.since).map_err(|error| ImageError::io("sync an image")(error.into()))
    }

    /// Gives synced layers their names.
    fn place(&self, layers: Vec<Staged>) -> Result<(), ImageError> {
        let Some(folder) = layers
            .first()
            .and_then(|it| Some(self.images.layer(it.digest).parent()?.to_owned()))
        else {
            return Ok(());
        };
        fs::create_dir_all(&folder).map_err(ImageError::io("make the folder of layers"))?;
        for Staged {
            digest, incoming, ..
        } in layers
        {
            publish::rename(incoming, &self.images.layer(digest))?;
        }
        publish::sync_folder(&folder)?;
        // The folder of layers may be new.
        publish::sync_folder(&self.images.0.root)
    }

    /// Has the disk begin with what has been written, once there is enough of it.
    fn send_ahead(&self, bytes: u64) {
        let unsent = self.unsent.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if unsent >= AHEAD {
            self.send();
        }
    }

    /// Has it begin, on a thread of its own.
    fn send(&self) {
        if self.is_sending.swap(true, Ordering::Acquire) {
            return;
        }
        self.unsent.store(0, Ordering::Relaxed);
        let (root, is_sending) = (self.images.0.root.clone(), Arc::clone(&self.is_sending));
        let sending = std::thread::Builder::new()
            .name("image-sync".to_owned())
            .spawn(move || {
                // By a handle of its own: the sync that counts is to come, and tells what failed.
                if let Err(error) = File::open(root).and_then(|root| Ok(syncfs(root)?)) {
                    tracing::debug!(%error, "send an image to the disk");
                }
                is_sending.store(false, Ordering::Release);
            });
        if sending.is_err() {
            self.is_sending.store(false, Ordering::Release);
        }
    }
}
