//! PutBucketLifecycleConfiguration, GetBucketLifecycleConfiguration, DeleteBucketLifecycle.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html>

use std::sync::Arc;

use s3s::dto::{
    BucketLifecycleConfiguration, DeleteBucketLifecycleInput, DeleteBucketLifecycleOutput,
    GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput,
    PutBucketLifecycleConfigurationInput, PutBucketLifecycleConfigurationOutput,
    TransitionDefaultMinimumObjectSize,
};

use super::fields::{named, none};
use crate::buckets;
use crate::call::Call;
use crate::configurations::{self, Kind};
use crate::domain::lifecycle_check;
use crate::error::Error;
use crate::state::State;

/// From which size on objects move to other storage classes; the first by default.
const MINIMA: [&str; 2] = ["all_storage_classes_128K", "varies_by_storage_class"];

fn said(minimum: Option<String>) -> TransitionDefaultMinimumObjectSize {
    minimum.map_or_else(
        || TransitionDefaultMinimumObjectSize::from_static(MINIMA[0]),
        TransitionDefaultMinimumObjectSize::from,
    )
}

pub async fn put_bucket_lifecycle_configuration(
    state: Arc<State>,
    call: Arc<Call>,
    mut input: PutBucketLifecycleConfigurationInput,
) -> Result<PutBucketLifecycleConfigurationOutput, Error> {
    let configuration = input.lifecycle_configuration.take();
    let mut configuration = configuration.ok_or_else(Error::malformed_xml)?;
    lifecycle_check::check(&mut configuration.rules)?;
    let minimum = input.transition_default_minimum_object_size.take();
    let minimum = minimum.map(|minimum| minimum.as_str().to_owned());
    if let Some(unknown) = minimum.as_deref().filter(|size| !MINIMA.contains(size)) {
        return Err(Error::invalid_argument(
            "Invalid value for the transition default minimum object size",
            "x-amz-transition-default-minimum-object-size",
            unknown,
        ));
    }
    let kind = Kind::Lifecycle;
    configurations::put(
        &state,
        &call,
        named!(input),
        kind,
        &configuration,
        |bucket| {
            bucket.lifecycle = true;
            bucket.transition_minimum.clone_from(&minimum);
            Ok(())
        },
    )
    .await?;
    Ok(PutBucketLifecycleConfigurationOutput {
        transition_default_minimum_object_size: Some(said(minimum)),
    })
}

pub async fn get_bucket_lifecycle_configuration(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketLifecycleConfigurationInput,
) -> Result<GetBucketLifecycleConfigurationOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let found: Option<BucketLifecycleConfiguration> =
        configurations::find(&*state.store, &input.bucket, Kind::Lifecycle).await?;
    let message = "The lifecycle configuration does not exist";
    let configuration =
        found.ok_or_else(|| none("NoSuchLifecycleConfiguration", message, &input.bucket))?;
    Ok(GetBucketLifecycleConfigurationOutput {
        rules: Some(configuration.rules),
        transition_default_minimum_object_size: Some(said(bucket.value.transition_minimum)),
    })
}

pub async fn delete_bucket_lifecycle(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeleteBucketLifecycleInput,
) -> Result<DeleteBucketLifecycleOutput, Error> {
    configurations::delete(&state, &call, named!(input), Kind::Lifecycle, |bucket| {
        bucket.lifecycle = false;
    })
    .await?;
    Ok(DeleteBucketLifecycleOutput {})
}
