//! An image layout in a local folder, as umoci and skopeo write it.
//!
//! <https://github.com/opencontainers/image-spec/blob/main/image-layout.md>

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream;
use serde::Deserialize;
use tokio::fs::{self, File};
use tokio::io::AsyncReadExt as _;

use crate::source::{Content, Manifest};
use crate::{Digest, PullError, Source};

/// What names an image in `index.json`.
const NAME: &str = "org.opencontainers.image.ref.name";
const CHUNK: usize = 256 << 10;
const MAX_DOCUMENT: u64 = 4 << 20;

/// A folder with `index.json` and `blobs/sha256`.
#[derive(Clone, Debug)]
pub struct Layout {
    folder: PathBuf,
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    media_type: Option<String>,
    digest: String,
    #[serde(default)]
    annotations: Option<std::collections::BTreeMap<String, String>>,
}

impl Layout {
    /// What `oci:<folder>[:<tag>]` names, as skopeo writes it: the layout, and what to ask it for.
    pub fn parse(text: &str) -> Option<(Self, String)> {
        let rest = text.strip_prefix("oci:")?;
        let (folder, reference) = match rest.split_once('@') {
            Some((folder, digest)) => (folder, digest),
            None => rest.rsplit_once(':').unwrap_or((rest, "latest")),
        };
        let folder = PathBuf::from(folder);
        folder
            .is_absolute()
            .then(|| (Self { folder }, reference.to_owned()))
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn blob_path(&self, digest: Digest) -> PathBuf {
        self.folder.join("blobs/sha256").join(digest.hex())
    }

    async fn document(&self, path: &Path) -> Result<Bytes, PullError> {
        let file = File::open(path).await.map_err(unreadable)?;
        let mut content = Vec::new();
        let read = file.take(MAX_DOCUMENT + 1).read_to_end(&mut content).await;
        read.map_err(unreadable)?;
        if content.len() as u64 > MAX_DOCUMENT {
            return Err(PullError::Invalid(
                "a document of the layout is too long".to_owned(),
            ));
        }
        Ok(content.into())
    }
}

#[async_trait]
impl Source for Layout {
    async fn manifest(&self, reference: &str) -> Result<Manifest, PullError> {
        let (digest, media_type) = if let Some(digest) = Digest::parse(reference) {
            (digest, None)
        } else {
            let index = self.document(&self.folder.join("index.json")).await?;
            let index: Index = serde_json::from_slice(&index)
                .map_err(|error| PullError::Invalid(format!("index.json: {error}")))?;
            let mut entries = index.manifests.into_iter();
            let named = entries.find(|entry| {
                let annotations = entry.annotations.as_ref();
                let name = annotations.and_then(|annotations| annotations.get(NAME));
                name.is_some_and(|name| name == reference)
            });
            let entry = named.ok_or(PullError::NotFound)?;
            let digest = Digest::parse(&entry.digest);
            let digest =
                digest.ok_or_else(|| PullError::Invalid("index.json: no SHA-256".to_owned()))?;
            (digest, entry.media_type)
        };
        let content = self.document(&self.blob_path(digest)).await?;
        if Digest::of(&content) != digest {
            let what = "the manifest is not what its digest says";
            return Err(PullError::Invalid(what.to_owned()));
        }
        Ok(Manifest {
            media_type,
            content,
        })
    }

    async fn blob(&self, digest: Digest) -> Result<Content, PullError> {
        let path = self.blob_path(digest);
        let kind = fs::metadata(&path).await.map_err(unreadable)?;
        if !kind.is_file() {
            return Err(PullError::NotFound);
        }
        let file = File::open(path).await.map_err(unreadable)?;
        let chunks = stream::try_unfold(file, |mut file| async move {
            let mut chunk = Vec::with_capacity(CHUNK);
            let read = file.read_buf(&mut chunk).await.map_err(unreadable)?;
            Ok((read > 0).then(|| (Bytes::from(chunk), file)))
        });
        Ok(Box::pin(chunks))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form `map_err` takes")]
fn unreadable(error: io::Error) -> PullError {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => PullError::NotFound,
        io::ErrorKind::PermissionDenied => PullError::Denied,
        _ => PullError::Unavailable(format!("read the layout: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_an_absolute_folder_with_a_name_inside() {
        let (layout, tag) = Layout::parse("oci:/images/app:v1").unwrap();
        assert_eq!((layout.folder, tag.as_str()), ("/images/app".into(), "v1"));
        let (_, tag) = Layout::parse("oci:/images/app").unwrap();
        assert_eq!(tag, "latest");
        let digest = Digest::of(b"x").to_string();
        let (layout, asked) = Layout::parse(&format!("oci:/images/app@{digest}")).unwrap();
        assert_eq!((layout.folder, asked), ("/images/app".into(), digest));
        for bad in ["oci:images/app", "/images/app", "oci:", "localhost/app"] {
            assert!(Layout::parse(bad).is_none(), "{bad}");
        }
    }
}
