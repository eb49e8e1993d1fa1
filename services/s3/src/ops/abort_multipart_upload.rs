//! AbortMultipartUpload.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>

use std::sync::Arc;

use s3s::dto::{AbortMultipartUploadInput, AbortMultipartUploadOutput};

use crate::buckets;
use crate::call::Call;
use crate::error::Error;
use crate::state::State;
use crate::uploads;

pub async fn abort_multipart_upload(
    state: Arc<State>,
    call: Arc<Call>,
    input: AbortMultipartUploadInput,
) -> Result<AbortMultipartUploadOutput, Error> {
    let (bucket, upload_id) = (input.bucket.as_str(), input.upload_id.as_str());
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, bucket, owner).await?;
    let upload = uploads::find(&state, bucket, &input.key, upload_id).await?;
    uploads::abort(&state, bucket, upload, upload_id).await?;
    Ok(AbortMultipartUploadOutput::default())
}
