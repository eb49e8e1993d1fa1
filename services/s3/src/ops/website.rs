//! PutBucketWebsite, GetBucketWebsite, DeleteBucketWebsite.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html>

use std::sync::Arc;

use s3s::dto::{
    DeleteBucketWebsiteInput, DeleteBucketWebsiteOutput, GetBucketWebsiteInput,
    GetBucketWebsiteOutput, PutBucketWebsiteInput, PutBucketWebsiteOutput, WebsiteConfiguration,
};

use super::fields::{named, none};
use crate::call::Call;
use crate::configurations::{self, Kind};
use crate::domain::website;
use crate::error::Error;
use crate::state::State;

pub async fn put_bucket_website(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutBucketWebsiteInput,
) -> Result<PutBucketWebsiteOutput, Error> {
    let configuration = &input.website_configuration;
    website::check(configuration)?;
    configurations::put(
        &state,
        &call,
        named!(input),
        Kind::Website,
        configuration,
        |_| Ok(()),
    )
    .await?;
    Ok(PutBucketWebsiteOutput {})
}

pub async fn get_bucket_website(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketWebsiteInput,
) -> Result<GetBucketWebsiteOutput, Error> {
    let found: Option<WebsiteConfiguration> =
        configurations::get(&state, &call, named!(input), Kind::Website).await?;
    let configuration = found.ok_or_else(|| no_configuration(&input.bucket))?;
    Ok(GetBucketWebsiteOutput {
        error_document: configuration.error_document,
        index_document: configuration.index_document,
        redirect_all_requests_to: configuration.redirect_all_requests_to,
        routing_rules: configuration.routing_rules,
    })
}

pub fn no_configuration(bucket: &str) -> Error {
    let message = "The specified bucket does not have a website configuration";
    none("NoSuchWebsiteConfiguration", message, bucket)
}

pub async fn delete_bucket_website(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeleteBucketWebsiteInput,
) -> Result<DeleteBucketWebsiteOutput, Error> {
    configurations::delete(&state, &call, named!(input), Kind::Website, |_| ()).await?;
    Ok(DeleteBucketWebsiteOutput {})
}
