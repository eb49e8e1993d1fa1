//! Unpacks the archive of a layer, which nobody vouches for.
//!
//! Symbolic links are made after every file, so that nothing is ever written through one; a path
//! that leads through a link of its own layer is followed inside the layer, by name alone. Owners,
//! set-id bits and extended attributes are not kept: an environment has one user, and no privilege.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, Permissions};
use std::io::{self, BufRead, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use tar::{EntryType, Header};

use super::entries::{Entries, Entry, corrupt};
use super::layer::{Layer, LayerPath};
use super::{Compression, ImageId, clean, content};
use crate::error::ImageError;

/// Files and folders that take away what earlier layers have.
/// <https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts>
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const RESERVED: &[u8] = b".wh..wh.";

const MAX_HOPS: usize = 40;

/// How much a layer may hold, and who is told of what has been written of it.
pub(super) struct Bounds<'a> {
    pub(super) bytes: u64,
    pub(super) wrote: &'a dyn Fn(u64),
}

/// Unpacks into an existing, empty folder.
pub(super) fn unpack(
    pieces: impl Iterator<Item = io::Result<Bytes>> + Send,
    compression: Compression,
    digest: ImageId,
    root: &Path,
    bounds: Bounds<'_>,
) -> Result<Layer, ImageError> {
    let unpacked = content::unpacked(pieces, compression, digest, |archived| {
        read(archived, root, bounds)
    });
    let (mut layer, archive) = unpacked?;
    layer.diff_id = Some(archive);
    Ok(layer)
}

fn read(content: impl BufRead, root: &Path, bounds: Bounds<'_>) -> Result<Layer, ImageError> {
    let mut unpacking = Unpacking {
        root,
        opened: File::open(root).map_err(ImageError::io("open the folder of a layer"))?,
        folders: HashSet::new(),
        symlinks: BTreeMap::new(),
        modes: Vec::new(),
        layer: Layer::default(),
        bounds,
    };
    let mut entries = Entries::new(content);
    while let Some(entry) = entries.next()? {
        unpacking.entry(entry, &mut entries)?;
    }
    unpacking.finish()
}

struct Unpacking<'a> {
    root: &'a Path,
    /// The same, so that the way there is not gone for every file.
    opened: File,
    /// Folders that are there, made by us.
    folders: HashSet<PathBuf>,
    /// To be made last.
    symlinks: BTreeMap<PathBuf, PathBuf>,
    /// Of folders, set last: one without the right to write could not be filled.
    modes: Vec<(PathBuf, u32, SystemTime)>,
    layer: Layer,
    bounds: Bounds<'a>,
}

impl Unpacking<'_> {
    fn entry<R: BufRead>(
        &mut self,
        Entry { header, named }: Entry,
        content: &mut Entries<R>,
    ) -> Result<(), ImageError> {
        let name = named
            .path
            .unwrap_or_else(|| header.path_bytes().into_owned());
        let path = clean::path(&name)?;
        let modified = modified(&header, named.modified);
        let Some(last) = path.file_name() else {
            // The root itself.
            return Ok(());
        };
        let parent = self.resolve(&name, path.parent().unwrap_or(Path::new("")))?;
        let target = parent.join(last);
        if last.as_bytes() == OPAQUE {
            self.layer.opaque.push(LayerPath(parent));
            return Ok(());
        }
        if last.as_bytes().starts_with(RESERVED) {
            return Ok(());
        }
        if let Some(hidden) = last.as_bytes().strip_prefix(WHITEOUT) {
            if hidden.is_empty() || hidden == b"." || hidden == b".." {
                return Err(clean::refuse(&name, "it takes away nothing"));
            }
            let hidden = parent.join(OsStr::from_bytes(hidden));
            self.layer.whiteouts.push(LayerPath(hidden));
            return Ok(());
        }
        let link = || {
            let link = named.link.clone();
            link.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned))
                .ok_or_else(|| clean::refuse(&name, "it is a link to nothing"))
        };
        match header.entry_type() {
            EntryType::Regular | EntryType::Continuous => {
                self.parents(&name, &target)?;
                self.forget(&target)?;
                self.file(content, &target, mode(&header)?, modified)
            }
            EntryType::Directory => self.folder(&name, target, mode(&header)?, modified),
            EntryType::Symlink => {
                self.make_way(&name, &target)?;
                let leads = PathBuf::from(OsStr::from_bytes(&link()?));
                if leads.as_os_str().is_empty() || leads.as_os_str().as_bytes().contains(&0) {
                    return Err(clean::refuse(&name, "it is a link to nothing"));
                }
                self.symlinks.insert(target, leads);
                Ok(())
            }
            EntryType::Link => {
                let to = clean::path(&link()?)?;
                let folder = self.resolve(&name, to.parent().unwrap_or(Path::new("")))?;
                let to = folder.join(to.file_name().unwrap_or_default());
                self.hard_link(&name, target, to)
            }
            // An environment has devices of its own, and could open none of these.
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                tracing::debug!(entry = %target.display(), "a device or pipe of a layer is left out");
                Ok(())
            }
            _ => Err(clean::refuse(&name, "it is of a kind that is not known")),
        }
    }

    /// Where a folder of the archive lies, with this layer's own links followed by name.
    fn resolve(&self, name: &[u8], path: &Path) -> Result<PathBuf, ImageError> {
        if self.symlinks.is_empty() {
            return Ok(path.to_owned());
        }
        let mut left: Vec<PathBuf> = path
            .components()
            .rev()
            .map(|it| it.as_os_str().into())
            .collect();
        let (mut found, mut hops) = (PathBuf::new(), 0);
        while let Some(part) = left.pop() {
            if part == Path::new("..") {
                found.pop();
                continue;
            }
            found.push(&part);
            let Some(leads) = self.symlinks.get(&found) else {
                continue;
            };
            hops += 1;
            if hops > MAX_HOPS {
                return Err(clean::refuse(name, "its path has too many links"));
            }
            found.pop();
            for component in leads.components().rev() {
                match component {
                    Component::Normal(part) => left.push(part.into()),
                    Component::ParentDir => left.push("..".into()),
                    Component::RootDir => left.push("/".into()),
                    Component::CurDir | Component::Prefix(_) => {}
                }
            }
            if left.last().is_some_and(|next| next == Path::new("/")) {
                left.pop();
                found.clear();
            }
        }
        Ok(found)
    }

    /// Makes the folders above a path, and takes away what is at it.
    fn make_way(&mut self, name: &[u8], target: &Path) -> Result<(), ImageError> {
        self.parents(name, target)?;
        self.forget(target)?;
        clean::remove(&self.root.join(target)).map_err(ImageError::io("replace an entry"))
    }

    /// Takes away the link or folder at a path. A file may be left there.
    fn forget(&mut self, target: &Path) -> Result<(), ImageError> {
        if self.symlinks.remove(target).is_some() || !self.folders.contains(target) {
            return Ok(());
        }
        self.folders.retain(|folder| !folder.starts_with(target));
        self.symlinks.retain(|link, _| !link.starts_with(target));
        self.modes
            .retain(|(folder, ..)| !folder.starts_with(target));
        let implicit = &mut self.layer.implicit;
        implicit.retain(|folder| !folder.0.starts_with(target));
        clean::remove(&self.root.join(target)).map_err(ImageError::io("replace an entry"))
    }

    fn parents(&mut self, name: &[u8], target: &Path) -> Result<(), ImageError> {
        let parent = target.parent().unwrap_or(Path::new(""));
        if parent.as_os_str().is_empty() || self.folders.contains(parent) {
            return Ok(());
        }
        self.parents(name, parent)?;
        let place = self.root.join(parent);
        if fs::symlink_metadata(&place).is_ok() {
            return Err(clean::refuse(name, "a part of its path is no folder"));
        }
        self.make_folder(parent)?;
        self.layer.implicit.insert(LayerPath(parent.to_owned()));
        Ok(())
    }

    fn make_folder(&mut self, path: &Path) -> Result<(), ImageError> {
        clean::folder(&self.root.join(path)).map_err(ImageError::io("make a folder of a layer"))?;
        self.folders.insert(path.to_owned());
        Ok(())
    }

    fn folder(
        &mut self,
        name: &[u8],
        target: PathBuf,
        mode: u32,
        modified: SystemTime,
    ) -> Result<(), ImageError> {
        if self.folders.contains(&target) {
            let there = LayerPath(target.clone());
            self.layer.implicit.remove(&there);
        } else {
            self.make_way(name, &target)?;
            self.make_folder(&target)?;
        }
        self.modes.push((target, mode & 0o777 | 0o700, modified));
        Ok(())
    }

    fn file<R: BufRead>(
        &mut self,
        content: &mut Entries<R>,
        target: &Path,
        mode: u32,
        modified: SystemTime,
    ) -> Result<(), ImageError> {
        let create = || {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            openat(&self.opened, target, flags, Mode::RUSR | Mode::WUSR)
        };
        let created = match create() {
            // Seldom: it is cheaper to be told than to look each time.
            Err(Errno::EXIST) => {
                let removed = clean::remove(&self.root.join(target));
                removed.and_then(|()| Ok(create()?))
            }
            created => created.map_err(io::Error::from),
        };
        let created = created.map_err(ImageError::io("create a file of a layer"))?;
        let mut file = File::from(created);
        let mut written = 0;
        loop {
            let piece = content.content()?;
            let length = piece.len();
            if length == 0 {
                break;
            }
            written += length as u64;
            let limit = self.bounds.bytes;
            if self.layer.bytes + written > limit {
                return Err(ImageError::TooLarge { limit });
            }
            file.write_all(piece)
                .map_err(ImageError::io("write a file of a layer"))?;
            content.consume(length);
        }
        self.layer.bytes += written;
        (self.bounds.wrote)(written);
        file.set_permissions(Permissions::from_mode(mode & 0o777 | 0o400))
            .and_then(|()| file.set_times(FileTimes::new().set_modified(modified)))
            .map_err(ImageError::io("write a file of a layer"))
    }

    fn hard_link(&mut self, name: &[u8], target: PathBuf, to: PathBuf) -> Result<(), ImageError> {
        if target == to {
            return Ok(());
        }
        let is_below = to.starts_with(&target);
        if is_below {
            return Err(clean::refuse(name, "it is a link to what it replaces"));
        }
        self.make_way(name, &target)?;
        if let Some(leads) = self.symlinks.get(&to).cloned() {
            self.symlinks.insert(target, leads);
            return Ok(());
        }
        let source = self.root.join(&to);
        match fs::symlink_metadata(&source) {
            Ok(there) if there.is_file() => fs::hard_link(source, self.root.join(target))
                .map_err(ImageError::io("link a file of a layer")),
            Ok(_) => Err(clean::refuse(name, "it is a link to what is no file")),
            // Perhaps of an earlier layer.
            Err(_) => {
                self.layer.links.push((LayerPath(target), LayerPath(to)));
                Ok(())
            }
        }
    }

    fn finish(self) -> Result<Layer, ImageError> {
        for (path, leads) in &self.symlinks {
            symlink(leads, self.root.join(path))
                .map_err(ImageError::io("make a symbolic link of a layer"))?;
        }
        // From the bottom, so that setting one's time is not undone by what is made in it.
        for (path, mode, modified) in self.modes.iter().rev() {
            let place = self.root.join(path);
            let set = fs::set_permissions(&place, Permissions::from_mode(*mode)).and_then(|()| {
                let times = FileTimes::new().set_modified(*modified);
                File::open(&place)?.set_times(times)
            });
            set.map_err(ImageError::io("set the mode of a folder"))?;
        }
        Ok(self.layer)
    }
}

fn mode(header: &Header) -> Result<u32, ImageError> {
    header.mode().map_err(corrupt)
}

fn modified(header: &Header, exactly: Option<u64>) -> SystemTime {
    let seconds = exactly.or_else(|| header.mtime().ok()).unwrap_or(0);
    // Beyond this lies no time that file systems know.
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.min(1 << 33))
}
