//! ACLs are off, as in every bucket S3 makes by default: reading one names the owner, writing one
//! is refused.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>

use std::sync::Arc;

use base::AccountId;
use s3s::dto::{
    GetBucketAclInput, GetBucketAclOutput, GetObjectAclInput, GetObjectAclOutput, Grant, Grantee,
    Permission, PutBucketAclInput, PutBucketAclOutput, PutObjectAclInput, PutObjectAclOutput, Type,
};

use super::fields;
use crate::buckets;
use crate::call::Call;
use crate::error::Error;
use crate::records::OBJECTS;
use crate::state::State;

fn full_control(owner: AccountId) -> Vec<Grant> {
    let grantee = Grantee {
        display_name: None,
        email_address: None,
        id: Some(fields::canonical_id(owner)),
        type_: Type::from_static(Type::CANONICAL_USER),
        uri: None,
    };
    let permission = Permission::from_static(Permission::FULL_CONTROL);
    vec![Grant {
        grantee: Some(grantee),
        permission: Some(permission),
    }]
}

pub async fn get_bucket_acl(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketAclInput,
) -> Result<GetBucketAclOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let owner = bucket.value.owner;
    Ok(GetBucketAclOutput {
        grants: Some(full_control(owner)),
        owner: Some(fields::owner(owner)),
    })
}

pub async fn get_object_acl(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetObjectAclInput,
) -> Result<GetObjectAclOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    fields::check_version(input.version_id.as_deref())?;
    let at = (input.bucket.as_str(), input.key.as_str());
    if OBJECTS.get(&*state.store, at).await?.is_none() {
        return Err(Error::no_such_key(&input.key));
    }
    let owner = bucket.value.owner;
    Ok(GetObjectAclOutput {
        grants: Some(full_control(owner)),
        owner: Some(fields::owner(owner)),
        request_charged: None,
    })
}

pub async fn put_bucket_acl(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutBucketAclInput,
) -> Result<PutBucketAclOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    Err(fields::acl_not_supported())
}

pub async fn put_object_acl(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutObjectAclInput,
) -> Result<PutObjectAclOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::find_of(&state, &call, &input.bucket, owner).await?;
    Err(fields::acl_not_supported())
}
