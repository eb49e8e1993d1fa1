//! PutBucketEncryption, GetBucketEncryption, DeleteBucketEncryption: how objects are encrypted
//! whose makers do not say.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html>

use std::sync::Arc;

use s3s::dto::{
    DeleteBucketEncryptionInput, DeleteBucketEncryptionOutput, GetBucketEncryptionInput,
    GetBucketEncryptionOutput, PutBucketEncryptionInput, PutBucketEncryptionOutput,
    ServerSideEncryption, ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration,
    ServerSideEncryptionRule,
};

use crate::blocked_encryption;
use crate::buckets;
use crate::call::Call;
use crate::dispatch::{Custom, Rewrite};
use crate::error::Error;
use crate::records::Encryption;
use crate::state::State;

pub async fn put_bucket_encryption(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutBucketEncryptionInput,
) -> Result<PutBucketEncryptionOutput, Error> {
    let rules = &input.server_side_encryption_configuration.rules;
    let [rule] = rules.as_slice() else {
        return Err(Error::malformed_xml());
    };
    // Alone, what is blocked leaves the default as S3's own keys.
    let says_only_what_is_blocked = rule.apply_server_side_encryption_by_default.is_none()
        && call.blocks_customer_keys.is_some();
    let encryption = if says_only_what_is_blocked {
        None
    } else {
        Some(read(rule)?)
    };
    let owner = input.expected_bucket_owner.as_deref();
    buckets::update(&state, &call, &input.bucket, owner, |bucket, _| {
        bucket.encryption.clone_from(&encryption);
        bucket.blocks_customer_keys = call.blocks_customer_keys == Some(true);
        Ok(())
    })
    .await?;
    Ok(PutBucketEncryptionOutput {})
}

fn read(rule: &ServerSideEncryptionRule) -> Result<Encryption, Error> {
    let asked = rule.apply_server_side_encryption_by_default.as_ref();
    let asked = asked.ok_or_else(Error::malformed_xml)?;
    let algorithm = asked.sse_algorithm.as_str();
    let is_kms = match algorithm {
        "AES256" => false,
        "aws:kms" | "aws:kms:dsse" => true,
        _ => return Err(Error::malformed_xml()),
    };
    let key_id = asked.kms_master_key_id.clone().filter(|id| !id.is_empty());
    if let Some(key) = key_id.as_deref().filter(|_| !is_kms) {
        let message = "a KMSMasterKeyID is not applicable if the default sse algorithm is not \
                       aws:kms or aws:kms:dsse";
        return Err(Error::invalid_argument(message, "KMSMasterKeyID", key));
    }
    Ok(Encryption {
        algorithm: algorithm.to_owned(),
        key_id,
        bucket_key: rule.bucket_key_enabled == Some(true),
    })
}

pub async fn get_bucket_encryption(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketEncryptionInput,
) -> Result<Custom<GetBucketEncryptionOutput>, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    // Every bucket encrypts with S3's own keys unless told otherwise.
    let encryption = bucket.value.encryption.unwrap_or_else(|| Encryption {
        algorithm: ServerSideEncryption::AES256.to_owned(),
        key_id: None,
        bucket_key: false,
    });
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
            kms_master_key_id: encryption.key_id,
            sse_algorithm: ServerSideEncryption::from(encryption.algorithm),
        }),
        bucket_key_enabled: Some(encryption.bucket_key),
    };
    let output = GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration {
            rules: vec![rule],
        }),
    };
    let blocks = bucket.value.blocks_customer_keys;
    let rewrite = blocks.then_some(Rewrite(blocked_encryption::put));
    Ok(Custom::rewritten(output, rewrite))
}

pub async fn delete_bucket_encryption(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeleteBucketEncryptionInput,
) -> Result<DeleteBucketEncryptionOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::update(&state, &call, &input.bucket, owner, |bucket, _| {
        bucket.encryption = None;
        bucket.blocks_customer_keys = false;
        Ok(())
    })
    .await?;
    Ok(DeleteBucketEncryptionOutput {})
}
