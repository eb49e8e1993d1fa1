//! PutBucketCors, GetBucketCors, DeleteBucketCors.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>

use std::sync::Arc;

use s3s::dto::{
    CORSConfiguration, DeleteBucketCorsInput, DeleteBucketCorsOutput, GetBucketCorsInput,
    GetBucketCorsOutput, PutBucketCorsInput, PutBucketCorsOutput,
};

use super::fields::{named, none};
use crate::call::Call;
use crate::configurations::{self, Kind};
use crate::domain::cors;
use crate::error::Error;
use crate::state::State;

pub async fn put_bucket_cors(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutBucketCorsInput,
) -> Result<PutBucketCorsOutput, Error> {
    let configuration = &input.cors_configuration;
    cors::check(configuration)?;
    configurations::put(
        &state,
        &call,
        named!(input),
        Kind::Cors,
        configuration,
        |_| Ok(()),
    )
    .await?;
    Ok(PutBucketCorsOutput {})
}

pub async fn get_bucket_cors(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketCorsInput,
) -> Result<GetBucketCorsOutput, Error> {
    let found: Option<CORSConfiguration> =
        configurations::get(&state, &call, named!(input), Kind::Cors).await?;
    let code = "NoSuchCORSConfiguration";
    let configuration =
        found.ok_or_else(|| none(code, "The CORS configuration does not exist", &input.bucket))?;
    Ok(GetBucketCorsOutput {
        cors_rules: Some(configuration.cors_rules),
    })
}

pub async fn delete_bucket_cors(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeleteBucketCorsInput,
) -> Result<DeleteBucketCorsOutput, Error> {
    configurations::delete(&state, &call, named!(input), Kind::Cors, |_| ()).await?;
    Ok(DeleteBucketCorsOutput {})
}
