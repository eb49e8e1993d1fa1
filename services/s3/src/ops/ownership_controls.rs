//! PutBucketOwnershipControls, GetBucketOwnershipControls, DeleteBucketOwnershipControls.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>

use std::sync::Arc;

use s3s::dto::{
    DeleteBucketOwnershipControlsInput, DeleteBucketOwnershipControlsOutput,
    GetBucketOwnershipControlsInput, GetBucketOwnershipControlsOutput, ObjectOwnership,
    OwnershipControls, OwnershipControlsRule, PutBucketOwnershipControlsInput,
    PutBucketOwnershipControlsOutput,
};

use super::fields::none;
use crate::buckets;
use crate::call::Call;
use crate::error::Error;
use crate::records::Ownership;
use crate::state::State;

/// # Errors
/// `MalformedXML` for one that S3 does not know.
pub fn read(asked: &ObjectOwnership) -> Result<Ownership, Error> {
    match asked.as_str() {
        "BucketOwnerEnforced" => Ok(Ownership::BucketOwnerEnforced),
        "BucketOwnerPreferred" => Ok(Ownership::BucketOwnerPreferred),
        "ObjectWriter" => Ok(Ownership::ObjectWriter),
        _ => Err(Error::malformed_xml()),
    }
}

pub async fn put_bucket_ownership_controls(
    state: Arc<State>,
    call: Arc<Call>,
    input: PutBucketOwnershipControlsInput,
) -> Result<PutBucketOwnershipControlsOutput, Error> {
    let [rule] = input.ownership_controls.rules.as_slice() else {
        return Err(Error::malformed_xml());
    };
    let ownership = read(&rule.object_ownership)?;
    let owner = input.expected_bucket_owner.as_deref();
    buckets::update(&state, &call, &input.bucket, owner, |bucket, _| {
        let acl = bucket.acl.as_ref();
        let grants_others = acl.is_some_and(|acl| !acl.is_private());
        if ownership == Ownership::BucketOwnerEnforced && grants_others {
            return Err(Error::bad_request(
                "InvalidBucketAclWithObjectOwnership",
                "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
            ));
        }
        bucket.ownership = ownership;
        Ok(())
    })
    .await?;
    Ok(PutBucketOwnershipControlsOutput {})
}

pub async fn get_bucket_ownership_controls(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketOwnershipControlsInput,
) -> Result<GetBucketOwnershipControlsOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let ownership = match bucket.value.ownership {
        Ownership::BucketOwnerEnforced => ObjectOwnership::BUCKET_OWNER_ENFORCED,
        Ownership::BucketOwnerPreferred => ObjectOwnership::BUCKET_OWNER_PREFERRED,
        Ownership::ObjectWriter => ObjectOwnership::OBJECT_WRITER,
        Ownership::Unset => {
            let message = "The bucket ownership controls were not found";
            let code = "OwnershipControlsNotFoundError";
            return Err(none(code, message, &input.bucket));
        }
    };
    let rules = vec![OwnershipControlsRule {
        object_ownership: ObjectOwnership::from_static(ownership),
    }];
    Ok(GetBucketOwnershipControlsOutput {
        ownership_controls: Some(OwnershipControls { rules }),
    })
}

pub async fn delete_bucket_ownership_controls(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeleteBucketOwnershipControlsInput,
) -> Result<DeleteBucketOwnershipControlsOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    buckets::update(&state, &call, &input.bucket, owner, |bucket, _| {
        bucket.ownership = Ownership::Unset;
        Ok(())
    })
    .await?;
    Ok(DeleteBucketOwnershipControlsOutput {})
}
