//! Puts a layer over those below it, by hard links. Paths are followed inside the image alone.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, linkat};
use rustix::io::Errno;

use super::clean;
use super::inside::resolve;
use super::layer::{Layer, LayerPath};
use crate::error::ImageError;
use crate::images::stacked::link;

pub(super) fn put_over(layer: &Layer, tree: &Path, merged: &Path) -> Result<(), ImageError> {
    let merge = || -> io::Result<()> {
        // First, so that they meet only what is below.
        for LayerPath(path) in &layer.opaque {
            let folder = resolve(merged, path, true)?;
            if fs::symlink_metadata(&folder).is_ok_and(|there| there.is_dir()) {
                for entry in fs::read_dir(&folder)? {
                    clean::remove(&entry?.path())?;
                }
            }
        }
        for LayerPath(path) in &layer.whiteouts {
            clean::remove(&resolve(merged, path, false)?)?;
        }
        folder(layer, tree, Path::new(""), merged, merged)
    };
    merge().map_err(ImageError::io("put a layer over another"))?;
    for (LayerPath(name), LayerPath(to)) in &layer.links {
        let missing = || ImageError::UnsafeEntry {
            name: name.display().to_string(),
            reason: "it is a link to what is not there",
        };
        let source = resolve(merged, to, false).ok();
        let source = source.filter(|it| fs::symlink_metadata(it).is_ok_and(|it| it.is_file()));
        let source = source.ok_or_else(missing)?;
        let place = || -> io::Result<()> {
            let target = resolve(merged, name, false)?;
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent)?;
            }
            clean::remove(&target)?;
            link(&source, &target)
        };
        place().map_err(ImageError::io("link a file of another layer"))?;
    }
    Ok(())
}

/// Puts what a folder of a layer holds into `target`, a real folder of the image.
fn folder(
    layer: &Layer,
    tree: &Path,
    inside: &Path,
    merged: &Path,
    target: &Path,
) -> io::Result<()> {
    let from = tree.join(inside);
    // Open, so that the way to them is not gone for every file.
    let (opened, into) = (File::open(&from)?, File::open(target)?);
    for entry in fs::read_dir(&from)? {
        let entry = entry?;
        let (name, kind) = (entry.file_name(), entry.file_type()?);
        if kind.is_file() {
            match linkat(&opened, &name, &into, &name, AtFlags::empty()) {
                Ok(()) => continue,
                Err(Errno::EXIST | Errno::MLINK) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let path = inside.join(&name);
        let place = target.join(&name);
        if kind.is_dir() {
            let there = fs::symlink_metadata(&place).ok();
            let place = folder_at(layer, &path, place, there, merged)?;
            if !layer.implicit.contains(&LayerPath(path.clone())) {
                fs::set_permissions(&place, entry.metadata()?.permissions())?;
            }
            folder(layer, tree, &path, merged, &place)?;
            continue;
        }
        let put = || {
            if kind.is_symlink() {
                symlink(fs::read_link(entry.path())?, &place)
            } else {
                link(&entry.path(), &place)
            }
        };
        match put() {
            // Seldom: it is cheaper to be told than to look each time.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                clean::remove(&place)?;
                put()?;
            }
            done => done?,
        }
    }
    Ok(())
}

/// The real folder that a folder of a layer becomes a part of.
fn folder_at(
    layer: &Layer,
    path: &Path,
    place: PathBuf,
    there: Option<fs::Metadata>,
    merged: &Path,
) -> io::Result<PathBuf> {
    match there {
        Some(there) if there.is_dir() => return Ok(place),
        // `bin/x` of a layer over `bin -> usr/bin` means `usr/bin/x`.
        Some(there)
            if there.is_symlink() && layer.implicit.contains(&LayerPath(path.to_owned())) =>
        {
            let inside = place.strip_prefix(merged).unwrap_or(path);
            let leads = resolve(merged, inside, true)?;
            if fs::symlink_metadata(&leads).is_ok_and(|it| it.is_dir()) {
                return Ok(leads);
            }
            clean::remove(&place)?;
        }
        Some(_) => clean::remove(&place)?,
        None => {}
    }
    clean::folder(&place)?;
    Ok(place)
}
