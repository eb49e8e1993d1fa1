//! Bytecode of images, compiled when they are deployed rather than at each cold start.
//!
//! `<root>/.compiled/<image>/<interpreter>/` mirrors the package with a `.pyc` for each `.py`. It
//! lies beside the image, not in it: a function sees its package as it was uploaded. It is made
//! whole and then renamed, and goes with the image.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use tempfile::TempDir;

use super::archive::Unpacked;
use super::{CodeImage, Folder, ImageId, UNFINISHED, publish};
use crate::error::ImageError;

const COMPILED: &str = ".compiled";

/// The bytecode of one image, being gathered.
pub(crate) struct Compiling {
    incoming: TempDir,
    unpacked: Unpacked,
    place: PathBuf,
}

impl Folder {
    pub(super) fn compiled(&self, id: ImageId) -> PathBuf {
        self.root.join(COMPILED).join(id.to_string())
    }
}

impl CodeImage {
    /// The bytecode for this interpreter, if it has been compiled.
    pub(crate) fn compiled(&self, interpreter: &str) -> Option<PathBuf> {
        let place = self.place(interpreter);
        place.is_dir().then_some(place)
    }

    /// Begins to gather it.
    pub(crate) fn compile(&self, interpreter: &str) -> Result<Compiling, ImageError> {
        let incoming = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(self.root())
            .map_err(ImageError::io("make a folder for bytecode"))?;
        Ok(Compiling {
            incoming,
            unpacked: Unpacked { paths: Vec::new() },
            place: self.place(interpreter),
        })
    }

    fn place(&self, interpreter: &str) -> PathBuf {
        self.0.folder.compiled(self.0.id).join(interpreter)
    }
}

impl Compiling {
    /// Takes the bytecode of a source file of the package, which whoever compiled it names.
    pub(crate) fn add(&mut self, source: &str, bytecode: &Bytes) -> Result<(), ImageError> {
        let relative = Path::new(source);
        let plain = relative
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if !plain || relative.extension().is_none_or(|end| end != "py") {
            return Err(ImageError::UnsafeEntry {
                name: source.to_owned(),
                reason: "it names no source file of the package",
            });
        }
        let path = self.incoming.path().join(relative).with_extension("pyc");
        self.write(&path, bytecode)
            .map_err(ImageError::io("write bytecode"))
    }

    fn write(&mut self, path: &Path, bytecode: &Bytes) -> io::Result<()> {
        let missing = path
            .ancestors()
            .skip(1)
            .take_while(|folder| !folder.exists());
        let missing: Vec<&Path> = missing.collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder)?;
            fs::set_permissions(folder, Permissions::from_mode(0o755))?;
        }
        fs::write(path, bytecode)?;
        fs::set_permissions(path, Permissions::from_mode(0o644))?;
        self.unpacked.paths.push(path.to_owned());
        Ok(())
    }

    /// Makes all of it visible.
    pub(crate) fn publish(self) -> Result<(), ImageError> {
        publish::sync(self.incoming.path(), &self.unpacked)?;
        if let Some(parent) = self.place.parent() {
            let made = fs::create_dir_all(parent).and_then(|()| {
                let open = Permissions::from_mode(0o755);
                let above = parent.parent().unwrap_or(parent);
                fs::set_permissions(above, open.clone())?;
                fs::set_permissions(parent, open)
            });
            made.map_err(ImageError::io("make the folder of bytecode"))?;
        }
        publish::publish(self.incoming, &self.place)
    }
}
