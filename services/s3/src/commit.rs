//! The one way objects change: records, content and the events they cause, in one batch.

use std::collections::HashSet;
use std::sync::Arc;

use base::Timestamp;
use bytes::Bytes;
use store::{Batch, BlobId, Row, StoreError};

use crate::buckets;
use crate::call::Call;
use crate::domain::condition::Conditions;
use crate::domain::event::Happening;
use crate::domain::notification::EventKind;
use crate::domain::tags::Tag;
use crate::error::Error;
use crate::outbox;
use crate::records::{self, BUCKETS, Bucket, Content, MANIFESTS, Manifest, OBJECTS, Object};
use crate::state::State;

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
    /// Sets the object; `last_modified` is set on commit.
    Put {
        object: Box<Object>,
        payload: Payload,
        conditions: Conditions,
        kind: EventKind,
    },
    /// Deletes the object, if it is there.
    Delete { conditions: Conditions },
    /// Replaces the tags of an object that must be there.
    Retag { tags: Vec<Tag>, kind: EventKind },
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

/// A change that has been made.
#[derive(Clone, Copy, Debug)]
pub struct Committed {
    pub at: Timestamp,
}

/// Something else that must happen in the same batch.
pub type Extend = Box<dyn Fn(&mut Batch) -> Result<(), Error> + Send + Sync>;

/// Applies the changes, all or none, and sends off their events.
///
/// Runs to its end even if the caller goes away: an event in the store must be on its way too.
///
/// # Errors
/// `NoSuchBucket`, `PreconditionFailed`, [`Error::Contended`] when something that `extend` expects
/// has changed.
pub async fn apply(
    state: &Arc<State>,
    call: &Arc<Call>,
    bucket: &str,
    changes: Vec<Change>,
    extend: Option<Extend>,
) -> Result<Committed, Error> {
    let (state, call, bucket) = (Arc::clone(state), Arc::clone(call), bucket.to_owned());
    let task = tokio::spawn(async move {
        for _ in 0..MAX_ATTEMPTS {
            if let Some(done) = attempt(&state, &call, &bucket, &changes, extend.as_ref()).await? {
                return Ok(done);
            }
        }
        Err(Error::Contended)
    });
    match task.await {
        Ok(result) => result,
        Err(stopped) => match stopped.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(StoreError::Closed.into()),
        },
    }
}

/// `None` when another change came first.
async fn attempt(
    state: &Arc<State>,
    call: &Call,
    name: &str,
    changes: &[Change],
    extend: Option<&Extend>,
) -> Result<Option<Committed>, Error> {
    let bucket = buckets::find(state, call, name).await?;
    if bucket.value.closing {
        state.clock.sleep(buckets::CLOSING_PAUSE).await;
        return Ok(None);
    }
    let mut staging = Staging::new(name, &bucket, state.clock.now());
    for change in changes {
        staging.stage(state, change).await?;
    }
    if let Some(extend) = extend {
        extend(&mut staging.batch)?;
    }
    let Staging {
        mut batch,
        happenings,
        retired,
        expected,
        now,
        ..
    } = staging;
    let place = buckets::place(name, &bucket.value);
    let entries = outbox::stage(
        &mut batch,
        place,
        &bucket.value.notifications,
        &happenings,
        &call.cause(),
        |at| state.next_sequencer(at),
    )?;
    match state.store.commit(batch).await {
        Ok(()) => {
            for old in retired {
                old.delete(state);
            }
            state.outbox.push(entries);
            Ok(Some(Committed { at: now }))
        }
        Err(StoreError::Conflict { key }) if expected.contains(&key) => Ok(None),
        Err(StoreError::Conflict { .. }) => Err(Error::Contended),
        Err(error) => Err(error.into()),
    }
}

/// One attempt's batch in the making.
struct Staging<'a> {
    bucket: &'a str,
    now: Timestamp,
    batch: Batch,
    /// The keys that this module itself expects to be unchanged.
    expected: HashSet<Bytes>,
    happenings: Vec<Happening>,
    retired: Vec<Retired>,
}

/// Content whose last record goes with the batch.
enum Retired {
    Nothing,
    Blob(BlobId),
    Parts(String, Vec<BlobId>),
}

impl Retired {
    fn delete(self, state: &State) {
        match self {
            Self::Nothing => {}
            Self::Blob(id) => state.pins.delete(vec![id]),
            Self::Parts(content, blobs) => state.pins.retire(&content, blobs),
        }
    }
}

impl<'a> Staging<'a> {
    fn new(bucket: &'a str, row: &Row<Bucket>, now: Timestamp) -> Self {
        let mut batch = Batch::new();
        BUCKETS.expect_unchanged(&mut batch, row);
        Self {
            bucket,
            now,
            batch,
            expected: HashSet::from([Bytes::from(BUCKETS.full_key(&row.key))]),
            happenings: Vec::new(),
            retired: Vec::new(),
        }
    }

    async fn stage(&mut self, state: &State, change: &Change) -> Result<(), Error> {
        let at = (self.bucket, change.key.as_str());
        let old = OBJECTS.get_row(&*state.store, at).await?;
        match &change.action {
            Action::Put {
                object,
                payload,
                conditions,
                kind,
            } => {
                conditions.check_write(old.as_ref().map(|o| o.value.etag.as_str()), &change.key)?;
                self.expect(at, old.as_ref());
                let object = Object {
                    last_modified: self.now,
                    ..(**object).clone()
                };
                OBJECTS.put(&mut self.batch, at, &object)?;
                self.put_payload(&object.content, payload)?;
                self.retire(state, old).await?;
                self.happened(*kind, &change.key, Some(object.size), Some(object.etag));
            }
            Action::Delete { conditions } => {
                let present = old.as_ref().map(|o| o.value.etag.as_str());
                conditions.check_write(present, &change.key)?;
                self.expect(at, old.as_ref());
                if old.is_none() {
                    return Ok(());
                }
                OBJECTS.delete(&mut self.batch, at);
                self.retire(state, old).await?;
                self.happened(EventKind::Delete, &change.key, None, None);
            }
            Action::Retag { tags, kind } => {
                let Some(old) = old else {
                    return Err(Error::no_such_key(&change.key));
                };
                self.expect(at, Some(&old));
                let mut object = old.value;
                object.attributes.tags.clone_from(tags);
                OBJECTS.put(&mut self.batch, at, &object)?;
                self.happened(*kind, &change.key, None, Some(object.etag));
            }
        }
        Ok(())
    }

    fn expect(&mut self, at: (&str, &str), old: Option<&Row<Object>>) {
        self.expected.insert(Bytes::from(OBJECTS.full_key(at)));
        match old {
            Some(row) => OBJECTS.expect_unchanged(&mut self.batch, row),
            None => OBJECTS.expect_absent(&mut self.batch, at),
        }
    }

    fn put_payload(&mut self, content: &Content, payload: &Payload) -> Result<(), Error> {
        match (content, payload) {
            (Content::Inline(id), Payload::Inline(bytes)) => {
                records::put_inline(&mut self.batch, id, bytes.clone());
            }
            (Content::Parts(id), Payload::Parts(manifest)) => {
                MANIFESTS.put(&mut self.batch, id, manifest)?;
            }
            (_, Payload::Blob(id)) => records::name_blob(&mut self.batch, id)?,
            _ => {}
        }
        Ok(())
    }

    async fn retire(&mut self, state: &State, old: Option<Row<Object>>) -> Result<(), Error> {
        let retired = match old.map(|row| row.value.content) {
            None | Some(Content::Empty) => Retired::Nothing,
            Some(Content::Inline(id)) => {
                records::delete_inline(&mut self.batch, &id);
                Retired::Nothing
            }
            Some(Content::Blob(id)) => {
                records::forget_blob(&mut self.batch, &id);
                Retired::Blob(id)
            }
            Some(Content::Parts(id)) => {
                let manifest = MANIFESTS.get(&*state.store, &id).await?;
                MANIFESTS.delete(&mut self.batch, &id);
                let blobs: Vec<_> = manifest
                    .into_iter()
                    .flat_map(|m| m.parts)
                    .map(|part| part.blob)
                    .collect();
                records::forget_blobs(&mut self.batch, &blobs);
                Retired::Parts(id, blobs)
            }
        };
        self.retired.push(retired);
        Ok(())
    }

    fn happened(&mut self, kind: EventKind, key: &str, size: Option<u64>, etag: Option<String>) {
        self.happenings.push(Happening {
            kind,
            key: key.to_owned(),
            size,
            etag,
        });
    }
}
