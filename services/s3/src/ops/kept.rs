//! Configurations that are checked, kept and given back, and not acted on: transfer acceleration,
//! access logging, who pays, replication.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>

use std::sync::Arc;

use s3s::dto::{
    AccelerateConfiguration, BucketAccelerateStatus, BucketLoggingStatus,
    DeleteBucketReplicationInput, DeleteBucketReplicationOutput,
    GetBucketAccelerateConfigurationInput, GetBucketAccelerateConfigurationOutput,
    GetBucketLoggingInput, GetBucketLoggingOutput, GetBucketReplicationInput,
    GetBucketReplicationOutput, GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput, Payer,
    PutBucketAccelerateConfigurationInput, PutBucketAccelerateConfigurationOutput,
    PutBucketLoggingInput, PutBucketLoggingOutput, PutBucketReplicationInput,
    PutBucketReplicationOutput, PutBucketRequestPaymentInput, PutBucketRequestPaymentOutput,
    ReplicationConfiguration, RequestPaymentConfiguration,
};

use super::fields::{named, none};
use crate::call::Call;
use crate::configurations::{self, Kind};
use crate::error::Error;
use crate::records::{BUCKETS, Versioning};
use crate::state::State;

/// Most rules of a replication configuration.
const MAX_REPLICATION_RULES: usize = 1000;

pub async fn put_bucket_accelerate_configuration(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutBucketAccelerateConfigurationInput,
) -> Result<PutBucketAccelerateConfigurationOutput, Error> {
    let configuration = &input.accelerate_configuration;
    let status = configuration.status.as_ref();
    if !matches!(
        status.map(BucketAccelerateStatus::as_str),
        Some("Enabled" | "Suspended")
    ) {
        return Err(Error::malformed_xml());
    }
    if input.bucket.contains('.') {
        return Err(Error::invalid_request(
            "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names",
        ));
    }
    let kind = Kind::Accelerate;
    configurations::put(
        &state,
        &call,
        named!(input),
        kind,
        configuration,
        |_| Ok(()),
    )
    .await?;
    Ok(PutBucketAccelerateConfigurationOutput {})
}

pub async fn get_bucket_accelerate_configuration(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketAccelerateConfigurationInput,
) -> Result<GetBucketAccelerateConfigurationOutput, Error> {
    let found: Option<AccelerateConfiguration> =
        configurations::get(&state, &call, named!(input), Kind::Accelerate).await?;
    Ok(GetBucketAccelerateConfigurationOutput {
        request_charged: None,
        status: found.and_then(|configuration| configuration.status),
    })
}

pub async fn put_bucket_logging(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutBucketLoggingInput,
) -> Result<PutBucketLoggingOutput, Error> {
    let status = &input.bucket_logging_status;
    let Some(logging) = &status.logging_enabled else {
        configurations::delete(&state, &call, named!(input), Kind::Logging, |_| ()).await?;
        return Ok(PutBucketLoggingOutput {});
    };
    let target = BUCKETS.get(&*state.store, &logging.target_bucket).await?;
    if target.is_none_or(|target| target.owner != call.account()) {
        let message = "The target bucket for logging does not exist";
        return Err(Error::bad_request("InvalidTargetBucketForLogging", message)
            .with("TargetBucket", &logging.target_bucket));
    }
    let kind = Kind::Logging;
    configurations::put(&state, &call, named!(input), kind, status, |_| Ok(())).await?;
    Ok(PutBucketLoggingOutput {})
}

pub async fn get_bucket_logging(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketLoggingInput,
) -> Result<GetBucketLoggingOutput, Error> {
    let found: Option<BucketLoggingStatus> =
        configurations::get(&state, &call, named!(input), Kind::Logging).await?;
    Ok(GetBucketLoggingOutput {
        logging_enabled: found.and_then(|status| status.logging_enabled),
    })
}

pub async fn put_bucket_request_payment(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutBucketRequestPaymentInput,
) -> Result<PutBucketRequestPaymentOutput, Error> {
    let configuration = &input.request_payment_configuration;
    if !matches!(configuration.payer.as_str(), "Requester" | "BucketOwner") {
        return Err(Error::malformed_xml());
    }
    let kind = Kind::RequestPayment;
    configurations::put(
        &state,
        &call,
        named!(input),
        kind,
        configuration,
        |_| Ok(()),
    )
    .await?;
    Ok(PutBucketRequestPaymentOutput {})
}

pub async fn get_bucket_request_payment(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketRequestPaymentInput,
) -> Result<GetBucketRequestPaymentOutput, Error> {
    let found: Option<RequestPaymentConfiguration> =
        configurations::get(&state, &call, named!(input), Kind::RequestPayment).await?;
    let payer = found.map_or_else(
        || Payer::from_static(Payer::BUCKET_OWNER),
        |configuration| configuration.payer,
    );
    Ok(GetBucketRequestPaymentOutput { payer: Some(payer) })
}

pub async fn put_bucket_replication(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutBucketReplicationInput,
) -> Result<PutBucketReplicationOutput, Error> {
    let configuration = &input.replication_configuration;
    let rules = configuration.rules.len();
    if rules == 0 || rules > MAX_REPLICATION_RULES {
        return Err(Error::malformed_xml());
    }
    let kind = Kind::Replication;
    configurations::put(
        &state,
        &call,
        named!(input),
        kind,
        configuration,
        |bucket| {
            if bucket.versioning == Some(Versioning::Enabled) {
                return Ok(());
            }
            Err(Error::invalid_request(
                "Versioning must be 'Enabled' on the bucket to apply a replication configuration",
            ))
        },
    )
    .await?;
    Ok(PutBucketReplicationOutput {})
}

pub async fn get_bucket_replication(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketReplicationInput,
) -> Result<GetBucketReplicationOutput, Error> {
    let found: Option<ReplicationConfiguration> =
        configurations::get(&state, &call, named!(input), Kind::Replication).await?;
    let message = "The replication configuration was not found";
    let code = "ReplicationConfigurationNotFoundError";
    let configuration = found.ok_or_else(|| none(code, message, &input.bucket))?;
    Ok(GetBucketReplicationOutput {
        replication_configuration: Some(configuration),
    })
}

pub async fn delete_bucket_replication(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeleteBucketReplicationInput,
) -> Result<DeleteBucketReplicationOutput, Error> {
    configurations::delete(&state, &call, named!(input), Kind::Replication, |_| ()).await?;
    Ok(DeleteBucketReplicationOutput {})
}
