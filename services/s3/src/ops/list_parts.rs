//! ListParts.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html>

use std::sync::Arc;

use s3s::dto::{
    self, ChecksumAlgorithm, ChecksumType, Initiator, ListPartsInput, ListPartsOutput, StorageClass,
};

use super::fields::{self, set_checksum};
use crate::buckets;
use crate::call::Call;
use crate::error::Error;
use crate::lifecycle;
use crate::records::Part;
use crate::state::State;
use crate::uploads;

/// Most parts of a page.
const MAX_PARTS: usize = 1000;

pub async fn list_parts(
    state: Arc<State>,
    call: Arc<Call>,
    input: ListPartsInput,
) -> Result<ListPartsOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let upload = uploads::find(&state, &input.bucket, &input.key, &input.upload_id)
        .await?
        .value;
    let limit = fields::page_size(input.max_parts, "max-parts", MAX_PARTS)?;
    let marker = input.part_number_marker.unwrap_or(0);
    let after = u32::try_from(marker).unwrap_or(0);
    let (rows, more) =
        uploads::parts(&state, &input.bucket, &input.upload_id, after, limit).await?;
    let parts: Vec<_> = rows
        .into_iter()
        .map(|(number, row)| part(number, row.value))
        .collect();
    let at = (input.bucket.as_str(), input.key.as_str());
    let (abort_date, abort_rule_id) =
        lifecycle::abortion(&state, at, &bucket.value, &upload).await?;
    let class = upload
        .attributes
        .storage_class
        .unwrap_or_else(|| "STANDARD".to_owned());
    let initiator = fields::canonical_id(upload.initiator);
    Ok(ListPartsOutput {
        abort_date,
        abort_rule_id,
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        max_parts: Some(limit as i32),
        part_number_marker: Some(marker),
        next_part_number_marker: parts.last().and_then(|part| part.part_number).or(Some(0)),
        is_truncated: Some(more),
        parts: Some(parts),
        storage_class: Some(StorageClass::from(class)),
        owner: Some(fields::owner(bucket.value.owner)),
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
        ..ListPartsOutput::default()
    })
}

fn part(number: u32, part: Part) -> dto::Part {
    let mut output = dto::Part {
        part_number: Some(number as i32),
        size: Some(part.size as i64),
        e_tag: Some(fields::etag(&part.etag)),
        last_modified: Some(fields::time(part.last_modified)),
        ..dto::Part::default()
    };
    set_checksum!(output, (part.checksum.algorithm, part.checksum.value));
    output
}
