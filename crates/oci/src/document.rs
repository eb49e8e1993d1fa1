//! The documents of an image: its manifest and its configuration.
//!
//! <https://github.com/opencontainers/image-spec>

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{Digest, PullError};

const MANIFESTS: [&str; 2] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
const CONFIGS: [&str; 2] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
];

/// How a layer's archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
}

/// What an image says about how it is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunConfig {
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    pub working_directory: Option<String>,
    pub environment: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageManifest {
    #[serde(default)]
    media_type: Option<String>,
    pub(crate) config: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    pub(crate) media_type: String,
    digest: String,
    pub(crate) size: u64,
}

impl Descriptor {
    pub(crate) fn digest(&self) -> Result<Digest, PullError> {
        digest(&self.digest)
    }

    pub(crate) fn compression(&self) -> Result<Compression, PullError> {
        match self.media_type.as_str() {
            "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.docker.image.rootfs.diff.tar" => Ok(Compression::None),
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip" => Ok(Compression::Gzip),
            // Docker has no name of its own for it in its schema; its builder writes this one.
            "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Ok(Compression::Zstd),
            other => Err(PullError::Unsupported(format!("the layer type {other}"))),
        }
    }
}

impl ImageManifest {
    pub(crate) fn parse(content: &[u8], given: Option<&str>) -> Result<Self, PullError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Kind {
            media_type: Option<String>,
            manifests: Option<serde::de::IgnoredAny>,
        }
        let kind: Kind = serde_json::from_slice(content).map_err(malformed)?;
        let media_type = kind.media_type.as_deref().or(given);
        // As on Lambda, an index of images for several machines is none.
        if kind.manifests.is_some() || media_type.is_some_and(|it| !MANIFESTS.contains(&it)) {
            let shown = media_type.unwrap_or("an index");
            return Err(PullError::Unsupported(format!("the manifest type {shown}")));
        }
        let manifest: Self = serde_json::from_slice(content).map_err(malformed)?;
        let config = manifest.config.media_type.as_str();
        if !CONFIGS.contains(&config) {
            return Err(PullError::Unsupported(format!(
                "the configuration type {config}"
            )));
        }
        Ok(manifest)
    }

    pub(crate) fn media_type(&self) -> &str {
        self.media_type.as_deref().unwrap_or(MANIFESTS[0])
    }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct ImageConfig {
    #[serde(default)]
    pub(crate) architecture: String,
    #[serde(default)]
    pub(crate) os: String,
    config: Option<Given>,
    #[serde(default)]
    rootfs: RootFs,
}

#[derive(Debug, Default, Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    env: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    cmd: Option<Vec<String>>,
    working_dir: Option<String>,
}

impl ImageConfig {
    pub(crate) fn parse(content: &[u8]) -> Result<Self, PullError> {
        serde_json::from_slice(content).map_err(malformed)
    }

    /// What its layers are when they are uncompressed, in their order.
    pub(crate) fn diff_ids(&self) -> Result<Vec<Digest>, PullError> {
        let diff_ids = self.rootfs.diff_ids.iter();
        diff_ids.map(|text| digest(text)).collect()
    }

    pub(crate) fn run(self) -> Result<RunConfig, PullError> {
        let given = self.config.unwrap_or_default();
        let variables = given.env.unwrap_or_default();
        let variables = variables
            .iter()
            .filter_map(|variable| variable.split_once('='));
        let run = RunConfig {
            entrypoint: given.entrypoint.unwrap_or_default(),
            command: given.cmd.unwrap_or_default(),
            working_directory: given.working_dir.filter(|folder| !folder.is_empty()),
            environment: variables
                .filter(|(name, _)| !name.is_empty())
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        };
        let has_nul = |text: &String| text.contains('\0');
        let mut arguments = run.entrypoint.iter().chain(&run.command);
        let mut variables = run.environment.iter();
        // The kernel takes none.
        if arguments.any(has_nul) || variables.any(|(name, it)| has_nul(name) || has_nul(it)) {
            let why = "the configuration holds a NUL byte";
            return Err(PullError::Invalid(why.to_owned()));
        }
        Ok(run)
    }
}

fn digest(text: &str) -> Result<Digest, PullError> {
    Digest::parse(text).ok_or_else(|| PullError::Invalid(format!("{text:?} is no SHA-256 digest")))
}

#[expect(clippy::needless_pass_by_value, reason = "the form `map_err` takes")]
fn malformed(error: serde_json::Error) -> PullError {
    PullError::Invalid(format!("a document of the image is malformed: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_says_how_it_is_run() {
        let text = br#"{"architecture": "amd64", "os": "linux", "config": {
            "Env": ["PATH=/bin", "A=b=c", "=x", "nothing"], "Entrypoint": ["/run"], "Cmd": null,
            "WorkingDir": ""}}"#;
        let run = ImageConfig::parse(text).unwrap().run().unwrap();
        assert_eq!(run.entrypoint, ["/run"]);
        assert!(run.command.is_empty() && run.working_directory.is_none());
        assert_eq!(run.environment["A"], "b=c");
        assert_eq!(run.environment.len(), 2);
        let none = ImageConfig::parse(b"{}").unwrap().run().unwrap();
        assert_eq!(none, RunConfig::default());
    }

    proptest::proptest! {
        #[test]
        fn any_document_is_read_without_a_panic(content: Vec<u8>) {
            let _ = ImageManifest::parse(&content, None);
            let _ = ImageConfig::parse(&content).and_then(ImageConfig::run);
        }
    }
}
