//! ListMultipartUploads.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>

use std::sync::Arc;

use base::AccountId;
use s3s::dto::{
    ChecksumAlgorithm, ChecksumType, Initiator, ListMultipartUploadsInput,
    ListMultipartUploadsOutput, MultipartUpload, StorageClass,
};

use super::fields;
use super::list_objects::Writer;
use crate::buckets;
use crate::call::Call;
use crate::domain::roll_up::{self, Place};
use crate::error::Error;
use crate::listing::{self, Listed, Query, Start};
use crate::records::{UPLOADS, Upload};
use crate::state::State;

/// Most uploads of a page.
const MAX_UPLOADS: usize = 1000;

pub async fn list_multipart_uploads(
    state: Arc<State>,
    call: Arc<Call>,
    input: ListMultipartUploadsInput,
) -> Result<ListMultipartUploadsOutput, Error> {
    let expected = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, expected).await?;
    let limit = fields::page_size(input.max_uploads, "max-uploads", MAX_UPLOADS)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let query = Query {
        prefix: &prefix,
        delimiter: input.delimiter.as_deref(),
        start: start(&input, &prefix),
        limit,
    };
    let page = listing::list(&*state.store, &UPLOADS, &input.bucket, query).await?;
    let write = Writer::new(input.encoding_type.as_ref())?;
    let (mut next_key, mut next_id) = (None, None);
    if page.truncated {
        next_key = page.last().map(|key| write.text(key.to_owned()));
        next_id = match page.entries.last() {
            Some(Listed::Entry { third, .. }) => third.clone(),
            _ => None,
        };
    }
    let (mut uploads, mut prefixes) = (Vec::new(), Vec::new());
    for entry in page.entries {
        match entry {
            Listed::Prefix(prefix) => prefixes.push(write.prefix(prefix)),
            Listed::Entry { key, third, value } => {
                uploads.push(upload(write.text(key), third, value, bucket.value.owner));
            }
        }
    }
    Ok(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        prefix: Some(write.text(prefix)),
        delimiter: input.delimiter.map(|delimiter| write.text(delimiter)),
        key_marker: Some(write.text(input.key_marker.unwrap_or_default())),
        upload_id_marker: Some(input.upload_id_marker.unwrap_or_default()),
        next_key_marker: next_key,
        next_upload_id_marker: next_id,
        max_uploads: Some(limit as i32),
        is_truncated: Some(page.truncated),
        encoding_type: input.encoding_type,
        uploads: Some(uploads),
        common_prefixes: Some(prefixes),
        request_charged: None,
    })
}

/// The upload id only counts together with a key.
fn start(input: &ListMultipartUploadsInput, prefix: &str) -> Option<Start> {
    let key = input.key_marker.as_deref().filter(|key| !key.is_empty())?;
    let place = roll_up::place_of_marker(key, prefix, input.delimiter.as_deref());
    let id = input
        .upload_id_marker
        .as_deref()
        .filter(|id| !id.is_empty());
    match (place, id) {
        (Place::AfterKey(key), Some(id)) => Some(listing::start_within(&key, id)),
        (place, _) => Some(listing::start(place)),
    }
}

fn upload(key: String, id: Option<String>, upload: Upload, owner: AccountId) -> MultipartUpload {
    let class = upload
        .attributes
        .storage_class
        .unwrap_or_else(|| "STANDARD".to_owned());
    let initiator = fields::canonical_id(upload.initiator);
    MultipartUpload {
        key: Some(key),
        upload_id: id,
        initiated: Some(fields::time(upload.initiated_at)),
        storage_class: Some(StorageClass::from(class)),
        owner: Some(fields::owner(owner)),
        initiator: Some(Initiator {
            display_name: None,
            id: Some(initiator),
        }),
        checksum_algorithm: upload
            .checksum
            .map(|checksum| ChecksumAlgorithm::from_static(checksum.algorithm.name())),
        checksum_type: upload
            .checksum
            .map(|checksum| ChecksumType::from_static(checksum.kind.name())),
    }
}
