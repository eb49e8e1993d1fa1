//! AbortMultipartUpload.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html>

use std::sync::Arc;

use s3s::dto::{AbortMultipartUploadInput, AbortMultipartUploadOutput};
use store::Batch;

use crate::buckets;
use crate::call::Call;
use crate::error::Error;
use crate::records::{self, PARTS, UPLOADS};
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
    let mut batch = Batch::new();
    UPLOADS.expect_unchanged(&mut batch, &upload);
    UPLOADS.delete(&mut batch, &upload.key);
    match state.store.commit(batch).await {
        Err(error) if error.is_conflict() => return Err(Error::no_such_upload(upload_id)),
        outcome => outcome?,
    }
    // With the upload gone no part can be added, so these are all there will ever be.
    let most = uploads::MAX_PART_NUMBER as usize;
    let (parts, _) = uploads::parts(&state, bucket, upload_id, 0, most).await?;
    let blobs: Vec<_> = parts.into_iter().map(|(_, part)| part.value.blob).collect();
    let mut batch = Batch::new();
    PARTS.delete_prefix(&mut batch, (bucket, upload_id));
    records::forget_blobs(&mut batch, &blobs);
    state.store.commit(batch).await?;
    state.pins.delete(blobs);
    Ok(AbortMultipartUploadOutput::default())
}
