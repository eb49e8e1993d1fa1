//! Deployment packages: fetched, unpacked, kept, and found again.
//!
//! The zip is a blob, durable before it is acknowledged; the unpacked image is what environments
//! mount, and is made again from the blob whenever it is missing.

use std::path::PathBuf;
use std::sync::Arc;

use base::Clock;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use exec::{CodeImage, ImageError, ImageId, Images};
use service::ports::ApiCaller;
use service::{RequestContext, ServiceError};
use sha2::{Digest, Sha256};
use store::{BlobId, Blobs, StoreError};
use wire::Value;

use crate::acting;
use crate::containers::Containers;
use crate::domain::code_source::{CodeSource, empty_zip};
use crate::domain::function_name::Place;
use crate::domain::layer::check_sizes;
use crate::error;
use crate::functions::Functions;
use crate::layers::Layers;
use crate::records::Code;
use crate::records::container::ContainerCode;
use crate::records::layer::{LayerReference, stacked};

pub struct CodeStore {
    pub layers: Arc<Layers>,
    pub containers: Containers,
    pub blobs: Arc<dyn Blobs>,
    pub images: Images,
    pub api: Arc<dyn ApiCaller>,
    pub clock: Clock,
}

/// Code that has been checked and unpacked, and is not yet any function's.
pub enum Fetched {
    Zip { zip: Bytes, image: CodeImage },
    Folder(PathBuf),
    Container(Box<ContainerCode>),
}

impl CodeStore {
    /// Gets the code a request names, in the name of its caller, and checks it.
    pub async fn fetch(
        &self,
        source: CodeSource,
        context: &RequestContext,
    ) -> Result<Fetched, ServiceError> {
        let zip = match source {
            // Functions do not see this machine's folders, by way of others neither.
            CodeSource::HotReload(_) if !context.may_name_files() => {
                return Err(error::invalid_parameter(
                    "Functions may not make functions of folders of this machine.",
                ));
            }
            CodeSource::HotReload(folder) => return check_folder(folder).await,
            CodeSource::Image(uri) => {
                let place = Place {
                    account: context.account,
                    region: context.region.clone(),
                };
                let container = self
                    .containers
                    .resolve(&uri, &place, context.may_name_files());
                let container = container.await?;
                return Ok(Fetched::Container(Box::new(container)));
            }
            CodeSource::Zip(zip) => zip,
            CodeSource::S3 {
                bucket,
                key,
                version,
            } => self.get_object(bucket, key, version, context).await?,
        };
        if zip.is_empty() {
            return Err(empty_zip());
        }
        let image = self.import(zip.clone()).await.map_err(refused)?;
        Ok(Fetched::Zip { zip, image })
    }

    async fn get_object(
        &self,
        bucket: String,
        key: String,
        version: Option<String>,
        context: &RequestContext,
    ) -> Result<Bytes, ServiceError> {
        let input = acting::input([
            ("Bucket", Some(Value::Str(bucket))),
            ("Key", Some(Value::Str(key))),
            ("VersionId", version.map(Value::Str)),
        ]);
        // S3 judges the caller, not Lambda.
        let mut asking = RequestContext::internal(
            context.principal.clone(),
            context.account,
            context.region.clone(),
            self.clock.now(),
        );
        asking.trace.clone_from(&context.trace);
        let answer = self.api.call("s3", "GetObject", asking, input).await;
        match answer.map(|mut answer| answer.take("Body")) {
            Ok(Some(Value::Blob(body))) => Ok(body),
            Ok(_) => Err(empty_zip()),
            Err(error) if error.is_server_fault() => Err(error::service_failed()),
            Err(error) => Err(error::invalid_parameter(format!(
                "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
                error.code, error.message
            ))),
        }
    }

    async fn import(&self, zip: Bytes) -> Result<CodeImage, ImageError> {
        let images = self.images.clone();
        let unpacked = tokio::task::spawn_blocking(move || images.import_zip(&zip)).await;
        unpacked.unwrap_or_else(|error| {
            Err(ImageError::Io {
                action: "unpack the package",
                source: std::io::Error::other(error),
            })
        })
    }

    /// Keeps code for a function. The blob of a function that does not come about must be
    /// [given up](Self::give_up).
    pub async fn keep(&self, fetched: &Fetched) -> Result<Code, ServiceError> {
        match fetched {
            Fetched::Folder(folder) => Ok(Code::HotReload {
                folder: folder.clone(),
            }),
            Fetched::Container(container) => Ok(Code::Container(container.clone())),
            Fetched::Zip { zip, image } => Ok(Code::Zip {
                sha256: image.id().to_string(),
                size: zip.len() as u64,
                blob: self.write(zip.clone()).await.map_err(error::store_failed)?,
                kms_key: None,
            }),
        }
    }

    /// Makes sure that a container image is there.
    pub async fn pulled(&self, code: &Code, place: &Place) -> Result<(), ServiceError> {
        let Some(container) = code.container() else {
            return Ok(());
        };
        let pulled = self.containers.image(container, place).await;
        pulled.map(|_| ()).map_err(|why| {
            error::invalid_parameter(format!(
                "Source image {} is not valid: {why}.",
                container.uri
            ))
        })
    }

    async fn write(&self, zip: Bytes) -> Result<BlobId, StoreError> {
        let mut blob = self.blobs.create().await?;
        blob.write(zip).await?;
        blob.finish().await
    }

    /// Gets the code of a function that has these layers.
    pub async fn fetch_beside(
        &self,
        layers: &[LayerReference],
        source: CodeSource,
        context: &RequestContext,
        functions: &Arc<Functions>,
    ) -> Result<Fetched, ServiceError> {
        let fetched = self.fetch(source, context).await?;
        let Fetched::Zip { image, .. } = &fetched else {
            return Ok(fetched);
        };
        if let Err(error) = check_together(image, layers).await {
            let id = image.id();
            drop(fetched);
            self.remove_image(id, functions);
            return Err(error);
        }
        Ok(fetched)
    }

    /// Refuses layers that are too large for a function's code.
    pub async fn check_beside(
        &self,
        layers: &[LayerReference],
        code: &Code,
    ) -> Result<(), ServiceError> {
        // A folder's content is not looked at.
        let (Some(id), Some(blob)) = (code.image(), code.blob()) else {
            return Ok(());
        };
        match self.image(id, &blob).await {
            Ok(image) => check_together(&image, layers).await,
            Err(error) => {
                tracing::error!(%error, image = %id, "lambda: open a code image");
                Err(error::service_failed())
            }
        }
    }

    /// What a function with these layers has at `/opt`, made again if it is missing.
    pub async fn stack(&self, layers: &[LayerReference]) -> Result<Option<CodeImage>, String> {
        let Some(id) = stacked(layers) else {
            return Ok(None);
        };
        if let Some(image) = self.images.open(id) {
            return Ok(Some(image));
        }
        let mut each = Vec::new();
        for layer in layers {
            let (Some(id), Some(blob)) = (layer.code.image(), layer.code.blob()) else {
                return Err(format!("{} has no package", layer.arn));
            };
            each.push(self.image(id, &blob).await?);
        }
        let images = self.images.clone();
        let stacked = tokio::task::spawn_blocking(move || images.stack(&each)).await;
        let stacked = stacked.map_err(|error| error.to_string())?;
        stacked.map(Some).map_err(|error| error.to_string())
    }

    /// Deletes what is left of layers that a version no longer has.
    pub async fn give_up_layers(&self, layers: &[LayerReference], functions: &Arc<Functions>) {
        if layers.is_empty() {
            return;
        }
        let _settled = self.layers.settled().await;
        for layer in layers {
            self.give_up(&layer.code, functions).await;
        }
        self.give_up_stack(layers, functions);
    }

    /// The same of what they were stacked into alone.
    pub fn give_up_stack(&self, layers: &[LayerReference], functions: &Arc<Functions>) {
        if let Some(image) = stacked(layers) {
            self.remove_image(image, functions);
        }
    }

    fn remove_image(&self, image: ImageId, functions: &Arc<Functions>) {
        if !functions.uses_image(image)
            && !self.layers.uses_image(image)
            && let Err(error) = self.images.remove(image)
        {
            tracing::warn!(%error, %image, "lambda: delete a code image");
        }
    }

    /// Deletes code, but for what a version of some function or a layer still has: versions share
    /// packages, and functions with the same package share its image.
    pub async fn give_up(&self, code: &Code, functions: &Arc<Functions>) {
        if let Some(blob) = code.blob()
            && !functions.uses_blob(blob)
            && !self.layers.uses_blob(blob)
            && let Err(error) = self.blobs.delete(&blob).await
        {
            tracing::warn!(%error, %blob, "lambda: delete a package");
        }
        if let Some(image) = code.image() {
            self.remove_image(image, functions);
        }
        if code.container().is_some() {
            self.containers.sweep(functions).await;
        }
    }

    /// The image to run, unpacked again if it is missing.
    pub async fn image(&self, id: ImageId, blob: &BlobId) -> Result<CodeImage, String> {
        if let Some(image) = self.images.open(id) {
            return Ok(image);
        }
        let zip = self.read(blob).await.map_err(|error| error.to_string())?;
        let image = self.import(zip).await.map_err(|error| error.to_string())?;
        if image.id() == id {
            Ok(image)
        } else {
            Err("the stored package is not the one that was uploaded".to_owned())
        }
    }

    /// A stored package.
    pub async fn read(&self, blob: &BlobId) -> Result<Bytes, StoreError> {
        let reader = self.blobs.open(blob).await?;
        let length = reader.len();
        let mut whole = BytesMut::new();
        while (whole.len() as u64) < length {
            let chunk = reader.read(whole.len() as u64..length).await?;
            if chunk.is_empty() {
                return Err(StoreError::corrupt(format!("blob {blob} is cut short")));
            }
            if chunk.len() as u64 == length {
                return Ok(chunk);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}

async fn check_together(image: &CodeImage, layers: &[LayerReference]) -> Result<(), ServiceError> {
    if layers.is_empty() {
        return Ok(());
    }
    let package = unzipped(image).await?;
    check_sizes(package, layers.iter().map(|layer| layer.unzipped))
}

/// Bytes of an image's files.
pub async fn unzipped(image: &CodeImage) -> Result<u64, ServiceError> {
    let image = image.clone();
    let measured = tokio::task::spawn_blocking(move || image.unzipped_bytes()).await;
    let measured = measured.map_err(|error| error.to_string());
    let bytes = measured.and_then(|measured| measured.map_err(|error| error.to_string()));
    bytes.map_err(|error| {
        tracing::error!(%error, "lambda: measure a code image");
        error::service_failed()
    })
}

/// `CodeSha256`. Of a folder, whose content is not looked at, it is the path's; of a container image,
/// and in hexadecimal, the manifest's.
pub fn shown_sha256(code: &Code) -> String {
    if let Some(container) = code.container() {
        return container.digest.hex();
    }
    let digest: [u8; 32] = match (code.image(), code) {
        (Some(ImageId(digest)), _) => digest,
        (None, Code::HotReload { folder }) => {
            Sha256::digest(folder.as_os_str().as_encoded_bytes()).into()
        }
        (None, Code::Zip { sha256, .. }) => Sha256::digest(sha256).into(),
        (None, Code::Container(container)) => container.digest.0,
    };
    STANDARD.encode(digest)
}

async fn check_folder(folder: PathBuf) -> Result<Fetched, ServiceError> {
    let is_folder = tokio::fs::metadata(&folder)
        .await
        .is_ok_and(|found| found.is_dir());
    if !is_folder {
        return Err(error::invalid_parameter(format!(
            "There is no folder {} on this machine to mount as the function's code.",
            folder.display()
        )));
    }
    Ok(Fetched::Folder(folder))
}

/// Why a package was refused, in Lambda's words.
#[expect(clippy::needless_pass_by_value, reason = "the form `map_err` takes")]
fn refused(why: ImageError) -> ServiceError {
    match why {
        ImageError::TooLarge { limit } => {
            error::invalid_parameter(format!("Unzipped size must be smaller than {limit} bytes"))
        }
        ImageError::Empty => empty_zip(),
        ImageError::Io { .. } => {
            tracing::error!(error = %why, source = ?std::error::Error::source(&why), "lambda: unpack a package");
            error::service_failed()
        }
        _ => {
            tracing::debug!(error = %why, "lambda: a package was refused");
            error::not_unzippable()
        }
    }
}
