//! One attempt's batch in the making: what each change does to the versions of its key.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html>

use std::collections::HashSet;

use base::Timestamp;
use bytes::Bytes;
use store::{Batch, BlobId, Row};

use super::overlay::Overlay;
use super::{Action, By, Change, Outcome, Payload, Update};
use crate::domain::condition::Conditions;
use crate::domain::event::Happening;
use crate::domain::notification::EventKind;
use crate::domain::version_id::{self, NULL, VersionId};
use crate::error::Error;
use crate::records::{
    self, BUCKETS, Bucket, Content, HEADS, Head, MANIFESTS, Marker, OBJECTS, Object, VERSIONS,
    Version, Versioning, version_key,
};
use crate::state::State;
use crate::versions;

pub struct Staging<'a> {
    state: &'a State,
    bucket: &'a str,
    versioning: Option<Versioning>,
    now: Timestamp,
    overlay: Overlay<'a>,
    pub batch: Batch,
    /// The keys that this module itself expects to be unchanged.
    pub expected: HashSet<Bytes>,
    pub happenings: Vec<Happening>,
    pub retired: Vec<Retired>,
}

/// Content whose last record goes with the batch.
pub enum Retired {
    Nothing,
    Blob(BlobId),
    Parts(String, Vec<BlobId>),
}

impl Retired {
    pub fn delete(self, state: &State) {
        match self {
            Self::Nothing => {}
            Self::Blob(id) => state.pins.delete(vec![id]),
            Self::Parts(content, blobs) => state.pins.retire(&content, blobs),
        }
    }
}

/// What a deletion need not heed.
#[derive(Clone, Copy)]
struct Freedom {
    bypass: bool,
    by: By,
}

impl By {
    /// Whether this is still what is to be deleted.
    fn means(self, made: Option<Timestamp>) -> bool {
        match self {
            Self::Request => true,
            Self::Lifecycle { made: meant } => made == Some(meant),
        }
    }

    fn removed(self) -> EventKind {
        match self {
            Self::Request => EventKind::Delete,
            Self::Lifecycle { .. } => EventKind::Expired,
        }
    }

    fn marked(self) -> EventKind {
        match self {
            Self::Request => EventKind::DeleteMarkerCreated,
            Self::Lifecycle { .. } => EventKind::ExpiredMarker,
        }
    }
}

/// What there is of a key.
struct Present {
    current: Option<Object>,
    /// As it will be written back, where the bucket has versions.
    head: Head,
}

impl<'a> Staging<'a> {
    pub fn new(state: &'a State, bucket: &'a str, row: &Row<Bucket>, now: Timestamp) -> Self {
        let mut batch = Batch::new();
        BUCKETS.expect_unchanged(&mut batch, row);
        Self {
            state,
            bucket,
            versioning: row.value.versioning,
            now,
            overlay: Overlay::new(&*state.store),
            batch,
            expected: HashSet::from([Bytes::from(BUCKETS.full_key(&row.key))]),
            happenings: Vec::new(),
            retired: Vec::new(),
        }
    }

    pub async fn stage(&mut self, change: &Change) -> Result<Outcome, Error> {
        let key = change.key.as_str();
        let outcome = match &change.action {
            Action::Put {
                object,
                payload,
                conditions,
                kind,
            } => self.put(key, object, payload, conditions, *kind).await?,
            Action::Delete { conditions, by } => self.delete(key, conditions, *by).await?,
            Action::DeleteVersion {
                version,
                conditions,
                bypass,
                by,
            } => {
                let freedom = Freedom {
                    bypass: *bypass,
                    by: *by,
                };
                self.delete_version(key, version, conditions, freedom)
                    .await?
            }
            Action::Update { version, update } => {
                self.update(key, version.as_ref(), update).await?
            }
        };
        self.overlay.absorb(&self.batch);
        Ok(outcome)
    }

    async fn put(
        &mut self,
        key: &str,
        object: &Object,
        payload: &Payload,
        conditions: &Conditions,
        kind: EventKind,
    ) -> Result<Outcome, Error> {
        let Present { current, mut head } = self.look(key).await?;
        conditions.check_write(current.as_ref().map(|o| o.etag.as_str()), key)?;
        let mut object = Object {
            last_modified: self.now,
            ..object.clone()
        };
        match self.versioning {
            None => self.retire(current.map(|old| old.content)).await?,
            Some(versioning) => {
                object.order = self.next_order(&mut head);
                if versioning == Versioning::Enabled {
                    object.version_id = Some(version_id::make(object.order));
                }
                self.displace(key, current, versioning, &mut head).await?;
                HEADS.put(&mut self.batch, (self.bucket, key), &head)?;
            }
        }
        OBJECTS.put(&mut self.batch, (self.bucket, key), &object)?;
        self.put_payload(&object.content, payload)?;
        self.happenings.push(Happening {
            size: Some(object.size),
            etag: Some(object.etag),
            version_id: object.version_id.clone(),
            ..Happening::new(kind, key)
        });
        Ok(self.outcome(object.version_id, false))
    }

    async fn delete(
        &mut self,
        key: &str,
        conditions: &Conditions,
        by: By,
    ) -> Result<Outcome, Error> {
        let Present { current, mut head } = self.look(key).await?;
        if !by.means(current.as_ref().map(|o| o.last_modified)) {
            return Ok(Outcome::default());
        }
        conditions.check_write(current.as_ref().map(|o| o.etag.as_str()), key)?;
        let Some(versioning) = self.versioning else {
            if let Some(old) = current {
                OBJECTS.delete(&mut self.batch, (self.bucket, key));
                self.retire(Some(old.content)).await?;
                self.happenings.push(Happening::new(by.removed(), key));
            }
            return Ok(Outcome::default());
        };
        let order = self.next_order(&mut head);
        if current.is_some() {
            OBJECTS.delete(&mut self.batch, (self.bucket, key));
        }
        self.displace(key, current, versioning, &mut head).await?;
        let version_id = match versioning {
            Versioning::Enabled => Some(version_id::make(order)),
            Versioning::Suspended => {
                head.null = Some(order);
                None
            }
        };
        let marker = Version::Marker(Marker {
            version_id: version_id.clone(),
            order,
            last_modified: self.now,
        });
        VERSIONS.put(
            &mut self.batch,
            version_key(self.bucket, key, order),
            &marker,
        )?;
        HEADS.put(&mut self.batch, (self.bucket, key), &head)?;
        self.happenings.push(Happening {
            etag: Some(EMPTY_ETAG.to_owned()),
            version_id: version_id.clone(),
            ..Happening::new(by.marked(), key)
        });
        Ok(self.outcome(version_id, true))
    }

    /// Makes way for a new version: the current one becomes an older one; the version `null` goes,
    /// when the new one is to be it.
    async fn displace(
        &mut self,
        key: &str,
        current: Option<Object>,
        versioning: Versioning,
        head: &mut Head,
    ) -> Result<(), Error> {
        let is_null = versioning == Versioning::Suspended;
        if is_null && let Some(order) = head.null.take() {
            let at = version_key(self.bucket, key, order);
            if let Some(Version::Object(old)) = VERSIONS.get(&self.overlay, &at).await? {
                self.retire(Some(old.content)).await?;
            }
            VERSIONS.delete(&mut self.batch, &at);
        }
        let Some(old) = current else {
            return Ok(());
        };
        if old.version_id.is_none() {
            if is_null {
                return self.retire(Some(old.content)).await;
            }
            head.null = Some(old.order);
        }
        let at = version_key(self.bucket, key, old.order);
        let old = Version::Object(Box::new(old));
        VERSIONS.put(&mut self.batch, at, &old)?;
        Ok(())
    }

    async fn delete_version(
        &mut self,
        key: &str,
        version: &VersionId,
        conditions: &Conditions,
        Freedom { bypass, by }: Freedom,
    ) -> Result<Outcome, Error> {
        let Present { current, mut head } = self.look(key).await?;
        let mut outcome = Outcome {
            version_id: Some(version.as_str().to_owned()),
            delete_marker: false,
        };
        let is_this = |object: &Object| version.is(object.version_id.as_deref());
        let (kept, found) = match current {
            Some(object) if is_this(&object) => (None, Some(Version::Object(Box::new(object)))),
            kept => {
                let found = versions::older(&self.overlay, self.bucket, key, version, &head);
                (kept, found.await?)
            }
        };
        let etag = match &found {
            Some(Version::Object(object)) => Some(object.etag.as_str()),
            _ => None,
        };
        conditions.check_write(etag, key)?;
        let Some(found) = found else {
            return Ok(outcome);
        };
        if !by.means(Some(found.last_modified())) {
            return Ok(outcome);
        }
        if let Version::Object(object) = &found {
            object.attributes.lock.check_delete(self.now, bypass)?;
        }
        let order = found.order();
        // Only one of them is there.
        if kept.is_none() {
            OBJECTS.delete(&mut self.batch, (self.bucket, key));
        }
        VERSIONS.delete(&mut self.batch, version_key(self.bucket, key, order));
        head.null = head.null.filter(|null| *null != order);
        match found {
            Version::Object(old) => self.retire(Some(old.content)).await?,
            Version::Marker(_) => outcome.delete_marker = true,
        }
        self.overlay.absorb(&self.batch);
        self.promote(key, kept.is_some(), head).await?;
        self.removed(key, version, by);
        Ok(outcome)
    }

    fn removed(&mut self, key: &str, version: &VersionId, by: By) {
        let version_id = match version {
            VersionId::Null => None,
            VersionId::Id { text, .. } => Some(text.clone()),
        };
        self.happenings.push(Happening {
            version_id,
            ..Happening::new(by.removed(), key)
        });
    }

    /// Makes the newest version the current one, if there is no object and it is one.
    async fn promote(&mut self, key: &str, has_current: bool, mut head: Head) -> Result<(), Error> {
        if self.versioning.is_none() {
            return Ok(());
        }
        let newest = VERSIONS
            .scan(&self.overlay, (self.bucket, key), None, 1)
            .await?;
        match newest.rows.into_iter().next() {
            None if !has_current => {
                HEADS.delete(&mut self.batch, (self.bucket, key));
                return Ok(());
            }
            Some(Row {
                key: at,
                value: Version::Object(object),
                ..
            }) if !has_current => {
                VERSIONS.delete(&mut self.batch, &at);
                head.null = head.null.filter(|null| *null != object.order);
                OBJECTS.put(&mut self.batch, (self.bucket, key), &object)?;
            }
            _ => {}
        }
        HEADS.put(&mut self.batch, (self.bucket, key), &head)?;
        Ok(())
    }

    async fn update(
        &mut self,
        key: &str,
        version: Option<&VersionId>,
        update: &Update,
    ) -> Result<Outcome, Error> {
        let Present { current, head } = self.look(key).await?;
        let is_current = |object: &Object| {
            version.is_none_or(|version| version.is(object.version_id.as_deref()))
        };
        let version_id = if let Some(mut object) = current.filter(is_current) {
            self.change(key, &mut object, update)?;
            OBJECTS.put(&mut self.batch, (self.bucket, key), &object)?;
            object.version_id
        } else {
            let found = match version {
                Some(version) => {
                    versions::older(&self.overlay, self.bucket, key, version, &head).await?
                }
                None => versions::newest(&self.overlay, self.bucket, key).await?,
            };
            let mut object = versions::must_be_object(key, version, found)?;
            self.change(key, &mut object, update)?;
            let version_id = object.version_id.clone();
            let at = version_key(self.bucket, key, object.order);
            VERSIONS.put(&mut self.batch, at, &Version::Object(Box::new(object)))?;
            version_id
        };
        if self.versioning.is_some() {
            HEADS.put(&mut self.batch, (self.bucket, key), &head)?;
        }
        Ok(self.outcome(version_id, false))
    }

    fn change(&mut self, key: &str, object: &mut Object, update: &Update) -> Result<(), Error> {
        let attributes = &mut object.attributes;
        let kind = match update {
            Update::Tags { tags, kind } => {
                attributes.tags.clone_from(tags);
                *kind
            }
            Update::Acl(acl) => {
                attributes.acl = Some(acl.clone());
                EventKind::AclPut
            }
            Update::Retention { retention, bypass } => {
                attributes
                    .lock
                    .check_change(*retention, self.now, *bypass)?;
                attributes.lock.retention = *retention;
                return Ok(());
            }
            Update::LegalHold(hold) => {
                attributes.lock.legal_hold = Some(*hold);
                return Ok(());
            }
        };
        self.happenings.push(Happening {
            etag: Some(object.etag.clone()),
            version_id: object.version_id.clone(),
            ..Happening::new(kind, key)
        });
        Ok(())
    }

    /// Reads what there is of a key, and expects it to be unchanged until the commit.
    async fn look(&mut self, key: &str) -> Result<Present, Error> {
        let at = (self.bucket, key);
        let current = OBJECTS.get_row(&self.overlay, at).await?;
        if self.expected.insert(Bytes::from(OBJECTS.full_key(at))) {
            match &current {
                Some(row) => OBJECTS.expect_unchanged(&mut self.batch, row),
                None => OBJECTS.expect_absent(&mut self.batch, at),
            }
        }
        let mut head = Head::default();
        if self.versioning.is_some() {
            let row = HEADS.get_row(&self.overlay, at).await?;
            if self.expected.insert(Bytes::from(HEADS.full_key(at))) {
                match &row {
                    Some(row) => HEADS.expect_unchanged(&mut self.batch, row),
                    None => HEADS.expect_absent(&mut self.batch, at),
                }
            }
            head = row.map(|row| row.value).unwrap_or_default();
            head.changes += 1;
        }
        let current = current.map(|row| row.value);
        head.order = head.order.max(current.as_ref().map_or(0, |o| o.order));
        Ok(Present { current, head })
    }

    /// An order above all that the key has had.
    fn next_order(&self, head: &mut Head) -> u64 {
        head.order = self.state.next_sequencer(self.now).0.max(head.order + 1);
        head.order
    }

    fn outcome(&self, version_id: Option<String>, delete_marker: bool) -> Outcome {
        let version_id = self
            .versioning
            .map(|_| version_id.unwrap_or_else(|| NULL.to_owned()));
        Outcome {
            version_id,
            delete_marker,
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

    async fn retire(&mut self, old: Option<Content>) -> Result<(), Error> {
        let retired = match old {
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
                let manifest = MANIFESTS.get(&self.overlay, &id).await?;
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
}

/// MD5 of nothing, which an event says of a delete marker.
const EMPTY_ETAG: &str = "d41d8cd98f00b204e9800998ecf8427e";
