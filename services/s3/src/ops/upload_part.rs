//! UploadPart and UploadPartCopy.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>

use std::ops::Range;
use std::sync::Arc;

use s3s::dto::{
    CopyPartResult, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use store::{Batch, BlobId};

use super::fields::{
    self, checksum_values, customer_key, describe_encryption, set_checksum, source_key,
};
use crate::buckets;
use crate::call::Call;
use crate::content::{self, Expected, Keys, Stored, Written};
use crate::domain::encryption::CustomerKey;
use crate::domain::range::ByteRange;
use crate::error::Error;
use crate::records::{self, PARTS, Part, UPLOADS, Upload};
use crate::source::{self, Opened};
use crate::state::State;
use crate::uploads;

/// How often another upload of the same part may come first.
const MAX_ATTEMPTS: usize = 50;

pub async fn upload_part(
    state: Arc<State>,
    call: Arc<Call>,
    mut input: UploadPartInput,
) -> Result<UploadPartOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let number = uploads::check_part_number(input.part_number)?;
    let upload = uploads::find(&state, &input.bucket, &input.key, &input.upload_id)
        .await?
        .value;
    let declared = upload.checksum.map(|checksum| checksum.algorithm);
    let asked = fields::read_algorithm(input.checksum_algorithm.as_ref())?;
    if let (Some(declared), Some(sent)) = (declared, call.body_checksum)
        && declared != sent
    {
        return Err(fields::checksum_mismatch(declared, sent));
    }
    let asked = declared.or(call.body_checksum).or(asked);
    let (algorithm, checksum) = fields::choose_checksum(checksum_values!(input), asked)?;
    let expected = Expected {
        length: input
            .content_length
            .and_then(|length| u64::try_from(length).ok()),
        md5: Expected::read_md5(input.content_md5.as_deref())?,
        algorithm,
        checksum,
        trailers: call.trailers.clone(),
        may_inline: false,
        keys: part_keys(&state, &upload, customer_key!(input)?.as_ref())?,
    };
    let written = content::write(&*state.blobs, fields::body(input.body.take()), &expected).await?;
    let at = Place {
        bucket: &input.bucket,
        key: &input.key,
        upload_id: &input.upload_id,
        number,
    };
    let part = add(&state, at, written).await?;
    let mut output = UploadPartOutput {
        e_tag: Some(fields::etag(&part.etag)),
        ..UploadPartOutput::default()
    };
    describe_encryption!(output, upload.attributes);
    set_checksum!(output, (part.checksum.algorithm, part.checksum.value));
    Ok(output)
}

pub async fn upload_part_copy(
    state: Arc<State>,
    call: Arc<Call>,
    input: UploadPartCopyInput,
) -> Result<UploadPartCopyOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let number = uploads::check_part_number(input.part_number)?;
    let upload = uploads::find(&state, &input.bucket, &input.key, &input.upload_id)
        .await?
        .value;
    let source_key = source_key!(input)?;
    let source_owner = input.expected_source_bucket_owner.as_deref();
    let Opened {
        object: from,
        bytes,
        version_id: source_version,
    } = source::open(
        &state,
        &call,
        &input.copy_source,
        source_owner,
        source_key.as_ref(),
    )
    .await?;
    let range = copy_range(input.copy_source_range.as_deref(), from.size)?;
    let declared = upload.checksum.map(|checksum| checksum.algorithm);
    let algorithm = declared.unwrap_or(crate::domain::checksum::Algorithm::DEFAULT);
    let expected = Expected {
        may_inline: false,
        keys: part_keys(&state, &upload, customer_key!(input)?.as_ref())?,
        ..Expected::nothing(algorithm)
    };
    let written = content::write(&*state.blobs, bytes.stream(range), &expected).await?;
    let at = Place {
        bucket: &input.bucket,
        key: &input.key,
        upload_id: &input.upload_id,
        number,
    };
    let part = add(&state, at, written).await?;
    let mut result = CopyPartResult {
        e_tag: Some(fields::etag(&part.etag)),
        last_modified: Some(fields::time(part.last_modified)),
        ..CopyPartResult::default()
    };
    set_checksum!(result, (part.checksum.algorithm, part.checksum.value));
    let mut output = UploadPartCopyOutput {
        copy_part_result: Some(result),
        copy_source_version_id: source_version,
        ..UploadPartCopyOutput::default()
    };
    describe_encryption!(output, upload.attributes);
    Ok(output)
}

/// Every part comes with the key that the upload began with, if with any.
fn part_keys(
    state: &State,
    upload: &Upload,
    customer_key: Option<&CustomerKey>,
) -> Result<Keys, Error> {
    let begun = upload.attributes.customer_key_md5.as_deref();
    match (begun, customer_key) {
        (None, None) => {}
        (Some(md5), Some(key)) if key.md5 == md5 => {}
        (Some(_), Some(_)) => {
            return Err(Error::invalid_request(
                "The provided encryption parameters did not match the ones used originally.",
            ));
        }
        (Some(_), None) => {
            return Err(Error::invalid_request(
                "The multipart upload initiate requested encryption. Subsequent part requests must \
                 include the appropriate encryption parameters.",
            ));
        }
        (None, Some(_)) => {
            return Err(Error::invalid_request(
                "The multipart upload initiate did not request encryption. Please resend the \
                 request without sending encryption parameters.",
            ));
        }
    }
    Ok(state.keys(customer_key))
}

/// Unlike a GET's, this range must be whole and lie within the source.
fn copy_range(header: Option<&str>, size: u64) -> Result<Range<u64>, Error> {
    let Some(header) = header else {
        return Ok(0..size);
    };
    match ByteRange::parse(header) {
        Some(ByteRange::From {
            first,
            last: Some(last),
        }) if last < size => Ok(first..last + 1),
        Some(ByteRange::From { last: Some(_), .. }) => Err(Error::invalid_argument(
            format!("Range specified is not valid for source object of size: {size}"),
            "x-amz-copy-source-range",
            header,
        )),
        _ => Err(Error::invalid_argument(
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first \
             and last are the zero-based offsets of the first and last bytes to copy",
            "x-amz-copy-source-range",
            header,
        )),
    }
}

/// Where a part goes.
#[derive(Clone, Copy)]
struct Place<'a> {
    bucket: &'a str,
    key: &'a str,
    upload_id: &'a str,
    number: u32,
}

/// Makes the bytes the part of this number, in place of an earlier one. What cannot be made a
/// part leaves nothing.
async fn add(state: &State, at: Place<'_>, written: Written) -> Result<Part, Error> {
    let Stored::Blob(blob) = written.stored else {
        unreachable!("parts are asked for as blobs")
    };
    let part = Part {
        blob,
        size: written.size,
        etag: written.etag,
        checksum: written.checksum,
        last_modified: state.clock.now(),
        sealed: written.sealed,
    };
    match commit(state, at, &part).await {
        Ok(replaced) => {
            state.pins.delete(replaced.into_iter().collect());
            Ok(part)
        }
        Err(error) => {
            if matches!(error, Error::Client(_) | Error::Contended) {
                content::discard(&*state.blobs, &Stored::Blob(blob)).await;
            }
            Err(error)
        }
    }
}

/// Gives back the blob of the part that was replaced.
async fn commit(state: &State, at: Place<'_>, part: &Part) -> Result<Option<BlobId>, Error> {
    let key = (at.bucket, at.upload_id, u64::from(at.number));
    for _ in 0..MAX_ATTEMPTS {
        let upload = uploads::find(state, at.bucket, at.key, at.upload_id).await?;
        let old = PARTS.get_row(&*state.store, key).await?;
        let mut batch = Batch::new();
        UPLOADS.expect_unchanged(&mut batch, &upload);
        match &old {
            Some(old) => {
                PARTS.expect_unchanged(&mut batch, old);
                records::forget_blob(&mut batch, &old.value.blob);
            }
            None => PARTS.expect_absent(&mut batch, key),
        }
        PARTS.put(&mut batch, key, part)?;
        records::name_blob(&mut batch, &part.blob)?;
        match state.store.commit(batch).await {
            Err(error) if error.is_conflict() => {}
            outcome => {
                outcome?;
                return Ok(old.map(|old| old.value.blob));
            }
        }
    }
    Err(Error::Contended)
}
