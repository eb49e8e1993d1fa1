//! PutPublicAccessBlock, GetPublicAccessBlock, DeletePublicAccessBlock.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>

use std::sync::Arc;

use s3s::dto::{
    DeletePublicAccessBlockInput, DeletePublicAccessBlockOutput, GetPublicAccessBlockInput,
    GetPublicAccessBlockOutput, PublicAccessBlockConfiguration, PutPublicAccessBlockInput,
    PutPublicAccessBlockOutput,
};

use super::fields::none;
use crate::buckets;
use crate::call::Call;
use crate::error::Error;
use crate::records::PublicAccess;
use crate::state::State;

pub async fn put_public_access_block(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutPublicAccessBlockInput,
) -> Result<PutPublicAccessBlockOutput, Error> {
    let asked = &input.public_access_block_configuration;
    let block = PublicAccess {
        block_acls: asked.block_public_acls == Some(true),
        ignore_acls: asked.ignore_public_acls == Some(true),
        block_policy: asked.block_public_policy == Some(true),
        restrict: asked.restrict_public_buckets == Some(true),
    };
    let owner = input.expected_bucket_owner.as_deref();
    buckets::update(&state, &call, &input.bucket, owner, |bucket, _| {
        bucket.public_access = Some(block);
        Ok(())
    })
    .await?;
    Ok(PutPublicAccessBlockOutput {})
}

pub async fn get_public_access_block(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetPublicAccessBlockInput,
) -> Result<GetPublicAccessBlockOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let code = "NoSuchPublicAccessBlockConfiguration";
    let block = bucket.value.public_access.ok_or_else(|| {
        let message = "The public access block configuration was not found";
        none(code, message, &input.bucket)
    })?;
    Ok(GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(PublicAccessBlockConfiguration {
            block_public_acls: Some(block.block_acls),
            ignore_public_acls: Some(block.ignore_acls),
            block_public_policy: Some(block.block_policy),
            restrict_public_buckets: Some(block.restrict),
        }),
    })
}

pub async fn delete_public_access_block(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeletePublicAccessBlockInput,
) -> Result<DeletePublicAccessBlockOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::update(&state, &call, &input.bucket, owner, |bucket, _| {
        bucket.public_access = None;
        Ok(())
    })
    .await?;
    Ok(DeletePublicAccessBlockOutput {})
}
