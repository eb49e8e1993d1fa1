//! CreateMultipartUpload.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>

use std::sync::Arc;

use s3s::dto::{
    ChecksumAlgorithm, ChecksumType, CreateMultipartUploadInput, CreateMultipartUploadOutput,
};
use store::Batch;

use super::fields::{self, describe_encryption, given};
use crate::buckets;
use crate::call::Call;
use crate::domain::checksum::Kind;
use crate::error::Error;
use crate::lifecycle;
use crate::records::{BUCKETS, UPLOADS, Upload, UploadChecksum};
use crate::state::State;
use crate::uploads;

/// How often another change of the bucket may come first.
const MAX_ATTEMPTS: usize = 50;

pub async fn create_multipart_upload(
    state: Arc<State>,
    call: Arc<Call>,
    mut input: CreateMultipartUploadInput,
) -> Result<CreateMultipartUploadOutput, Error> {
    let now = state.clock.now();
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner)
        .await?
        .value;
    let upload = Upload {
        initiated_at: now,
        initiator: call.account(),
        attributes: given!(call, input).read(&bucket, now)?,
        checksum: checksum(&input)?,
    };
    let upload_id = uploads::new_id(now);
    begin(&state, &call, &input, &upload_id, &upload).await?;
    let at = (input.bucket.as_str(), input.key.as_str());
    let abortion = lifecycle::abortion(&state, at, &bucket, &upload).await?;
    let mut output = CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(upload_id),
        checksum_algorithm: upload
            .checksum
            .map(|checksum| ChecksumAlgorithm::from_static(checksum.algorithm.name())),
        checksum_type: upload
            .checksum
            .map(|checksum| ChecksumType::from_static(checksum.kind.name())),
        ..CreateMultipartUploadOutput::default()
    };
    output
        .ssekms_encryption_context
        .clone_from(&upload.attributes.kms_context);
    describe_encryption!(output, upload.attributes);
    (output.abort_date, output.abort_rule_id) = abortion;
    Ok(output)
}

fn checksum(input: &CreateMultipartUploadInput) -> Result<Option<UploadChecksum>, Error> {
    let kind = input
        .checksum_type
        .as_ref()
        .map(|kind| Kind::parse(kind.as_str()))
        .transpose()?;
    let Some(algorithm) = fields::read_algorithm(input.checksum_algorithm.as_ref())? else {
        if kind.is_some() {
            return Err(Error::invalid_request(
                "The x-amz-checksum-type header can only be used with the \
                 x-amz-checksum-algorithm header.",
            ));
        }
        return Ok(None);
    };
    let kind = kind.unwrap_or(algorithm.default_kind());
    if !algorithm.allows(kind) {
        return Err(Error::invalid_request(format!(
            "The {} checksum type cannot be used with the {} checksum algorithm.",
            kind.name(),
            algorithm.name().to_ascii_lowercase()
        )));
    }
    Ok(Some(UploadChecksum { algorithm, kind }))
}

async fn begin(
    state: &State,
    call: &Call,
    input: &CreateMultipartUploadInput,
    upload_id: &str,
    upload: &Upload,
) -> Result<(), Error> {
    let bucket = input.bucket.as_str();
    for _ in 0..MAX_ATTEMPTS {
        let owner = input.expected_bucket_owner.as_deref();
        let row = buckets::find_of(state, call, bucket, owner).await?;
        if row.value.closing {
            state.clock.sleep(buckets::CLOSING_PAUSE).await;
            continue;
        }
        let mut batch = Batch::new();
        BUCKETS.expect_unchanged(&mut batch, &row);
        UPLOADS.put(&mut batch, (bucket, input.key.as_str(), upload_id), upload)?;
        match state.store.commit(batch).await {
            Err(error) if error.is_conflict() => {}
            outcome => return Ok(outcome?),
        }
    }
    Err(Error::Contended)
}
