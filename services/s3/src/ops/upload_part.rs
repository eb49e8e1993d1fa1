//! UploadPart and UploadPartCopy.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>

use std::ops::Range;
use std::sync::Arc;

use s3s::dto::{
    CopyPartResult, ServerSideEncryption, UploadPartCopyInput, UploadPartCopyOutput,
    UploadPartInput, UploadPartOutput,
};
use store::{Batch, BlobId};

use super::fields::{self, checksum_values, set_checksum};
use crate::buckets;
use crate::call::Call;
use crate::content::{self, Expected, Stored, Written};
use crate::domain::range::ByteRange;
use crate::error::Error;
use crate::records::{self, PARTS, Part, UPLOADS, Upload};
use crate::state::State;
use crate::{source, uploads};

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
        server_side_encryption: encryption(upload),
        ..UploadPartOutput::default()
    };
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
    let source_owner = input.expected_source_bucket_owner.as_deref();
    let (from, bytes) = source::open(&state, &call, &input.copy_source, source_owner).await?;
    let range = copy_range(input.copy_source_range.as_deref(), from.size)?;
    let declared = upload.checksum.map(|checksum| checksum.algorithm);
    let algorithm = declared.unwrap_or(crate::domain::checksum::Algorithm::DEFAULT);
    let expected = Expected {
        may_inline: false,
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
    Ok(UploadPartCopyOutput {
        copy_part_result: Some(result),
        server_side_encryption: encryption(upload),
        ..UploadPartCopyOutput::default()
    })
}

fn encryption(upload: Upload) -> Option<ServerSideEncryption> {
    upload.attributes.encryption.map(ServerSideEncryption::from)
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
