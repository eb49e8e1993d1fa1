//! Unpacks a zip archive that nobody vouches for.
//!
//! Sizes are counted as they are inflated, never believed. Symbolic links are made after every
//! file, so that nothing is ever written through one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Cursor, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use zip::read::{ZipArchive, ZipFile};
use zip::result::ZipError;

use super::Bounds;
use crate::error::ImageError;

/// Linux's bounds on a name and on a path, less the folder that an image lives in.
const MAX_NAME: usize = 255;
const MAX_PATH: usize = 3_072;

const S_IFMT: u32 = 0o170_000;
const S_IFREG: u32 = 0o100_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFLNK: u32 = 0o120_000;

/// What was written.
#[derive(Debug, Default)]
pub(super) struct Unpacked {
    /// Regular files and folders; a link is part of its folder.
    pub(super) paths: Vec<PathBuf>,
}

/// What a path of the archive is, explicitly or as a parent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    File,
    Folder,
    Link,
}

struct Unpacking<'a> {
    root: &'a Path,
    seen: BTreeMap<PathBuf, Kind>,
    links: Vec<(PathBuf, PathBuf)>,
    bounds: Bounds,
    inflated: u64,
}

/// Unpacks into an existing, empty folder.
pub(super) fn unpack(package: &Bytes, root: &Path, bounds: Bounds) -> Result<Unpacked, ImageError> {
    check_entry_count(package, bounds.entries)?;
    let mut archive = ZipArchive::new(Cursor::new(package.as_ref())).map_err(corrupt)?;
    if archive.has_duplicate_names() {
        return Err(ImageError::Duplicate);
    }
    let mut unpacking = Unpacking {
        root,
        seen: BTreeMap::new(),
        links: Vec::new(),
        bounds,
        inflated: 0,
    };
    for index in 0..archive.len() {
        unpacking.entry(&mut archive.by_index(index).map_err(corrupt)?)?;
    }
    unpacking.finish()
}

/// Refuses an archive of too many entries before an index of them is built in memory.
fn check_entry_count(package: &Bytes, limit: usize) -> Result<(), ImageError> {
    /// Each entry has a header in the central directory that begins so, of at least 46 bytes.
    const HEADER: &[u8] = b"PK\x01\x02";
    let is_header = |bytes: &&[u8]| *bytes == HEADER;
    let possible = package.len() / 46 > limit;
    if possible && package.windows(HEADER.len()).filter(is_header).count() > limit {
        return Err(ImageError::TooManyEntries { limit });
    }
    Ok(())
}

impl Unpacking<'_> {
    fn entry<R: Read>(&mut self, entry: &mut ZipFile<'_, R>) -> Result<(), ImageError> {
        let name = entry.name().map_err(corrupt)?.into_owned();
        let path = safe_path(&name)?;
        let mode = entry.unix_mode().unwrap_or(0);
        match mode & S_IFMT {
            _ if name.ends_with('/') => self.folder(&name, path),
            S_IFDIR => self.folder(&name, path),
            0 | S_IFREG => self.file(&name, path, entry, mode & 0o111 != 0),
            S_IFLNK => self.link(&name, path, entry),
            _ => Err(refuse(
                &name,
                "it is neither file nor folder nor symbolic link",
            )),
        }
    }

    fn folder(&mut self, name: &str, path: PathBuf) -> Result<(), ImageError> {
        self.parents(name, &path)?;
        match self.seen.insert(path.clone(), Kind::Folder) {
            Some(Kind::File | Kind::Link) => Err(ImageError::Duplicate),
            Some(Kind::Folder) => Ok(()),
            None => make_folder(&self.root.join(path)),
        }
    }

    fn file(
        &mut self,
        name: &str,
        path: PathBuf,
        content: &mut impl Read,
        executable: bool,
    ) -> Result<(), ImageError> {
        let target = self.root.join(&path);
        self.claim(name, path, Kind::File)?;
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(if executable { 0o555 } else { 0o444 })
            .open(target)
            .map_err(ImageError::io("create a file of the package"))?;
        self.inflate(content, &mut file)
    }

    fn link(
        &mut self,
        name: &str,
        path: PathBuf,
        content: &mut impl Read,
    ) -> Result<(), ImageError> {
        let mut target = Vec::new();
        self.inflate(&mut content.take(MAX_PATH as u64 + 1), &mut target)?;
        let target =
            String::from_utf8(target).map_err(|_| refuse(name, "its target is no text"))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        if !stays_inside(folder, Path::new(&target)) || target.len() > MAX_PATH {
            return Err(refuse(name, "its target lies outside the package"));
        }
        self.claim(name, path.clone(), Kind::Link)?;
        self.links.push((path, PathBuf::from(target)));
        Ok(())
    }

    /// Takes a path that nothing else may have.
    fn claim(&mut self, name: &str, path: PathBuf, kind: Kind) -> Result<(), ImageError> {
        self.parents(name, &path)?;
        match self.seen.insert(path, kind) {
            Some(_) => Err(ImageError::Duplicate),
            None => Ok(()),
        }
    }

    /// Makes the folders above a path, which may have no entry of their own.
    fn parents(&mut self, name: &str, path: &Path) -> Result<(), ImageError> {
        let parent = path.parent().unwrap_or(Path::new(""));
        match self.seen.get(parent) {
            _ if parent.as_os_str().is_empty() => Ok(()),
            Some(Kind::Folder) => Ok(()),
            Some(Kind::File | Kind::Link) => Err(refuse(name, "a part of its path is no folder")),
            None => {
                self.parents(name, parent)?;
                self.seen.insert(parent.to_owned(), Kind::Folder);
                make_folder(&self.root.join(parent))
            }
        }
    }

    fn inflate(&mut self, from: &mut impl Read, to: &mut impl Write) -> Result<(), ImageError> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ImageError::Corrupt(error.to_string())),
            };
            self.inflated += read as u64;
            if self.inflated > self.bounds.bytes {
                let limit = self.bounds.bytes;
                return Err(ImageError::TooLarge { limit });
            }
            to.write_all(&buffer[..read])
                .map_err(ImageError::io("write a file of the package"))?;
        }
    }

    fn finish(self) -> Result<Unpacked, ImageError> {
        for (path, target) in &self.links {
            symlink(target, self.root.join(path))
                .map_err(ImageError::io("make a symbolic link of the package"))?;
        }
        if !self.seen.values().any(|kind| *kind == Kind::File) {
            return Err(ImageError::Empty);
        }
        let lasting = self
            .seen
            .into_iter()
            .filter(|(_, kind)| *kind != Kind::Link);
        Ok(Unpacked {
            paths: lasting.map(|(path, _)| self.root.join(path)).collect(),
        })
    }
}

/// The path of an entry, free of `.`; refuses what is absolute, climbs, or cannot be a path.
fn safe_path(name: &str) -> Result<PathBuf, ImageError> {
    if name.contains('\0') {
        return Err(refuse(name, "its name holds a NUL byte"));
    }
    let mut path = PathBuf::new();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) if part.len() <= MAX_NAME => path.push(part),
            Component::Normal(_) => return Err(refuse(name, "its name is too long")),
            Component::CurDir => {}
            Component::ParentDir => return Err(refuse(name, "its path climbs with '..'")),
            Component::RootDir | Component::Prefix(_) => {
                return Err(refuse(name, "its path is absolute"));
            }
        }
    }
    if path.as_os_str().is_empty() && !name.ends_with('/') {
        return Err(refuse(name, "its name is empty"));
    }
    if path.as_os_str().len() > MAX_PATH {
        return Err(refuse(name, "its path is too long"));
    }
    Ok(path)
}

/// Whether a link in `folder` leads, read as text, to a place inside the package. Links through
/// other links may still climb; inside an environment they lead to its own root at most.
fn stays_inside(folder: &Path, target: &Path) -> bool {
    let mut depth = folder.components().count();
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    !target.as_os_str().is_empty()
}

pub(super) fn make_folder(path: &Path) -> Result<(), ImageError> {
    match fs::create_dir(path) {
        // The entry `./` is the root itself.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(ImageError::io("make a folder of the package")),
    }
}

fn refuse(name: &str, reason: &'static str) -> ImageError {
    ImageError::UnsafeEntry {
        name: name.to_owned(),
        reason,
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err takes")]
fn corrupt(error: ZipError) -> ImageError {
    ImageError::Corrupt(error.to_string())
}

#[cfg(test)]
mod tests {
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(files: usize, size: usize) -> Bytes {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for n in 0..files {
            let name = format!("f{n}");
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&vec![0; size]).unwrap();
        }
        zip.finish().unwrap().into_inner().into()
    }

    fn unpacked(package: &Bytes, bytes: u64, entries: usize) -> Result<usize, ImageError> {
        let root = tempfile::tempdir().unwrap();
        let unpacked = unpack(package, root.path(), Bounds { bytes, entries })?;
        Ok(unpacked.paths.len())
    }

    #[test]
    fn a_bomb_is_stopped_by_what_it_inflates_to() {
        let bomb = archive(3, 1 << 20);
        assert!(bomb.len() < 8 << 10, "a small archive");
        assert_eq!(unpacked(&bomb, 3 << 20, 9).unwrap(), 3);
        let refused = unpacked(&bomb, (3 << 20) - 1, 9);
        assert!(matches!(refused, Err(ImageError::TooLarge { limit }) if limit == (3 << 20) - 1));
    }

    #[test]
    fn what_an_archive_declares_is_not_believed() {
        let mut liar = archive(1, 1 << 20).to_vec();
        let size = (1_u32 << 20).to_le_bytes();
        while let Some(at) = liar.windows(4).position(|four| four == size) {
            liar[at..at + 4].copy_from_slice(&1_u32.to_le_bytes());
        }
        assert!(unpacked(&liar.into(), 1 << 16, 9).is_err());
    }

    #[test]
    fn entries_are_counted_before_they_are_read() {
        let many = archive(200, 0);
        assert_eq!(unpacked(&many, 1, 200).unwrap(), 200);
        let refused = unpacked(&many, 1, 150);
        assert!(
            matches!(refused, Err(ImageError::TooManyEntries { limit: 150 })),
            "{refused:?}"
        );
    }
}
