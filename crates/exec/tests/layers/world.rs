//! Layers of whatever entries, and a place to unpack them in.

use std::fs;
use std::io;

use bytes::Bytes;
use exec::{CodeImage, Compression, ImageError, ImageId, Images, StackedLayer};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

/// An archive of whatever entries, also such as no library would write.
#[derive(Default)]
pub struct Layer(pub Vec<u8>);

impl Layer {
    pub fn entry(mut self, kind: EntryType, name: &str, link: &str, content: &[u8]) -> Self {
        let mut header = Header::new_gnu();
        let fields = header.as_gnu_mut().unwrap();
        fields.name[..name.len()].copy_from_slice(name.as_bytes());
        fields.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        header.set_mtime(1_600_000_000);
        header.set_uid(0);
        header.set_gid(0);
        header.set_cksum();
        self.0.extend_from_slice(header.as_bytes());
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, name: &str, content: &str) -> Self {
        self.entry(EntryType::Regular, name, "", content.as_bytes())
    }

    pub fn folder(self, name: &str) -> Self {
        self.entry(EntryType::Directory, name, "", b"")
    }

    pub fn symlink(self, name: &str, to: &str) -> Self {
        self.entry(EntryType::Symlink, name, to, b"")
    }

    pub fn link(self, name: &str, to: &str) -> Self {
        self.entry(EntryType::Link, name, to, b"")
    }

    pub fn finish(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1_024, 0);
        self.0
    }
}

pub struct World {
    pub images: Images,
    pub folder: tempfile::TempDir,
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            images: Images::new(folder.path().join("images")).unwrap(),
            folder,
        }
    }

    pub fn import(&self, layer: Layer) -> Result<ImageId, ImageError> {
        let archive = layer.finish();
        let id = digest(&archive);
        self.unpack(id, Compression::None, archive.as_slice())?;
        Ok(id)
    }

    pub fn unpack(&self, id: ImageId, how: Compression, archive: &[u8]) -> Result<(), ImageError> {
        let staging = self.images.staging()?;
        staging.unpack(id, how, arriving(archive))?;
        staging.keep()
    }

    pub fn assemble(&self, layers: &[ImageId]) -> Result<Option<CodeImage>, ImageError> {
        self.images.staging()?.assemble(&stacked(layers))
    }

    pub fn image(&self, layers: Vec<Layer>) -> CodeImage {
        let ids: Vec<ImageId> = layers
            .into_iter()
            .map(|layer| self.import(layer).unwrap())
            .collect();
        self.assemble(&ids).unwrap().unwrap()
    }

    pub fn refused(&self, layer: Layer) -> String {
        match self.import(layer) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("a layer was not refused"),
        }
    }
}

/// An archive in pieces that end anywhere.
pub fn arriving(archive: &[u8]) -> impl Iterator<Item = io::Result<Bytes>> + Send {
    let pieces: Vec<_> = archive.chunks(700).map(Bytes::copy_from_slice).collect();
    pieces.into_iter().map(Ok)
}

/// Layers of which nothing but their digests is said.
pub fn stacked(layers: &[ImageId]) -> Vec<StackedLayer> {
    let layers = layers.iter().map(|digest| StackedLayer {
        digest: *digest,
        diff_id: None,
    });
    layers.collect()
}

pub fn digest(archive: &[u8]) -> ImageId {
    ImageId(Sha256::digest(archive).into())
}

pub fn read(image: &CodeImage, path: &str) -> Option<String> {
    fs::read_to_string(image.path().join(path)).ok()
}
