//! The object a copy reads.

use std::sync::Arc;

use http::StatusCode;
use s3s::dto::CopySource;
use service::Access;

use crate::buckets;
use crate::call::Call;
use crate::content::{self, Source, Wanted};
use crate::domain::condition::Version;
use crate::domain::encryption::CustomerKey;
use crate::domain::version_id::VersionId;
use crate::error::Error;
use crate::ops::fields;
use crate::records::Object;
use crate::state::State;

/// Most bytes one copy takes.
pub const MAX_COPY: u64 = 5 * 1024 * 1024 * 1024;

/// The bucket, key and version of an `x-amz-copy-source`.
///
/// # Errors
/// NotImplemented for access points.
pub fn name(source: &CopySource) -> Result<(&str, &str, Option<&str>), Error> {
    match source {
        CopySource::Bucket {
            bucket,
            key,
            version_id,
        } => Ok((bucket, key, version_id.as_deref())),
        _ => Err(Error::not_implemented("copying from access points")),
    }
}

/// The source of a copy.
pub struct Opened {
    pub object: Object,
    pub bytes: Source,
    /// Where its bucket has versions.
    pub version_id: Option<String>,
}

/// Opens the source of a copy, if its conditions hold.
///
/// # Errors
/// `NoSuchBucket`, `NoSuchKey`, `NoSuchVersion`, `AccessDenied`, `PreconditionFailed`.
pub async fn open(
    state: &Arc<State>,
    call: &Call,
    source: &CopySource,
    expected_owner: Option<&str>,
    customer_key: Option<&CustomerKey>,
) -> Result<Opened, Error> {
    let (name, key, version) = name(source)?;
    let version = VersionId::read(version)?;
    let access = Access {
        action: if version.is_some() {
            "s3:GetObjectVersion".to_owned()
        } else {
            "s3:GetObject".to_owned()
        },
        resource: format!("arn:aws:s3:::{name}/{key}"),
    };
    let bucket = buckets::find_for(state, call, name, Some(&access)).await?;
    buckets::check_owner(&bucket.value, expected_owner)?;
    let wanted = Wanted {
        bucket: name,
        key,
        version: version.as_ref(),
        customer_key,
    };
    let opened = content::open(state, wanted).await;
    let (object, bytes) = opened.map_err(of_source)?;
    call.source_conditions.check_copy_source(Version {
        etag: &object.etag,
        last_modified: object.last_modified,
    })?;
    Ok(Opened {
        version_id: fields::version_id(&bucket.value, &object),
        object,
        bytes,
    })
}

/// A delete marker cannot be named as a source.
fn of_source(error: Error) -> Error {
    match error {
        Error::Client(error) if error.status == StatusCode::METHOD_NOT_ALLOWED => {
            Error::invalid_request(
                "The source of a copy request may not specifically refer to a delete marker by \
                 version id.",
            )
        }
        other => other,
    }
}
