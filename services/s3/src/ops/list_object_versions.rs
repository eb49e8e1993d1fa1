//! ListObjectVersions.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>

use std::sync::Arc;

use base::AccountId;
use s3s::dto::{
    ChecksumAlgorithm, DeleteMarkerEntry, ListObjectVersionsInput, ListObjectVersionsOutput,
    ObjectVersion, ObjectVersionStorageClass,
};

use super::fields;
use super::list_objects::{MAX_KEYS, Writer};
use crate::buckets;
use crate::call::Call;
use crate::domain::version_id::{NULL, VersionId};
use crate::error::Error;
use crate::records::{Marker, Object, Version};
use crate::state::State;
use crate::version_listing::{self, Listed, Query};

pub async fn list_object_versions(
    state: Arc<State>,
    call: Arc<Call>,
    input: ListObjectVersionsInput,
) -> Result<ListObjectVersionsOutput, Error> {
    let expected = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, expected).await?;
    let owner = bucket.value.owner;
    let limit = fields::page_size(input.max_keys, "maxKeys", MAX_KEYS)?;
    let write = Writer::new(input.encoding_type.as_ref())?;
    let version_marker = version_marker(&input)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let query = Query {
        prefix: &prefix,
        delimiter: input.delimiter.as_deref(),
        key_marker: input.key_marker.as_deref(),
        version_marker: version_marker.as_ref(),
        limit,
    };
    let page = version_listing::list(&*state.store, &input.bucket, query).await?;
    let next = page.entries.last().filter(|_| page.truncated).cloned();
    let (next_key, next_version) = match next {
        None => (None, None),
        Some(Listed::Prefix(prefix)) => (Some(prefix), None),
        Some(Listed::Version { key, version, .. }) => {
            let id = version.version_id().unwrap_or(NULL).to_owned();
            (Some(key), Some(id))
        }
    };
    let (mut versions, mut markers, mut prefixes) = (Vec::new(), Vec::new(), Vec::new());
    for entry in page.entries {
        match entry {
            Listed::Prefix(prefix) => prefixes.push(write.prefix(prefix)),
            Listed::Version {
                key,
                version: Version::Object(object),
                is_latest,
            } => versions.push(version(write.text(key), *object, is_latest, owner)),
            Listed::Version {
                key,
                version: Version::Marker(found),
                is_latest,
            } => markers.push(marker(write.text(key), found, is_latest, owner)),
        }
    }
    Ok(ListObjectVersionsOutput {
        name: Some(input.bucket),
        prefix: Some(write.text(prefix)),
        delimiter: input.delimiter.map(|delimiter| write.text(delimiter)),
        key_marker: Some(write.text(input.key_marker.unwrap_or_default())),
        version_id_marker: Some(input.version_id_marker.unwrap_or_default()),
        next_key_marker: next_key.map(|key| write.text(key)),
        next_version_id_marker: next_version,
        max_keys: Some(limit as i32),
        is_truncated: Some(page.truncated),
        encoding_type: input.encoding_type,
        versions: Some(versions),
        delete_markers: Some(markers),
        common_prefixes: Some(prefixes),
        request_charged: None,
    })
}

fn version_marker(input: &ListObjectVersionsInput) -> Result<Option<VersionId>, Error> {
    let Some(text) = input
        .version_id_marker
        .as_deref()
        .filter(|id| !id.is_empty())
    else {
        return Ok(None);
    };
    if input.key_marker.as_deref().is_none_or(str::is_empty) {
        let message = "A version-id marker cannot be specified without a key marker.";
        return Err(Error::invalid_argument(message, "version-id-marker", text));
    }
    VersionId::parse(text).map(Some).map_err(|_| {
        let message = "Invalid version id specified";
        Error::invalid_argument(message, "version-id-marker", text)
    })
}

fn version(key: String, object: Object, is_latest: bool, owner: AccountId) -> ObjectVersion {
    let class = object
        .attributes
        .storage_class
        .unwrap_or_else(|| "STANDARD".to_owned());
    let checksum = object.checksum;
    ObjectVersion {
        key: Some(key),
        version_id: Some(object.version_id.unwrap_or_else(|| NULL.to_owned())),
        is_latest: Some(is_latest),
        last_modified: Some(fields::time(object.last_modified)),
        e_tag: Some(fields::etag(&object.etag)),
        size: Some(object.size as i64),
        storage_class: Some(ObjectVersionStorageClass::from(class)),
        owner: Some(fields::owner(owner)),
        checksum_type: checksum.as_ref().map(fields::checksum_type),
        checksum_algorithm: checksum
            .map(|c| vec![ChecksumAlgorithm::from_static(c.algorithm.name())]),
        restore_status: None,
    }
}

fn marker(key: String, marker: Marker, is_latest: bool, owner: AccountId) -> DeleteMarkerEntry {
    DeleteMarkerEntry {
        key: Some(key),
        version_id: Some(marker.version_id.unwrap_or_else(|| NULL.to_owned())),
        is_latest: Some(is_latest),
        last_modified: Some(fields::time(marker.last_modified)),
        owner: Some(fields::owner(owner)),
    }
}
