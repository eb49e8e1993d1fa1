//! GetObjectAttributes.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html>

use std::sync::Arc;

use s3s::dto::{
    self, GetObjectAttributesInput, GetObjectAttributesOutput, GetObjectAttributesParts,
    ObjectPart, StorageClass,
};

use super::fields::{self, customer_key, set_checksum, wanted};
use crate::buckets;
use crate::call::Call;
use crate::content;
use crate::domain::checksum::Checksum;
use crate::domain::version_id::VersionId;
use crate::error::Error;
use crate::records::Manifest;
use crate::state::State;

/// Most parts of a page.
const MAX_PARTS: usize = 1000;
/// What can be asked for.
const ATTRIBUTES: [&str; 5] = [
    "ETag",
    "Checksum",
    "ObjectParts",
    "StorageClass",
    "ObjectSize",
];

pub async fn get_object_attributes(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetObjectAttributesInput,
) -> Result<GetObjectAttributesOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner)
        .await?
        .value;
    let version = VersionId::read(input.version_id.as_deref())?;
    let customer_key = customer_key!(input)?;
    let wanted = wanted!(input, version, customer_key);
    let (object, manifest) = content::find(&state, wanted).await?;
    // The wire layer gives the header's values as they are, lists among them.
    let asked: Vec<&str> = input
        .object_attributes
        .iter()
        .flat_map(|values| values.as_str().split(','))
        .map(str::trim)
        .collect();
    if let Some(unknown) = asked.iter().find(|name| !ATTRIBUTES.contains(name)) {
        return Err(Error::invalid_argument(
            "Invalid attribute name specified.",
            "x-amz-object-attributes",
            unknown,
        ));
    }
    let wants = |name: &str| asked.contains(&name);
    let mut output = GetObjectAttributesOutput {
        last_modified: Some(fields::time(object.last_modified)),
        version_id: fields::version_id(&bucket, &object),
        ..GetObjectAttributesOutput::default()
    };
    if wants("ETag") {
        output.e_tag = Some(fields::etag(&object.etag));
    }
    if wants("ObjectSize") {
        output.object_size = Some(object.size as i64);
    }
    if wants("StorageClass") {
        let class = object
            .attributes
            .storage_class
            .unwrap_or_else(|| "STANDARD".to_owned());
        output.storage_class = Some(StorageClass::from(class));
    }
    if wants("ObjectParts")
        && let Some(manifest) = manifest
    {
        output.object_parts = Some(parts(&input, &manifest, object.checksum.as_ref())?);
    }
    if wants("Checksum")
        && let Some(checksum) = object.checksum
    {
        output.checksum = Some(describe(checksum));
    }
    Ok(output)
}

fn describe(checksum: Checksum) -> dto::Checksum {
    let mut output = dto::Checksum {
        checksum_type: Some(fields::checksum_type(&checksum)),
        ..dto::Checksum::default()
    };
    set_checksum!(output, (checksum.algorithm, checksum.value));
    output
}

fn parts(
    input: &GetObjectAttributesInput,
    manifest: &Manifest,
    checksum: Option<&Checksum>,
) -> Result<GetObjectAttributesParts, Error> {
    let limit = fields::page_size(input.max_parts, "max-parts", MAX_PARTS)?;
    let marker = input.part_number_marker.unwrap_or(0);
    let mut rest = manifest
        .parts
        .iter()
        .filter(|part| i64::from(part.number) > i64::from(marker));
    let page: Vec<ObjectPart> = rest
        .by_ref()
        .take(limit)
        .map(|part| {
            let mut output = ObjectPart {
                part_number: Some(part.number as i32),
                size: Some(part.size as i64),
                ..ObjectPart::default()
            };
            if let (Some(checksum), Some(value)) = (checksum, &part.checksum) {
                set_checksum!(output, (checksum.algorithm, value.clone()));
            }
            output
        })
        .collect();
    let more = rest.next().is_some();
    Ok(GetObjectAttributesParts {
        is_truncated: Some(more),
        max_parts: Some(limit as i32),
        next_part_number_marker: page.last().and_then(|part| part.part_number),
        part_number_marker: Some(marker),
        parts: Some(page),
        total_parts_count: Some(manifest.parts.len() as i32),
    })
}
