//! CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>

use std::sync::Arc;

use base::Region;
use http::StatusCode;
use s3s::dto::{
    BucketLocationConstraint, CreateBucketInput, CreateBucketOutput, DeleteBucketInput,
    DeleteBucketOutput, GetBucketLocationInput, GetBucketLocationOutput, HeadBucketInput,
    HeadBucketOutput,
};
use store::{Batch, Key, Row};

use super::{acl, fields, ownership_controls};
use crate::buckets;
use crate::call::Call;
use crate::configurations;
use crate::domain::acl::{Acl, Owners};
use crate::domain::bucket_name;
use crate::domain::lock::BucketLock;
use crate::domain::notification::Notifications;
use crate::domain::tags;
use crate::error::Error;
use crate::records::{BUCKETS, Bucket, OBJECTS, OWNED, Ownership, UPLOADS, VERSIONS, Versioning};
use crate::state::State;
use crate::uploads;

pub async fn create_bucket(
    state: Arc<State>,
    call: Arc<Call>,
    mut input: CreateBucketInput,
) -> Result<CreateBucketOutput, Error> {
    if call.is_anonymous {
        return Err(Error::access_denied());
    }
    let name = input.bucket.as_str();
    if !bucket_name::may_be_created(name) {
        let message = "The specified bucket is not valid.";
        return Err(Error::bad_request("InvalidBucketName", message).with("BucketName", name));
    }
    let constraint = input
        .create_bucket_configuration
        .as_ref()
        .and_then(|configuration| configuration.location_constraint.as_ref())
        .map(BucketLocationConstraint::as_str);
    let region = region_of(constraint, &call.context.region)?;
    tags::check(&call.bucket_tags, tags::MAX_OF_BUCKET)?;
    let has_lock = input.object_lock_enabled_for_bucket == Some(true);
    let mut bucket = Bucket {
        owner: call.account(),
        region,
        created_at: state.clock.now(),
        closing: false,
        tags: call.bucket_tags.clone(),
        policy: None,
        notifications: Notifications::default(),
        versioning: has_lock.then_some(Versioning::Enabled),
        acl: None,
        lock: has_lock.then(BucketLock::default),
        ownership: ownership(&input)?,
        public_access: None,
        encryption: None,
        blocks_customer_keys: false,
        lifecycle: false,
        transition_minimum: None,
    };
    bucket.acl = acl(&mut input, &bucket)?;
    let name = input.bucket.as_str();
    let mut batch = Batch::new();
    BUCKETS.expect_absent(&mut batch, name);
    BUCKETS.put(&mut batch, name, &bucket)?;
    OWNED.put(&mut batch, (bucket.owner.as_str(), name), &())?;
    match state.store.commit(batch).await {
        Err(error) if error.is_conflict() => already_there(&state, &call, name).await?,
        outcome => outcome?,
    }
    Ok(CreateBucketOutput {
        location: Some(format!("/{name}")),
    })
}

/// In us-east-1, and only there, one's own bucket may be created again.
async fn already_there(state: &State, call: &Call, name: &str) -> Result<(), Error> {
    let present = BUCKETS.get(&*state.store, name).await?;
    let Some(present) = present else {
        return Err(Error::Contended);
    };
    if present.owner != call.account() {
        let message = "The requested bucket name is not available. The bucket namespace is shared \
                       by all users of the system. Please select a different name and try again.";
        return Err(
            Error::new("BucketAlreadyExists", StatusCode::CONFLICT, message)
                .with("BucketName", name),
        );
    }
    let us_east_1 = Region::us_east_1();
    if present.region == us_east_1 && call.context.region == us_east_1 {
        return Ok(());
    }
    let message = "Your previous request to create the named bucket succeeded and you already own \
                   it.";
    Err(
        Error::new("BucketAlreadyOwnedByYou", StatusCode::CONFLICT, message)
            .with("BucketName", name),
    )
}

/// Where the bucket is to be: elsewhere than at the endpoint only from us-east-1, and there by
/// saying nothing.
fn region_of(constraint: Option<&str>, endpoint: &Region) -> Result<Region, Error> {
    let at_us_east_1 = *endpoint == Region::us_east_1();
    let Some(constraint) = constraint.filter(|constraint| !constraint.is_empty()) else {
        if at_us_east_1 {
            return Ok(endpoint.clone());
        }
        return Err(illegal_location("unspecified"));
    };
    let name = if constraint == "EU" {
        "eu-west-1"
    } else {
        constraint
    };
    let invalid = || {
        let message = "The specified location-constraint is not valid";
        Error::bad_request("InvalidLocationConstraint", message)
            .with("LocationConstraint", constraint)
    };
    let region: Region = name.parse().map_err(|_| invalid())?;
    if !is_regional(name) || at_us_east_1 && region == *endpoint {
        return Err(invalid());
    }
    if at_us_east_1 || region == *endpoint {
        Ok(region)
    } else {
        Err(illegal_location(constraint))
    }
}

/// Whether the name has the form of a region's, such as `us-gov-west-1`.
fn is_regional(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let [areas @ .., number] = &parts[..] else {
        return false;
    };
    areas.len() >= 2 && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
}

fn illegal_location(constraint: &str) -> Error {
    Error::bad_request(
        "IllegalLocationConstraintException",
        format!(
            "The {constraint} location constraint is incompatible for the region specific \
             endpoint this request was sent to."
        ),
    )
}

fn acl(input: &mut CreateBucketInput, bucket: &Bucket) -> Result<Option<Acl>, Error> {
    let asked = acl::Asked {
        canned: input.acl.take().map(|acl| acl.as_str().to_owned()),
        grants: acl::grants!(
            input,
            grant_full_control = FullControl,
            grant_read = Read,
            grant_write = Write,
            grant_read_acp = ReadAcp,
            grant_write_acp = WriteAcp
        ),
        policy: None,
    };
    let is_harmless = acl::is_harmless(asked.canned.as_deref());
    let id = fields::canonical_id(bucket.owner);
    let owners = Owners {
        own: &id,
        bucket: &id,
    };
    let Some(acl) = asked.read(owners)?.filter(|_| !is_harmless) else {
        return Ok(None);
    };
    if bucket.ownership == Ownership::BucketOwnerEnforced {
        return Err(Error::bad_request(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        ));
    }
    Ok(Some(acl))
}

fn ownership(input: &CreateBucketInput) -> Result<Ownership, Error> {
    let asked = input.object_ownership.as_ref();
    asked.map_or(Ok(Ownership::default()), ownership_controls::read)
}

pub async fn head_bucket(
    state: Arc<State>,
    call: Arc<Call>,
    input: HeadBucketInput,
) -> Result<HeadBucketOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    Ok(HeadBucketOutput {
        bucket_region: Some(bucket.value.region.to_string()),
        access_point_alias: Some(false),
        ..HeadBucketOutput::default()
    })
}

pub async fn get_bucket_location(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketLocationInput,
) -> Result<GetBucketLocationOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    let region = bucket.value.region;
    // us-east-1 is written as nothing.
    let constraint = (region != Region::us_east_1()).then(|| region.to_string());
    Ok(GetBucketLocationOutput {
        location_constraint: constraint.map(BucketLocationConstraint::from),
    })
}

/// Deletes an empty bucket.
///
/// Writers expect the bucket's record to be unchanged, so once it is marked as closing none of
/// them can add an object: then the bucket is looked through, and deleted or opened again.
pub async fn delete_bucket(
    state: Arc<State>,
    call: Arc<Call>,
    input: DeleteBucketInput,
) -> Result<DeleteBucketOutput, Error> {
    let name = input.bucket.as_str();
    let owner = input.expected_bucket_owner.as_deref();
    let row = buckets::find_of(&state, &call, name, owner).await?;
    check_empty(&state, name).await?;
    if let Some(closed) = close(&state, name, &row).await? {
        if let Err(error) = check_empty(&state, name).await {
            reopen(&state, name, &closed).await?;
            return Err(error);
        }
        remove(&state, name, &closed).await?;
        return Ok(DeleteBucketOutput {});
    }
    Err(Error::Contended)
}

async fn check_empty(state: &State, name: &str) -> Result<(), Error> {
    let objects = OBJECTS.scan(&*state.store, name, None, 1).await?.rows;
    let versions = VERSIONS.scan(&*state.store, name, None, 1).await?.rows;
    let message = match (objects.is_empty(), versions.is_empty()) {
        (true, true) => return Ok(()),
        (false, _) => "The bucket you tried to delete is not empty",
        _ => {
            "The bucket you tried to delete is not empty. You must delete all versions in the \
             bucket."
        }
    };
    Err(Error::new("BucketNotEmpty", StatusCode::CONFLICT, message).with("BucketName", name))
}

/// `None` when somebody else changed the bucket first.
async fn close(state: &State, name: &str, row: &Row<Bucket>) -> Result<Option<Row<Bucket>>, Error> {
    let mut batch = Batch::new();
    BUCKETS.expect_unchanged(&mut batch, row);
    BUCKETS.put(
        &mut batch,
        name,
        &Bucket {
            closing: true,
            ..row.value.clone()
        },
    )?;
    match state.store.commit(batch).await {
        Err(error) if error.is_conflict() => return Ok(None),
        outcome => outcome?,
    }
    Ok(BUCKETS.get_row(&*state.store, name).await?)
}

/// Opens a bucket that is not deleted after all.
pub async fn reopen(state: &State, name: &str, row: &Row<Bucket>) -> Result<(), Error> {
    let mut batch = Batch::new();
    BUCKETS.expect_unchanged(&mut batch, row);
    BUCKETS.put(
        &mut batch,
        name,
        &Bucket {
            closing: false,
            ..row.value.clone()
        },
    )?;
    match state.store.commit(batch).await {
        Err(error) if error.is_conflict() => Ok(()),
        outcome => Ok(outcome?),
    }
}

/// Unfinished uploads do not keep a bucket; their parts go with it.
async fn remove(state: &State, name: &str, row: &Row<Bucket>) -> Result<(), Error> {
    let mut batch = Batch::new();
    BUCKETS.expect_unchanged(&mut batch, row);
    BUCKETS.delete(&mut batch, name);
    OWNED.delete(&mut batch, (row.value.owner.as_str(), name));
    UPLOADS.delete_prefix(&mut batch, name);
    configurations::forget(&mut batch, name);
    match state.store.commit(batch).await {
        Err(error) if error.is_conflict() => return Err(Error::Contended),
        outcome => outcome?,
    }
    Ok(uploads::forget_parts(state, Key::of(name)).await?)
}

/// Opens buckets whose deletion a crash interrupted.
pub async fn reopen_all(state: &State) -> Result<(), store::StoreError> {
    let mut after = None;
    loop {
        let page = BUCKETS.scan(&*state.store, (), after.as_ref(), 500).await?;
        for row in page.rows.iter().filter(|row| row.value.closing) {
            let mut batch = Batch::new();
            let name = row.key.reader().text()?;
            BUCKETS.put(
                &mut batch,
                &name,
                &Bucket {
                    closing: false,
                    ..row.value.clone()
                },
            )?;
            state.store.commit(batch).await?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
