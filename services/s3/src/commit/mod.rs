//! The one way objects change: records, content and the events they cause, in one batch.

mod overlay;
mod staging;

use std::sync::Arc;

use base::Timestamp;
use bytes::Bytes;
use store::{Batch, BlobId, StoreError};

use crate::buckets;
use crate::call::Call;
use crate::deliver;
use crate::domain::acl::Acl;
use crate::domain::condition::Conditions;
use crate::domain::event::Cause;
use crate::domain::lock::Retention;
use crate::domain::notification::EventKind;
use crate::domain::tags::Tag;
use crate::domain::version_id::VersionId;
use crate::error::Error;
use crate::records::{BUCKETS, Bucket, Manifest, Object};
use crate::state::State;
use staging::Staging;
use store::Row;

/// How often a change may be overtaken by others of the same keys.
const MAX_ATTEMPTS: usize = 200;

/// A change to one key.
#[derive(Clone, Debug)]
pub struct Change {
    pub key: String,
    pub action: Action,
}

#[derive(Clone, Debug)]
pub enum Action {
    /// Sets the object, or adds a version; `last_modified` and what names the version are set on
    /// commit.
    Put {
        object: Box<Object>,
        payload: Payload,
        conditions: Conditions,
        kind: EventKind,
    },
    /// Deletes the object, if it is there; where there are versions, adds a delete marker.
    Delete { conditions: Conditions, by: By },
    /// Deletes one version, if it is there and nothing locks it.
    DeleteVersion {
        version: VersionId,
        conditions: Conditions,
        /// Whether a retention of mode GOVERNANCE is no matter.
        bypass: bool,
        by: By,
    },
    /// Changes what is said of an object that must be there.
    Update {
        version: Option<VersionId>,
        update: Update,
    },
}

/// On whose account something is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Request,
    /// A lifecycle rule, which means the version that was made then and no other.
    Lifecycle {
        made: Timestamp,
    },
}

#[derive(Clone, Debug)]
pub enum Update {
    /// Replaces the tags.
    Tags {
        tags: Vec<Tag>,
        kind: EventKind,
    },
    Acl(Acl),
    Retention {
        retention: Option<Retention>,
        bypass: bool,
    },
    LegalHold(bool),
}

/// What an object's content needs beside the object's record.
#[derive(Clone, Debug)]
pub enum Payload {
    None,
    Inline(Bytes),
    /// A blob to be named.
    Blob(BlobId),
    /// Blobs that are named already, as parts.
    Parts(Manifest),
}

/// A single change that has been made.
#[derive(Clone, Debug)]
pub struct Committed {
    pub at: Timestamp,
    pub outcome: Outcome,
}

/// What became of one change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The version that was made, changed or deleted, where the bucket has versions.
    pub version_id: Option<String>,
    /// Whether that version is, or was, a delete marker.
    pub delete_marker: bool,
}

/// Something else that must happen in the same batch.
pub type Extend = Box<dyn Fn(&mut Batch) -> Result<(), Error> + Send + Sync>;

/// Applies the change a request asks for and sends off its events.
///
/// # Errors
/// `NoSuchBucket`, `AccessDenied`, `PreconditionFailed`, [`Error::Contended`] when something that
/// `extend` expects has changed.
pub async fn apply(
    state: &Arc<State>,
    call: &Arc<Call>,
    bucket: &str,
    change: Change,
    extend: Option<Extend>,
) -> Result<Committed, Error> {
    let (at, mut outcomes) = apply_each(state, call, bucket, vec![change], extend).await?;
    let outcome = outcomes.pop().expect("one change has one outcome")?;
    Ok(Committed { at, outcome })
}

/// Applies those changes that may be made, in one batch.
///
/// # Errors
/// As [`apply`], but that the outcome of a change may be an error of its own.
pub async fn apply_each(
    state: &Arc<State>,
    call: &Arc<Call>,
    bucket: &str,
    changes: Vec<Change>,
    extend: Option<Extend>,
) -> Result<(Timestamp, Vec<Result<Outcome, Error>>), Error> {
    let (state, call, bucket) = (Arc::clone(state), Arc::clone(call), bucket.to_owned());
    to_its_end(async move {
        let cause = call.cause();
        for _ in 0..MAX_ATTEMPTS {
            let row = buckets::find(&state, &call, &bucket).await?;
            let done = attempt(&state, &bucket, &row, &changes, &cause, extend.as_ref()).await?;
            if let Some(done) = done {
                return Ok(done);
            }
        }
        Err(Error::Contended)
    })
    .await
}

/// Applies changes that are the service's own doing, in one batch.
///
/// # Errors
/// As [`apply_each`].
pub async fn apply_own(
    state: &Arc<State>,
    bucket: &str,
    changes: Vec<Change>,
    cause: Cause,
) -> Result<Vec<Result<Outcome, Error>>, Error> {
    let (state, bucket) = (Arc::clone(state), bucket.to_owned());
    to_its_end(async move {
        for _ in 0..MAX_ATTEMPTS {
            let row = BUCKETS.get_row(&*state.store, bucket.as_str()).await?;
            let row = row.ok_or_else(|| Error::no_such_bucket(&bucket))?;
            let done = attempt(&state, &bucket, &row, &changes, &cause, None).await?;
            if let Some((_, outcomes)) = done {
                return Ok(outcomes);
            }
        }
        Err(Error::Contended)
    })
    .await
}

/// Runs to its end even if the caller goes away: an event in the store must be on its way too.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(work).await {
        Ok(result) => result,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(StoreError::Closed.into()),
        },
    }
}

/// `None` when another change came first. A change that is refused has changed nothing of the
/// batch.
async fn attempt(
    state: &Arc<State>,
    name: &str,
    bucket: &Row<Bucket>,
    changes: &[Change],
    cause: &Cause,
    extend: Option<&Extend>,
) -> Result<Option<(Timestamp, Vec<Result<Outcome, Error>>)>, Error> {
    if bucket.value.closing {
        state.clock.sleep(buckets::CLOSING_PAUSE).await;
        return Ok(None);
    }
    let now = state.clock.now();
    let mut staging = Staging::new(state, name, bucket, now);
    let mut outcomes = Vec::with_capacity(changes.len());
    for change in changes {
        match staging.stage(change).await {
            Err(error @ Error::Client(_)) => outcomes.push(Err(error)),
            outcome => outcomes.push(Ok(outcome?)),
        }
    }
    if outcomes.iter().all(Result::is_err) {
        return Ok(Some((now, outcomes)));
    }
    if let Some(extend) = extend {
        extend(&mut staging.batch)?;
    }
    let Staging {
        mut batch,
        happenings,
        retired,
        expected,
        ..
    } = staging;
    let place = buckets::place(name, &bucket.value);
    let staged = deliver::stage(
        &state.deliveries,
        &mut batch,
        place,
        &bucket.value.notifications,
        &happenings,
        cause,
        || state.next_sequencer(cause.at),
    )?;
    match state.store.commit(batch).await {
        Ok(()) => {
            for old in retired {
                old.delete(state);
            }
            staged.send_off();
            Ok(Some((now, outcomes)))
        }
        Err(StoreError::Conflict { key }) if expected.contains(&key) => Ok(None),
        Err(StoreError::Conflict { .. }) => Err(Error::Contended),
        Err(error) => Err(error.into()),
    }
}
