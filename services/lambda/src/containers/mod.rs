//! Container images of functions: found, checked, pulled, unpacked.
//!
//! Of an image its documents are read when a function is given it, which tells whether it can run.
//! Its layers are pulled in the background; once unpacked, an image is what environments mount, and
//! is pulled again from where it was whenever it is missing.

mod incoming;
mod own;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use exec::{CodeImage, ImageError, ImageId, Images, MAX_CONTAINER_BYTES, Staging};
use futures::{FutureExt as _, StreamExt as _, stream};
use oci::{Credentials, Layout, PullError, Reference, Remote, RemoteConfig, Source};
use parking_lot::Mutex;
use service::ServiceError;
use service::ports::ImageRegistry;
use tokio::sync::RwLock;

use crate::domain::function_name::Place;
use crate::error;
use crate::functions::Functions;
use crate::records::container::{ContainerCode, LayerCompression, PulledLayer};
use own::OwnRegistry;

/// Layers of an image that are pulled at once.
const TOGETHER: usize = 3;
/// Before the folder of a layout.
const LAYOUT: &str = "oci:";

pub struct Containers {
    pub images: Images,
    /// This server's own registries.
    pub registry: Arc<dyn ImageRegistry>,
    /// By which the server itself goes.
    pub authority: String,
    /// Let functions be layouts in folders of this machine, and images of other registries on it.
    pub allows_local: bool,
    /// Whether accounts may use each other's registries.
    pub crosses_accounts: bool,
    /// Who we are to other registries, in a file as Docker keeps it.
    pub credentials: Option<PathBuf>,
    /// Pulls share it; what deletes layers has it alone.
    pub kept: RwLock<()>,
    pub pulls: Mutex<HashMap<ImageId, Weak<tokio::sync::Mutex<()>>>>,
}

/// Why an image is not there.
#[derive(Clone, Debug)]
pub enum PullFailed {
    Pull(PullError),
    /// What was pulled is no image.
    Invalid(String),
    /// Trouble of this machine's.
    Internal(String),
}

/// An image where it can be asked for.
struct Found {
    source: Box<dyn Source>,
    wanted: String,
    /// The same image's name by digest, but for that.
    stem: String,
}

impl Containers {
    /// Reads what an image says of itself, in the name of a function of an account and region. What
    /// is on this machine beside the server is not for functions to name.
    pub async fn resolve(
        &self,
        uri: &str,
        place: &Place,
        local: bool,
    ) -> Result<ContainerCode, ServiceError> {
        let allows_local = local && self.allows_local;
        let found = self.find(uri, place, allows_local).await?;
        let architecture = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "amd64"
        };
        let limit = MAX_CONTAINER_BYTES;
        let resolved = oci::resolve(&*found.source, &found.wanted, architecture, limit).await;
        let resolved = resolved.map_err(|why| refused(uri, &why))?;
        let layers = resolved.layers.iter().map(|layer| PulledLayer {
            digest: layer.digest,
            diff_id: Some(layer.diff_id),
            compression: LayerCompression::of(layer.compression),
        });
        Ok(ContainerCode {
            uri: uri.to_owned(),
            resolved: format!("{}@{}", found.stem, resolved.digest),
            digest: resolved.digest,
            layers: layers.collect(),
            entry_point: resolved.run.entrypoint,
            command: resolved.run.command,
            working_directory: resolved.run.working_directory,
            environment: resolved.run.environment,
        })
    }

    /// The image to run, pulled if it is not there.
    pub async fn image(
        &self,
        code: &ContainerCode,
        place: &Place,
    ) -> Result<CodeImage, PullFailed> {
        let layers = code.stacked();
        let id = ImageId::container(&layers);
        if let Some(image) = self.images.open(id) {
            return Ok(image);
        }
        let turn = self.turn(id);
        let _alone = turn.lock().await;
        let _kept = self.kept.read().await;
        let staging = Arc::new(self.images.staging().map_err(PullFailed::of)?);
        let is_missing = |layer: &&PulledLayer| !self.images.has_layer(ImageId(layer.digest.0));
        let missing: Vec<PulledLayer> = code.layers.iter().filter(is_missing).copied().collect();
        if let Err(failed) = self.pull(code, missing, &staging, place).await {
            // Those that are there need not be pulled once more.
            blocking(move || staging.keep()).await?;
            return Err(failed);
        }
        let assembled = blocking(move || staging.assemble(&layers)).await?;
        assembled.ok_or_else(|| PullFailed::Internal("a layer has been deleted".to_owned()))
    }

    /// Unpacks layers, a few at a time. An image may have one several times.
    async fn pull(
        &self,
        code: &ContainerCode,
        mut layers: Vec<PulledLayer>,
        staging: &Arc<Staging>,
        place: &Place,
    ) -> Result<(), PullFailed> {
        if layers.is_empty() {
            return Ok(());
        }
        let mut seen = HashSet::new();
        layers.retain(|layer| seen.insert(layer.digest.0));
        let found = self.find(&code.resolved, place, self.allows_local).await;
        let found = found.map_err(|error| PullFailed::Invalid(error.message))?;
        // Boxed: rustc cannot prove otherwise that a closure over borrowed layers may be sent.
        let mut pulls = Vec::new();
        for layer in layers {
            pulls.push(incoming::pull(&*found.source, layer, staging).boxed());
        }
        let mut pulls = stream::iter(pulls).buffer_unordered(TOGETHER);
        while let Some(pulled) = pulls.next().await {
            pulled?;
        }
        Ok(())
    }

    /// One pull of an image at a time: others wait, and find it there.
    fn turn(&self, id: ImageId) -> Arc<tokio::sync::Mutex<()>> {
        let mut pulls = self.pulls.lock();
        pulls.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = pulls.get(&id).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        pulls.insert(id, Arc::downgrade(&turn));
        turn
    }

    /// Deletes layers that no function has any more; not while something is being pulled.
    pub async fn sweep(&self, functions: &Arc<Functions>) {
        let Ok(_alone) = self.kept.try_write() else {
            return;
        };
        let (images, functions) = (self.images.clone(), Arc::clone(functions));
        let swept = tokio::task::spawn_blocking(move || {
            images.sweep_layers(|layer| functions.uses_layer(layer))
        });
        match swept.await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "lambda: sweep image layers"),
            Err(error) => tracing::warn!(%error, "lambda: sweep image layers"),
        }
    }

    async fn find(
        &self,
        uri: &str,
        place: &Place,
        allows_local: bool,
    ) -> Result<Found, ServiceError> {
        if uri.starts_with(LAYOUT) {
            return find_layout(uri, allows_local);
        }
        let invalid = || error::invalid_image(uri);
        let reference = Reference::parse(uri).ok_or_else(invalid)?;
        let stem = format!("{}/{}", reference.registry, reference.repository);
        let wanted = reference.wanted();
        if let Some(source) = self.own(&reference, place)? {
            let source = Box::new(source);
            return Ok(Found {
                source,
                wanted,
                stem,
            });
        }
        if !allows_local && oci::is_loopback(&reference.registry) {
            return Err(error::invalid_parameter(format!(
                "Functions may not be images of other registries on this machine: {uri}"
            )));
        }
        let credentials = self.credentials_for(&reference.registry).await;
        let remote = Remote::new(&reference, credentials, RemoteConfig::default());
        Ok(Found {
            source: Box::new(remote),
            wanted,
            stem,
        })
    }

    /// A repository of this server, if that is what is named.
    fn own(
        &self,
        reference: &Reference,
        place: &Place,
    ) -> Result<Option<OwnRegistry>, ServiceError> {
        let registry = &reference.registry;
        let (account, region) = match self.registry.registry_at(registry) {
            Some(named) => named,
            None if self.is_ourselves(registry) => (place.account, place.region.clone()),
            None => return Ok(None),
        };
        if account != place.account && !self.crosses_accounts {
            return Err(error::image_denied());
        }
        Ok(Some(OwnRegistry {
            registry: Arc::clone(&self.registry),
            account,
            region,
            repository: reference.repository.clone(),
        }))
    }

    /// Whether this server itself has that address.
    fn is_ourselves(&self, registry: &str) -> bool {
        let port = |authority: &str| authority.rsplit_once(':').map(|(_, port)| port.to_owned());
        registry == self.authority
            || oci::is_loopback(registry) && port(registry) == port(&self.authority)
    }

    async fn credentials_for(&self, registry: &str) -> Option<Credentials> {
        let file = tokio::fs::read(self.credentials.as_ref()?).await.ok()?;
        Credentials::from_file(&file, registry)
    }
}

/// Work on the disk.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ImageError> + Send + 'static,
) -> Result<T, PullFailed> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| PullFailed::Internal(error.to_string()))?;
    done.map_err(PullFailed::of)
}

impl PullFailed {
    fn of(why: ImageError) -> Self {
        match why {
            ImageError::Io { action, source } => Self::Internal(format!("{action}: {source}")),
            _ => Self::Invalid(why.to_string()),
        }
    }
}

impl std::fmt::Display for PullFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pull(why) => write!(f, "{why}"),
            Self::Invalid(why) | Self::Internal(why) => f.write_str(why),
        }
    }
}

/// Why an image cannot be a function's, in Lambda's words where it has any.
fn refused(uri: &str, why: &PullError) -> ServiceError {
    match why {
        PullError::NotFound => error::image_not_found(uri),
        PullError::Denied => error::image_denied(),
        PullError::Unsupported(_) => {
            tracing::debug!(%why, uri, "lambda: an image is refused");
            error::image_unsupported(uri)
        }
        _ => error::invalid_parameter(format!("Source image {uri} is not valid: {why}.")),
    }
}

fn find_layout(uri: &str, allows_local: bool) -> Result<Found, ServiceError> {
    if !allows_local {
        return Err(error::invalid_parameter(
            "Functions may not be image layouts in folders of this machine.",
        ));
    }
    let (layout, wanted) = Layout::parse(uri).ok_or_else(|| {
        error::invalid_parameter(format!(
            "An image layout on this machine is named {LAYOUT}/absolute/folder:tag, not {uri}."
        ))
    })?;
    Ok(Found {
        stem: format!("{LAYOUT}{}", layout.folder().display()),
        source: Box::new(layout),
        wanted,
    })
}
