//! PutBucketVersioning and GetBucketVersioning.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketVersioning.html>

use std::sync::Arc;

use http::StatusCode;
use s3s::dto::{
    BucketVersioningStatus, GetBucketVersioningInput, GetBucketVersioningOutput, MFADelete,
    PutBucketVersioningInput, PutBucketVersioningOutput,
};

use crate::buckets;
use crate::call::Call;
use crate::error::Error;
use crate::records::Versioning;
use crate::state::State;

pub async fn put_bucket_versioning(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutBucketVersioningInput,
) -> Result<PutBucketVersioningOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let configuration = input.versioning_configuration;
    check_mfa(input.mfa.as_deref(), configuration.mfa_delete.as_ref())?;
    let status = configuration.status.as_ref();
    let versioning = match status.map(BucketVersioningStatus::as_str) {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        None => {
            let message = "The Versioning element must be specified";
            return Err(Error::bad_request(
                "IllegalVersioningConfigurationException",
                message,
            ));
        }
        Some(_) => return Err(Error::malformed_xml()),
    };
    buckets::update(&state, &call, &input.bucket, owner, |bucket, _| {
        if bucket.lock.is_some() && versioning == Versioning::Suspended {
            let message = "An Object Lock configuration is present on this bucket, so the \
                           versioning state cannot be changed.";
            return Err(Error::new(
                "InvalidBucketState",
                StatusCode::CONFLICT,
                message,
            ));
        }
        bucket.versioning = Some(versioning);
        Ok(())
    })
    .await?;
    Ok(PutBucketVersioningOutput {})
}

/// Only the root user with a device of theirs can turn MFA delete on, and there are no devices
/// here.
fn check_mfa(mfa: Option<&str>, asked: Option<&MFADelete>) -> Result<(), Error> {
    if mfa.is_some() {
        let message = "The MFA authentication failed";
        return Err(Error::new("AccessDenied", StatusCode::FORBIDDEN, message));
    }
    match asked.map(MFADelete::as_str) {
        None | Some("Disabled") => Ok(()),
        Some("Enabled") => Err(Error::new(
            "AccessDenied",
            StatusCode::FORBIDDEN,
            "Mfa Authentication must be used for this request",
        )),
        Some(_) => Err(Error::malformed_xml()),
    }
}

pub async fn get_bucket_versioning(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketVersioningInput,
) -> Result<GetBucketVersioningOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let status = bucket.value.versioning.map(|versioning| match versioning {
        Versioning::Enabled => BucketVersioningStatus::ENABLED,
        Versioning::Suspended => BucketVersioningStatus::SUSPENDED,
    });
    Ok(GetBucketVersioningOutput {
        mfa_delete: None,
        status: status.map(BucketVersioningStatus::from_static),
    })
}
