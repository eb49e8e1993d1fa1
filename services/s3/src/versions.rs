//! Finding a version of a key, and what S3 says when there is none to read.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeleteMarker.html>

use http::StatusCode;
use store::{Reader, Row};

use crate::domain::version_id::{NULL, VersionId};
use crate::error::Error;
use crate::records::{HEADS, Head, Marker, OBJECTS, Object, VERSIONS, Version, version_key};

/// The object that a request names: the current one, or one of its versions.
///
/// # Errors
/// `NoSuchKey`, `NoSuchVersion`, `MethodNotAllowed` for a delete marker.
pub async fn find(
    reader: &(impl Reader + ?Sized),
    bucket: &str,
    key: &str,
    version: Option<&VersionId>,
) -> Result<Object, Error> {
    let current = OBJECTS.get(reader, (bucket, key)).await?;
    let is_it =
        |object: &Object| version.is_none_or(|version| version.is(object.version_id.as_deref()));
    if let Some(object) = current.filter(is_it) {
        return Ok(object);
    }
    let found = match version {
        None => newest(reader, bucket, key).await?,
        Some(version) => {
            let head = HEADS.get(reader, (bucket, key)).await?.unwrap_or_default();
            older(reader, bucket, key, version, &head).await?
        }
    };
    must_be_object(key, version, found)
}

/// A version that is not the current object.
pub async fn older(
    reader: &(impl Reader + ?Sized),
    bucket: &str,
    key: &str,
    version: &VersionId,
    head: &Head,
) -> Result<Option<Version>, Error> {
    let order = match version {
        VersionId::Null => head.null,
        VersionId::Id { order, .. } => Some(*order),
    };
    let Some(order) = order else {
        return Ok(None);
    };
    let found = VERSIONS
        .get(reader, version_key(bucket, key, order))
        .await?;
    Ok(found.filter(|found| version.is(found.version_id())))
}

/// The newest version that is not the current object: where there is none, a delete marker.
pub async fn newest(
    reader: &(impl Reader + ?Sized),
    bucket: &str,
    key: &str,
) -> Result<Option<Version>, Error> {
    let page = VERSIONS.scan(reader, (bucket, key), None, 1).await?;
    Ok(page.rows.into_iter().next().map(|row: Row<_>| row.value))
}

/// # Errors
/// What S3 answers to a request for an object, when this is what there is.
pub fn must_be_object(
    key: &str,
    version: Option<&VersionId>,
    found: Option<Version>,
) -> Result<Object, Error> {
    match (found, version) {
        (Some(Version::Object(object)), _) => Ok(*object),
        (Some(Version::Marker(marker)), None) => Err(of_marker(Error::no_such_key(key), &marker)),
        (Some(Version::Marker(marker)), Some(_)) => {
            let message = "The specified method is not allowed against this resource.";
            let error = Error::new("MethodNotAllowed", StatusCode::METHOD_NOT_ALLOWED, message)
                // That of the request is put in its place.
                .with("Method", "GET")
                .with("ResourceType", "DeleteMarker")
                .with("allow", "DELETE")
                .with("last-modified", marker.last_modified.http_date());
            Err(of_marker(error, &marker))
        }
        (None, None) => Err(Error::no_such_key(key)),
        (None, Some(version)) => Err(no_such_version(key, version)),
    }
}

fn of_marker(error: Error, marker: &Marker) -> Error {
    error.with("x-amz-delete-marker", "true").with(
        "x-amz-version-id",
        marker.version_id.as_deref().unwrap_or(NULL),
    )
}

fn no_such_version(key: &str, version: &VersionId) -> Error {
    let message = "The specified version does not exist.";
    Error::new("NoSuchVersion", StatusCode::NOT_FOUND, message)
        .with("Key", key)
        .with("VersionId", version.as_str())
}
