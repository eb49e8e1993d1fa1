//! PutBucketTagging, GetBucketTagging, DeleteBucketTagging.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketTagging.html>

use std::sync::Arc;

use http::StatusCode;
use s3s::dto::{
    DeleteBucketTaggingInput, DeleteBucketTaggingOutput, GetBucketTaggingInput,
    GetBucketTaggingOutput, PutBucketTaggingInput, PutBucketTaggingOutput,
};

use super::object_tagging;
use crate::buckets;
use crate::call::Call;
use crate::dispatch::Custom;
use crate::domain::tags;
use crate::error::Error;
use crate::state::State;

pub async fn put_bucket_tagging(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutBucketTaggingInput,
) -> Result<Custom<PutBucketTaggingOutput>, Error> {
    let tags = object_tagging::read(input.tagging.tag_set)?;
    tags::check(&tags, tags::MAX_OF_BUCKET)?;
    let owner = input.expected_bucket_owner.as_deref();
    buckets::update(&state, &call, &input.bucket, owner, |bucket, _| {
        bucket.tags.clone_from(&tags);
        Ok(())
    })
    .await?;
    Ok(Custom::no_content(PutBucketTaggingOutput {}))
}

pub async fn get_bucket_tagging(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketTaggingInput,
) -> Result<GetBucketTaggingOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    if bucket.value.tags.is_empty() {
        let message = "The TagSet does not exist";
        return Err(Error::new("NoSuchTagSet", StatusCode::NOT_FOUND, message)
            .with("BucketName", input.bucket));
    }
    Ok(GetBucketTaggingOutput {
        tag_set: object_tagging::write(bucket.value.tags),
    })
}

pub async fn delete_bucket_tagging(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeleteBucketTaggingInput,
) -> Result<DeleteBucketTaggingOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::update(&state, &call, &input.bucket, owner, |bucket, _| {
        bucket.tags.clear();
        Ok(())
    })
    .await?;
    Ok(DeleteBucketTaggingOutput {})
}
