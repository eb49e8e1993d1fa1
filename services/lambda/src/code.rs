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
use crate::domain::code_source::{CodeSource, empty_zip};
use crate::error;
use crate::records::Code;

pub struct CodeStore {
    pub blobs: Arc<dyn Blobs>,
    pub images: Images,
    pub api: Arc<dyn ApiCaller>,
    pub clock: Clock,
}

/// Code that has been checked and unpacked, and is not yet any function's.
pub enum Fetched {
    Zip { zip: Bytes, image: CodeImage },
    Folder(PathBuf),
}

impl CodeStore {
    /// Gets the code a request names, in the name of its caller, and checks it.
    pub async fn fetch(
        &self,
        source: CodeSource,
        context: &RequestContext,
    ) -> Result<Fetched, ServiceError> {
        let zip = match source {
            CodeSource::HotReload(folder) => return check_folder(folder).await,
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
            Fetched::Zip { zip, image } => Ok(Code::Zip {
                sha256: image.id().to_string(),
                size: zip.len() as u64,
                blob: self.write(zip.clone()).await.map_err(error::store_failed)?,
            }),
        }
    }

    async fn write(&self, zip: Bytes) -> Result<BlobId, StoreError> {
        let mut blob = self.blobs.create().await?;
        blob.write(zip).await?;
        blob.finish().await
    }

    /// Deletes code that no record names any more. `is_used` says whether another function has the
    /// same image.
    pub async fn give_up(&self, code: &Code, is_used: impl Fn(ImageId) -> bool) {
        if let Some(blob) = code.blob()
            && let Err(error) = self.blobs.delete(&blob).await
        {
            tracing::warn!(%error, %blob, "lambda: delete a package");
        }
        if let Some(image) = code.image()
            && !is_used(image)
            && let Err(error) = self.images.remove(image)
        {
            tracing::warn!(%error, %image, "lambda: delete a code image");
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

/// `CodeSha256`. Of a folder, whose content is not looked at, it is the path's.
pub fn shown_sha256(code: &Code) -> String {
    let digest: [u8; 32] = match (code.image(), code) {
        (Some(ImageId(digest)), _) => digest,
        (None, Code::HotReload { folder }) => {
            Sha256::digest(folder.as_os_str().as_encoded_bytes()).into()
        }
        (None, Code::Zip { sha256, .. }) => Sha256::digest(sha256).into(),
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
