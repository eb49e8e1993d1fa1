//! Finding a bucket, and whether the caller may touch it.

use std::time::Duration;

use service::Access;
use store::{Batch, Row};

use crate::access;
use crate::call::Call;
use crate::domain::event::Place;
use crate::error::Error;
use crate::records::{BUCKETS, Bucket};
use crate::state::State;

/// The bucket of this name, if the caller may do there what the request asks for.
///
/// # Errors
/// `NoSuchBucket`, `AccessDenied`.
pub async fn find(state: &State, call: &Call, name: &str) -> Result<Row<Bucket>, Error> {
    find_for(state, call, name, call.access.as_ref()).await
}

/// The same, for something else than the request itself, such as reading what it copies.
///
/// # Errors
/// As [`find`].
pub async fn find_for(
    state: &State,
    call: &Call,
    name: &str,
    access: Option<&Access>,
) -> Result<Row<Bucket>, Error> {
    let row = BUCKETS.get_row(&*state.store, name).await?;
    let row = row.ok_or_else(|| Error::no_such_bucket(name))?;
    if access::may(state, call, access, name, &row.value).await? {
        Ok(row)
    } else {
        Err(Error::access_denied())
    }
}

/// The same, where the request says in `x-amz-expected-bucket-owner` whose it must be.
///
/// # Errors
/// As [`find`].
pub async fn find_of(
    state: &State,
    call: &Call,
    name: &str,
    expected_owner: Option<&str>,
) -> Result<Row<Bucket>, Error> {
    let row = find(state, call, name).await?;
    check_owner(&row.value, expected_owner)?;
    Ok(row)
}

/// # Errors
/// `AccessDenied` when it is another's than the request expects.
pub fn check_owner(bucket: &Bucket, expected: Option<&str>) -> Result<(), Error> {
    match expected {
        Some(owner) if owner != bucket.owner.as_str() => Err(Error::access_denied()),
        _ => Ok(()),
    }
}

/// What an event says about the bucket.
pub fn place<'a>(name: &'a str, bucket: &'a Bucket) -> Place<'a> {
    Place {
        bucket: name,
        owner: bucket.owner,
        region: &bucket.region,
    }
}

/// How long to wait for a DeleteBucket that is looking whether the bucket is empty.
pub const CLOSING_PAUSE: Duration = Duration::from_millis(2);
/// How often another change of the same bucket may come first.
const MAX_ATTEMPTS: usize = 50;

/// Changes a bucket's configuration, and what `change` adds to the batch.
///
/// # Errors
/// As [`find_of`], and what `change` says.
pub async fn update(
    state: &State,
    call: &Call,
    name: &str,
    expected_owner: Option<&str>,
    change: impl Fn(&mut Bucket, &mut Batch) -> Result<(), Error> + Send + Sync,
) -> Result<(), Error> {
    for _ in 0..MAX_ATTEMPTS {
        let row = find_of(state, call, name, expected_owner).await?;
        if row.value.closing {
            state.clock.sleep(CLOSING_PAUSE).await;
            continue;
        }
        let mut bucket = row.value.clone();
        let mut batch = Batch::new();
        change(&mut bucket, &mut batch)?;
        BUCKETS.expect_unchanged(&mut batch, &row);
        BUCKETS.put(&mut batch, name, &bucket)?;
        match state.store.commit(batch).await {
            Err(error) if error.is_conflict() => {}
            outcome => return Ok(outcome?),
        }
    }
    Err(Error::Contended)
}
