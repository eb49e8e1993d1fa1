//! ListObjects and ListObjectsV2.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html>

use std::sync::Arc;

use base::AccountId;
use s3s::dto::{
    self, CommonPrefix, EncodingType, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, ObjectStorageClass,
};

use super::fields;
use crate::buckets;
use crate::call::Call;
use crate::domain::roll_up;
use crate::domain::{page_token, url_encoding};
use crate::error::Error;
use crate::listing::{self, Listed, Query};
use crate::records::{OBJECTS, Object};
use crate::state::State;

/// Most entries of a page.
pub const MAX_KEYS: usize = 1000;

pub async fn list_objects_v2(
    state: Arc<State>,
    call: Arc<Call>,
    input: ListObjectsV2Input,
) -> Result<ListObjectsV2Output, Error> {
    let expected = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, expected).await?;
    let limit = fields::page_size(input.max_keys, "maxKeys", MAX_KEYS)?;
    let marker = match &input.continuation_token {
        Some(token) => Some(page_token::decode(token)?),
        None => input.start_after.clone(),
    };
    let prefix = input.prefix.clone().unwrap_or_default();
    let query = query(
        &prefix,
        input.delimiter.as_deref(),
        marker.as_deref(),
        limit,
    );
    let page = listing::list(&*state.store, &OBJECTS, &input.bucket, query).await?;
    let write = Writer::new(input.encoding_type.as_ref())?;
    let owner = (input.fetch_owner == Some(true)).then_some(bucket.value.owner);
    let next = page
        .truncated
        .then(|| page.last().map(page_token::encode))
        .flatten();
    let key_count = page.entries.len() as i32;
    let (contents, common_prefixes) = write.entries(page.entries, owner);
    Ok(ListObjectsV2Output {
        name: Some(input.bucket),
        prefix: Some(write.text(prefix)),
        max_keys: Some(limit as i32),
        key_count: Some(key_count),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.truncated),
        next_continuation_token: next,
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        delimiter: input.delimiter.map(|delimiter| write.text(delimiter)),
        encoding_type: input.encoding_type,
        start_after: input.start_after.map(|start| write.text(start)),
        request_charged: None,
    })
}

pub async fn list_objects(
    state: Arc<State>,
    call: Arc<Call>,
    input: ListObjectsInput,
) -> Result<ListObjectsOutput, Error> {
    let expected = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, expected).await?;
    let limit = fields::page_size(input.max_keys, "maxKeys", MAX_KEYS)?;
    let prefix = input.prefix.clone().unwrap_or_default();
    let marker = input.marker.clone().unwrap_or_default();
    let query = query(&prefix, input.delimiter.as_deref(), Some(&marker), limit);
    let page = listing::list(&*state.store, &OBJECTS, &input.bucket, query).await?;
    let write = Writer::new(input.encoding_type.as_ref())?;
    // Without a delimiter clients go on after the last key themselves.
    let has_delimiter = input
        .delimiter
        .as_deref()
        .is_some_and(|text| !text.is_empty());
    let next = (page.truncated && has_delimiter)
        .then(|| page.last().map(str::to_owned))
        .flatten();
    let (contents, common_prefixes) = write.entries(page.entries, Some(bucket.value.owner));
    Ok(ListObjectsOutput {
        name: Some(input.bucket),
        prefix: Some(write.text(prefix)),
        marker: Some(write.text(marker)),
        max_keys: Some(limit as i32),
        is_truncated: Some(page.truncated),
        contents: Some(contents),
        common_prefixes: Some(common_prefixes),
        delimiter: input.delimiter.map(|delimiter| write.text(delimiter)),
        next_marker: next.map(|next| write.text(next)),
        encoding_type: input.encoding_type,
        request_charged: None,
    })
}

fn query<'a>(
    prefix: &'a str,
    delimiter: Option<&'a str>,
    marker: Option<&str>,
    limit: usize,
) -> Query<'a> {
    let start = marker
        .filter(|marker| !marker.is_empty())
        .map(|marker| listing::start(roll_up::place_of_marker(marker, prefix, delimiter)));
    Query {
        prefix,
        delimiter,
        start,
        limit,
    }
}

/// Writes keys and prefixes as the client asked for them.
pub struct Writer {
    encoded: bool,
}

impl Writer {
    /// # Errors
    /// `InvalidArgument` for an encoding other than `url`.
    pub fn new(encoding: Option<&EncodingType>) -> Result<Self, Error> {
        match encoding.map(EncodingType::as_str) {
            None | Some("") => Ok(Self { encoded: false }),
            Some("url") => Ok(Self { encoded: true }),
            Some(other) => Err(Error::invalid_argument(
                "Invalid Encoding Method specified in Request",
                "encoding-type",
                other,
            )),
        }
    }

    pub fn text(&self, text: String) -> String {
        if self.encoded {
            url_encoding::in_list(&text)
        } else {
            text
        }
    }

    pub fn prefix(&self, prefix: String) -> CommonPrefix {
        CommonPrefix {
            prefix: Some(self.text(prefix)),
        }
    }

    fn entries(
        &self,
        entries: Vec<Listed<Object>>,
        owner: Option<AccountId>,
    ) -> (Vec<dto::Object>, Vec<CommonPrefix>) {
        let (mut contents, mut prefixes) = (Vec::new(), Vec::new());
        for entry in entries {
            match entry {
                Listed::Prefix(prefix) => prefixes.push(self.prefix(prefix)),
                Listed::Entry { key, value, .. } => contents.push(self.object(key, value, owner)),
            }
        }
        (contents, prefixes)
    }

    fn object(&self, key: String, object: Object, owner: Option<AccountId>) -> dto::Object {
        let class = object
            .attributes
            .storage_class
            .unwrap_or_else(|| "STANDARD".to_owned());
        let checksum = object.checksum;
        dto::Object {
            key: Some(self.text(key)),
            size: Some(object.size as i64),
            e_tag: Some(fields::etag(&object.etag)),
            last_modified: Some(fields::time(object.last_modified)),
            storage_class: Some(ObjectStorageClass::from(class)),
            owner: owner.map(fields::owner),
            checksum_type: checksum.as_ref().map(fields::checksum_type),
            checksum_algorithm: checksum
                .map(|c| vec![dto::ChecksumAlgorithm::from_static(c.algorithm.name())]),
            restore_status: None,
        }
    }
}
