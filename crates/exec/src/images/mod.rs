//! Code images: unpacked deployment packages, addressed by the SHA-256 of their archive.
//!
//! `<root>/<sha256>/` is a complete package or does not exist: an image is unpacked under another
//! name, synced, and renamed. Its files are readable by every user, since each environment has a
//! user of its own, and writable by none. A removed image goes when nothing runs it any more.

mod archive;
mod compiled;
mod container;
mod publish;
mod stacked;

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::fs::{IFlags, Mode, OFlags, ioctl_getflags, ioctl_setflags, open};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub use container::{Compression, MAX_CONTAINER_BYTES, StackedLayer, Staging};
pub(crate) use container::{is_program, resolve};

use crate::error::ImageError;

/// Most bytes of an unzipped package (250 MB).
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
pub const MAX_UNZIPPED_BYTES: u64 = 262_144_000;

/// Most entries of an archive: a bound of ours against archives of a million empty files.
pub const MAX_ENTRIES: usize = 131_072;

/// What an archive may hold at most.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Of all files together, unzipped.
    bytes: u64,
    entries: usize,
}

impl Bounds {
    const LAMBDA: Self = Self {
        bytes: MAX_UNZIPPED_BYTES,
        entries: MAX_ENTRIES,
    };
}

/// Folders that are being unpacked or deleted begin with this.
const UNFINISHED: &str = ".unfinished-";

/// The code images of one server, in a folder of its own. Cheap to clone.
#[derive(Clone)]
pub struct Images(Arc<Folder>);

struct Folder {
    root: PathBuf,
    /// Images somebody holds. Also the lock under which image folders come and go.
    held: Mutex<HashMap<ImageId, Weak<Held>>>,
}

/// One unpacked package. Cheap to clone; its folder stays as long as a clone lives.
#[derive(Clone)]
pub struct CodeImage(Arc<Held>);

struct Held {
    folder: Arc<Folder>,
    id: ImageId,
    path: PathBuf,
    /// To be deleted once nobody holds it.
    removed: AtomicBool,
}

/// The SHA-256 of a deployment package, or of the order of the layers that it stacks. Written in
/// hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageId(pub [u8; 32]);

impl Images {
    /// Opens or makes the folder, and clears what an interrupted import or removal has left.
    pub fn new(root: impl Into<PathBuf>) -> Result<Self, ImageError> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(ImageError::io("make the image folder"))?;
        spread(&root);
        let images = Self(Arc::new(Folder {
            root,
            held: Mutex::default(),
        }));
        for name in images.names()? {
            if name.starts_with(UNFINISHED) {
                clear(&images.0.root.join(name))?;
            }
        }
        Ok(images)
    }

    /// Unpacks a package. Blocks; the same package again costs only its hash. Once this returns,
    /// the image survives a crash.
    pub fn import_zip(&self, package: &Bytes) -> Result<CodeImage, ImageError> {
        let id = ImageId(Sha256::digest(package).into());
        if let Some(image) = self.open(id) {
            return Ok(image);
        }
        let incoming = self.incoming()?;
        let unpacked = archive::unpack(package, incoming.path(), Bounds::LAMBDA)?;
        publish::sync(incoming.path(), &unpacked)?;
        self.publish(incoming, id)
    }

    /// A folder for an image that is being made.
    fn incoming(&self) -> Result<TempDir, ImageError> {
        tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(&self.0.root)
            .map_err(ImageError::io("make a folder for the package"))
    }

    /// Makes a synced folder the image of this name.
    fn publish(&self, incoming: TempDir, id: ImageId) -> Result<CodeImage, ImageError> {
        let mut held = self.0.held.lock();
        publish::publish(incoming, &self.0.path(id))?;
        self.0.hold(&mut held, id).ok_or_else(|| ImageError::Io {
            action: "publish the package",
            source: io::Error::from(io::ErrorKind::NotFound),
        })
    }

    /// An image that was imported before.
    pub fn open(&self, id: ImageId) -> Option<CodeImage> {
        self.0.hold(&mut self.0.held.lock(), id)
    }

    /// Deletes an image: now, or as soon as no environment and no [`CodeImage`] holds it. Opening
    /// or importing it before then keeps it.
    pub fn remove(&self, id: ImageId) -> Result<(), ImageError> {
        let held = self.0.held.lock();
        match held.get(&id).and_then(Weak::upgrade) {
            Some(image) => {
                // The last clone may be ours: it must not be dropped under the lock.
                image.removed.store(true, Ordering::Release);
                drop(held);
                drop(image);
                Ok(())
            }
            None => self
                .0
                .withdraw(id)
                .map_err(ImageError::io("delete an image")),
        }
    }

    /// Removes every image that `live` does not name; returns how many.
    pub fn sweep(&self, live: impl Fn(ImageId) -> bool) -> Result<usize, ImageError> {
        let names = self.names()?;
        let dead = names
            .iter()
            .filter_map(|name| name.parse().ok())
            .filter(|id| !live(*id));
        let mut swept = 0;
        for id in dead {
            self.remove(id)?;
            swept += 1;
        }
        Ok(swept)
    }

    fn names(&self) -> Result<Vec<String>, ImageError> {
        let list = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in fs::read_dir(&self.0.root)? {
                names.extend(entry?.file_name().into_string().ok());
            }
            Ok(names)
        };
        list().map_err(ImageError::io("list the image folder"))
    }
}

/// Tells ext4 that the folders in here have nothing to do with each other, so that each begins in
/// a group of blocks and inodes of its own. Without a journal ext4 looks at every inode of a group that
/// was freed in the last minutes before it takes one; where another image has just been removed, that
/// costs more for each file than writing it. Other file systems do not know of it.
fn spread(root: &Path) {
    let set = || -> rustix::io::Result<()> {
        let folder = open(
            root,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let flags = ioctl_getflags(&folder)?;
        if !flags.contains(IFlags::TOPDIR) {
            ioctl_setflags(&folder, flags | IFlags::TOPDIR)?;
        }
        Ok(())
    };
    if let Err(error) = set() {
        tracing::debug!(%error, "spread the images over the disk");
    }
}

/// Removes what was left unfinished. Somebody else may be doing just that: a removal goes on by a
/// thread of its own, even after its [`Images`] are gone.
fn clear(folder: &Path) -> Result<(), ImageError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(ImageError::io("clear an interrupted import")(error))
        }
        _ => Ok(()),
    }
}

impl CodeImage {
    /// The folder that holds every image.
    pub(crate) fn root(&self) -> &Path {
        &self.0.folder.root
    }
}

impl Folder {
    fn path(&self, id: ImageId) -> PathBuf {
        self.root.join(id.to_string())
    }

    fn hold(
        self: &Arc<Self>,
        held: &mut HashMap<ImageId, Weak<Held>>,
        id: ImageId,
    ) -> Option<CodeImage> {
        if let Some(image) = held.get(&id).and_then(Weak::upgrade) {
            image.removed.store(false, Ordering::Release);
            return Some(CodeImage(image));
        }
        let path = self.path(id);
        if !path.is_dir() {
            return None;
        }
        let folder = Arc::clone(self);
        let image = Arc::new(Held {
            folder,
            id,
            path,
            removed: AtomicBool::new(false),
        });
        held.insert(id, Arc::downgrade(&image));
        Some(CodeImage(image))
    }

    /// Takes an image away in one step, and deletes its files on a thread of their own.
    fn withdraw(&self, id: ImageId) -> io::Result<()> {
        let grave = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(&self.root)?;
        // Bytecode without its image is of no use; it may never have been made.
        let _ = fs::rename(self.compiled(id), grave.path().join("compiled"));
        match fs::rename(self.path(id), grave.path().join("image")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            renamed => renamed?,
        }
        std::thread::Builder::new()
            .name("image-removal".to_owned())
            .spawn(move || {
                if let Err(error) = grave.close() {
                    tracing::warn!(%error, image = %id, "delete a removed code image");
                }
            })?;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = self.folder.held.lock();
        // Somebody may have opened the image again since the last clone went.
        let ours = held
            .get(&self.id)
            .is_some_and(|known| std::ptr::eq(known.as_ptr(), self));
        if !ours {
            return;
        }
        held.remove(&self.id);
        if self.removed.load(Ordering::Acquire)
            && let Err(error) = self.folder.withdraw(self.id)
        {
            tracing::warn!(%error, image = %self.id, "delete a removed code image");
        }
    }
}

impl CodeImage {
    pub fn id(&self) -> ImageId {
        self.0.id
    }

    /// The folder with the package's files.
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Images")
            .field("root", &self.0.root)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CodeImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CodeImage").field(&self.0.id).finish()
    }
}

impl fmt::Display for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for ImageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ImageId {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut id = [0; 32];
        hex::decode_to_slice(text, &mut id)?;
        Ok(Self(id))
    }
}
