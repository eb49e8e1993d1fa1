//! The object a copy reads.

use std::sync::Arc;

use s3s::dto::CopySource;

use crate::buckets;
use crate::call::Call;
use crate::content::{self, Source};
use crate::domain::condition::Version;
use crate::error::Error;
use crate::ops::check_version;
use crate::records::Object;
use crate::state::State;

/// Most bytes one copy takes.
pub const MAX_COPY: u64 = 5 * 1024 * 1024 * 1024;

/// The bucket and key of an `x-amz-copy-source`.
///
/// # Errors
/// NotImplemented for access points.
pub fn name(source: &CopySource) -> Result<(&str, &str), Error> {
    match source {
        CopySource::Bucket {
            bucket,
            key,
            version_id,
        } => {
            check_version(version_id.as_deref())?;
            Ok((bucket, key))
        }
        _ => Err(Error::not_implemented("copying from access points")),
    }
}

/// Opens the source of a copy, if its conditions hold.
///
/// # Errors
/// `NoSuchBucket`, `NoSuchKey`, `AccessDenied`, `PreconditionFailed`.
pub async fn open(
    state: &Arc<State>,
    call: &Call,
    source: &CopySource,
    expected_owner: Option<&str>,
) -> Result<(Object, Source), Error> {
    let (bucket, key) = name(source)?;
    buckets::find_of(state, call, bucket, expected_owner).await?;
    let found = content::open(state, bucket, key).await?;
    let (object, source) = found.ok_or_else(|| Error::no_such_key(key))?;
    call.source_conditions.check_copy_source(Version {
        etag: &object.etag,
        last_modified: object.last_modified,
    })?;
    Ok((object, source))
}
