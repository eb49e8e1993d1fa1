//! Bucket configurations that cannot be set here: reading them says, as S3 does of a new bucket,
//! that nothing is configured. Setting them answers NotImplemented.

use std::sync::Arc;

use s3s::dto::{GetBucketVersioningInput, GetBucketVersioningOutput};

use crate::buckets;
use crate::call::Call;
use crate::error::Error;
use crate::state::State;

/// A bucket that was never versioned answers with nothing.
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketVersioning.html>
pub async fn get_bucket_versioning(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketVersioningInput,
) -> Result<GetBucketVersioningOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    Ok(GetBucketVersioningOutput::default())
}
