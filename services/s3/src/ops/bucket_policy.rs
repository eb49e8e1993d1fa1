//! PutBucketPolicy, GetBucketPolicy, DeleteBucketPolicy: kept and given back.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html>

use std::sync::Arc;

use auth::policy::{Document, PolicyKind};
use s3s::dto::{
    DeleteBucketPolicyInput, DeleteBucketPolicyOutput, GetBucketPolicyInput, GetBucketPolicyOutput,
    GetBucketPolicyStatusInput, GetBucketPolicyStatusOutput, PolicyStatus, PutBucketPolicyInput,
    PutBucketPolicyOutput,
};
use serde_json::Value;

use super::fields::none;
use crate::buckets;
use crate::call::Call;
use crate::dispatch::Custom;
use crate::domain::public_policy;
use crate::error::Error;
use crate::state::State;

/// Longest policy, in bytes.
const MAX_BYTES: usize = 20 * 1024;

pub async fn put_bucket_policy(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutBucketPolicyInput,
) -> Result<Custom<PutBucketPolicyOutput>, Error> {
    check(&input.policy, &input.bucket)?;
    let is_public = public_policy::is_public(&input.policy);
    let owner = input.expected_bucket_owner.as_deref();
    buckets::update(&state, &call, &input.bucket, owner, |bucket, _| {
        let is_blocked = bucket.public_access.is_some_and(|block| block.block_policy);
        if is_blocked && is_public {
            return Err(Error::access_denied());
        }
        bucket.policy = Some(input.policy.clone());
        Ok(())
    })
    .await?;
    Ok(Custom::no_content(PutBucketPolicyOutput {}))
}

/// An object with statements, all of them about this bucket.
fn check(policy: &str, bucket: &str) -> Result<(), Error> {
    let malformed = |message: &str| Error::bad_request("MalformedPolicy", message);
    if policy.len() > MAX_BYTES {
        return Err(Error::bad_request(
            "PolicyTooLarge",
            "The policy is over 20 KB",
        ));
    }
    let Ok(Value::Object(document)) = serde_json::from_str(policy) else {
        return Err(malformed(
            "This policy contains invalid Json: Policies must be valid JSON and the first byte \
             must be '{'",
        ));
    };
    let statements = match document.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        _ => return Err(malformed("Missing required field Statement")),
    };
    for statement in statements {
        for required in ["Effect", "Principal"] {
            if statement.get(required).is_none() && statement.get("NotPrincipal").is_none() {
                return Err(malformed(&format!("Missing required field {required}")));
            }
        }
        let resources = match statement.get("Resource").or(statement.get("NotResource")) {
            Some(Value::Array(resources)) => resources.as_slice(),
            Some(one @ Value::String(_)) => std::slice::from_ref(one),
            _ => return Err(malformed("Missing required field Resource")),
        };
        if !resources.iter().all(|resource| is_of(resource, bucket)) {
            return Err(malformed("Policy has invalid resource"));
        }
    }
    // What does not parse when it is judged would forbid nothing.
    Document::parse(policy, PolicyKind::Resource)
        .map(drop)
        .map_err(|error| malformed(&error.0))
}

fn is_of(resource: &Value, bucket: &str) -> bool {
    let named = resource.as_str().and_then(|arn| arn.split_once(":::"));
    named.is_some_and(|(_, path)| path.split('/').next() == Some(bucket))
}

pub async fn get_bucket_policy(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketPolicyInput,
) -> Result<GetBucketPolicyOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let policy = bucket
        .value
        .policy
        .ok_or_else(|| no_policy(&input.bucket))?;
    Ok(GetBucketPolicyOutput {
        policy: Some(policy),
    })
}

pub async fn get_bucket_policy_status(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketPolicyStatusInput,
) -> Result<GetBucketPolicyStatusOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let policy = bucket
        .value
        .policy
        .ok_or_else(|| no_policy(&input.bucket))?;
    Ok(GetBucketPolicyStatusOutput {
        policy_status: Some(PolicyStatus {
            is_public: Some(public_policy::is_public(&policy)),
        }),
    })
}

fn no_policy(bucket: &str) -> Error {
    none(
        "NoSuchBucketPolicy",
        "The bucket policy does not exist",
        bucket,
    )
}

pub async fn delete_bucket_policy(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeleteBucketPolicyInput,
) -> Result<DeleteBucketPolicyOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::update(&state, &call, &input.bucket, owner, |bucket, _| {
        bucket.policy = None;
        Ok(())
    })
    .await?;
    Ok(DeleteBucketPolicyOutput {})
}
