//! Bucket configurations that cannot be set here: reading one says, as S3 does of a bucket where
//! nobody set it, that there is none. Setting one answers NotImplemented.

use std::sync::Arc;

use http::StatusCode;
use s3s::dto::{
    GetBucketAccelerateConfigurationInput, GetBucketAccelerateConfigurationOutput,
    GetBucketCorsInput, GetBucketCorsOutput, GetBucketEncryptionInput, GetBucketEncryptionOutput,
    GetBucketLifecycleConfigurationInput, GetBucketLifecycleConfigurationOutput,
    GetBucketLoggingInput, GetBucketLoggingOutput, GetBucketOwnershipControlsInput,
    GetBucketOwnershipControlsOutput, GetBucketReplicationInput, GetBucketReplicationOutput,
    GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput, GetBucketVersioningInput,
    GetBucketVersioningOutput, GetBucketWebsiteInput, GetBucketWebsiteOutput,
    GetObjectLockConfigurationInput, GetObjectLockConfigurationOutput, GetPublicAccessBlockInput,
    GetPublicAccessBlockOutput, ObjectOwnership, OwnershipControls, OwnershipControlsRule, Payer,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule,
};

use crate::buckets;
use crate::call::Call;
use crate::error::Error;
use crate::state::State;

/// Operations that find the bucket, and then this.
macro_rules! answers {
    ($($name:ident($input:ident) -> $output:ident = $answer:expr;)*) => {
        $(pub async fn $name(
            state: Arc<State>,
            call: Arc<Call>,
            input: $input,
        ) -> Result<$output, Error> {
            let owner = input.expected_bucket_owner.as_deref();
            buckets::find_of(&state, &call, &input.bucket, owner).await?;
            $answer(&input.bucket)
        })*
    };
}

answers! {
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput)
        -> GetBucketAccelerateConfigurationOutput = nothing;
    get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput = nothing;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = nothing;
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput = none(
        "NoSuchCORSConfiguration",
        "The CORS configuration does not exist",
    );
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput = encryption;
    get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput)
        -> GetBucketLifecycleConfigurationOutput = none(
            "NoSuchLifecycleConfiguration",
            "The lifecycle configuration does not exist",
        );
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput = none(
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    );
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput = none(
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    );
    get_object_lock_configuration(GetObjectLockConfigurationInput)
        -> GetObjectLockConfigurationOutput = none(
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        );
    get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput = none(
        "NoSuchPublicAccessBlockConfiguration",
        "The public access block configuration was not found",
    );
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput)
        -> GetBucketOwnershipControlsOutput = ownership;
    get_bucket_request_payment(GetBucketRequestPaymentInput)
        -> GetBucketRequestPaymentOutput = payment;
}

/// An empty document.
#[expect(
    clippy::unnecessary_wraps,
    reason = "one of several answers of one shape"
)]
fn nothing<O: Default>(_: &str) -> Result<O, Error> {
    Ok(O::default())
}

/// A 404 with the code S3 has for it.
fn none<O>(code: &'static str, message: &'static str) -> impl Fn(&str) -> Result<O, Error> {
    move |bucket| Err(Error::new(code, StatusCode::NOT_FOUND, message).with("BucketName", bucket))
}

/// Every bucket encrypts with S3's own keys unless told otherwise.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html>
#[expect(
    clippy::unnecessary_wraps,
    reason = "one of several answers of one shape"
)]
fn encryption(_: &str) -> Result<GetBucketEncryptionOutput, Error> {
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
            kms_master_key_id: None,
            sse_algorithm: ServerSideEncryption::from_static(ServerSideEncryption::AES256),
        }),
        bucket_key_enabled: Some(false),
    };
    Ok(GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration {
            rules: vec![rule],
        }),
    })
}

/// ACLs are off.
#[expect(
    clippy::unnecessary_wraps,
    reason = "one of several answers of one shape"
)]
fn ownership(_: &str) -> Result<GetBucketOwnershipControlsOutput, Error> {
    let enforced = ObjectOwnership::from_static(ObjectOwnership::BUCKET_OWNER_ENFORCED);
    let rules = vec![OwnershipControlsRule {
        object_ownership: enforced,
    }];
    Ok(GetBucketOwnershipControlsOutput {
        ownership_controls: Some(OwnershipControls { rules }),
    })
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "one of several answers of one shape"
)]
fn payment(_: &str) -> Result<GetBucketRequestPaymentOutput, Error> {
    let payer = Payer::from_static(Payer::BUCKET_OWNER);
    Ok(GetBucketRequestPaymentOutput { payer: Some(payer) })
}
