//! Carries out the lifecycle rules of buckets, every midnight (UTC) as S3 counts days, and once at
//! the start for those that were missed.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>

use std::sync::{Arc, Weak};

use base::Timestamp;
use s3s::dto::BucketLifecycleConfiguration;
use store::{Reader, StoreError};

use crate::commit::{self, Action, By, Change};
use crate::configurations::{self, Kind};
use crate::domain::condition::Conditions;
use crate::domain::event::Cause;
use crate::domain::lifecycle::{self, Due, Rule, Subject};
use crate::domain::version_id::{NULL, VersionId};
use crate::error::Error;
use crate::records::{BUCKETS, Bucket, Object, UPLOADS, Upload, Version};
use crate::state::State;
use crate::uploads;
use crate::version_listing::{self, Listed, Query};

/// Versions and uploads read at once; their changes are one batch.
const PAGE: usize = 500;

/// Works until the service is gone.
pub async fn run(state: Weak<State>) {
    loop {
        let next = {
            let Some(state) = state.upgrade() else { return };
            let now = state.clock.now();
            if let Err(error) = pass(&state, now).await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(
                    error,
                    "lifecycle rules were not carried out; tomorrow again"
                );
            }
            let clock = state.clock.clone();
            let next = lifecycle::next_midnight(now);
            async move { clock.sleep_until(next).await }
        };
        next.await;
    }
}

/// What is due at a time, in all buckets.
async fn pass(state: &Arc<State>, now: Timestamp) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = BUCKETS
            .scan(&*state.store, (), after.as_ref(), PAGE)
            .await?;
        for row in page.rows.iter().filter(|row| row.value.lifecycle) {
            let name = row.key.reader().text()?;
            let rules = rules(&*state.store, &name, &row.value).await?;
            expire_versions(state, &name, &rules, now).await?;
            abort_uploads(state, &name, &rules, now).await?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// The rules of a bucket that are enabled.
pub async fn rules(
    reader: &(impl Reader + ?Sized),
    name: &str,
    bucket: &Bucket,
) -> Result<Vec<Rule>, StoreError> {
    if !bucket.lifecycle {
        return Ok(Vec::new());
    }
    let found: Option<BucketLifecycleConfiguration> =
        configurations::find(reader, name, Kind::Lifecycle).await?;
    Ok(found.map_or_else(Vec::new, |found| lifecycle::rules(&found.rules)))
}

/// When the current object of a key will expire, as answers say it.
pub async fn expiration(
    state: &State,
    (name, key): (&str, &str),
    bucket: &Bucket,
    object: &Object,
    made: Timestamp,
) -> Result<Option<String>, Error> {
    let rules = rules(&*state.store, name, bucket).await?;
    let due = lifecycle::expiry(&rules, subject(key, object, made));
    Ok(due.map(|due| due.header()))
}

/// When an upload will be aborted, and by which rule.
pub async fn abortion(
    state: &State,
    (name, key): (&str, &str),
    bucket: &Bucket,
    upload: &Upload,
) -> Result<(Option<s3s::dto::Timestamp>, Option<String>), Error> {
    let rules = rules(&*state.store, name, bucket).await?;
    let due = lifecycle::abortion(&rules, key, upload.initiated_at);
    Ok(due.map(|due| (due.at.datetime().into(), due.rule)).unzip())
}

fn subject<'a>(key: &'a str, object: &'a Object, since: Timestamp) -> Subject<'a> {
    Subject {
        key,
        size: object.size,
        tags: &object.attributes.tags,
        since,
    }
}

async fn expire_versions(
    state: &Arc<State>,
    bucket: &str,
    rules: &[Rule],
    now: Timestamp,
) -> Result<(), Error> {
    let mut walk = Walk {
        rules,
        now,
        key: None,
        changes: Vec::new(),
    };
    let (mut key_marker, mut version_marker) = (None::<String>, None);
    loop {
        let query = Query {
            prefix: "",
            delimiter: None,
            key_marker: key_marker.as_deref(),
            version_marker: version_marker.as_ref(),
            limit: PAGE,
        };
        let page = version_listing::list(&*state.store, bucket, query).await?;
        for entry in page.entries {
            let Listed::Version {
                key,
                version,
                is_latest,
            } = entry
            else {
                continue;
            };
            version_marker = Some(id(&version)?);
            key_marker = Some(key.clone());
            walk.see(key, version, is_latest);
        }
        if !page.truncated {
            walk.leave();
        }
        let changes = std::mem::take(&mut walk.changes);
        if !changes.is_empty() {
            expired(state, bucket, changes).await?;
        }
        if !page.truncated {
            return Ok(());
        }
    }
}

/// What is locked stays, and what has changed since it was read.
async fn expired(state: &Arc<State>, bucket: &str, changes: Vec<Change>) -> Result<(), Error> {
    match commit::apply_own(state, bucket, changes, cause(state)).await {
        Ok(outcomes) => {
            let kept = outcomes.iter().filter(|outcome| outcome.is_err()).count();
            tracing::debug!(bucket, of = outcomes.len(), kept, "objects expired");
            Ok(())
        }
        // Somebody deletes the bucket, or changes it again and again.
        Err(Error::Client(_) | Error::Contended) => Ok(()),
        Err(error) => Err(error),
    }
}

fn id(version: &Version) -> Result<VersionId, Error> {
    VersionId::parse(version.version_id().unwrap_or(NULL))
}

/// Versions as they are listed, and what is to become of them.
struct Walk<'a> {
    rules: &'a [Rule],
    now: Timestamp,
    key: Option<Seen>,
    changes: Vec<Change>,
}

/// What has been seen of the present key.
struct Seen {
    key: String,
    /// When the last version seen was made: then the next one was no longer the newest.
    since: Timestamp,
    /// How many older ones have been seen.
    noncurrent: usize,
    /// A delete marker that may turn out to have nothing behind it.
    marker: Option<Version>,
}

impl Walk<'_> {
    fn see(&mut self, key: String, version: Version, is_latest: bool) {
        let made = version.last_modified();
        if let Some(mut seen) = self.key.take_if(|seen| seen.key == key) {
            self.older(&seen, &version, made);
            seen.marker = None;
            seen.since = made;
            seen.noncurrent += 1;
            self.key = Some(seen);
            return;
        }
        self.leave();
        let marker = match version {
            Version::Object(object) if is_latest => {
                self.current(&key, &object);
                None
            }
            marker => is_latest.then_some(marker),
        };
        self.key = Some(Seen {
            key,
            since: made,
            noncurrent: 0,
            marker,
        });
    }

    /// The key has no more versions.
    fn leave(&mut self) {
        let Some(Seen {
            key,
            since,
            marker: Some(marker),
            ..
        }) = self.key.take()
        else {
            return;
        };
        let subject = Subject {
            key: &key,
            size: 0,
            tags: &[],
            since,
        };
        if self.is_due(lifecycle::marker_expiry(self.rules, subject)) {
            self.delete_version(&key, &marker, since);
        }
    }

    fn current(&mut self, key: &str, object: &Object) {
        let made = object.last_modified;
        if self.is_due(lifecycle::expiry(self.rules, subject(key, object, made))) {
            self.changes.push(Change {
                key: key.to_owned(),
                action: Action::Delete {
                    conditions: Conditions::default(),
                    by: By::Lifecycle { made },
                },
            });
        }
    }

    fn older(&mut self, seen: &Seen, version: &Version, made: Timestamp) {
        let subject = match version {
            Version::Object(object) => subject(&seen.key, object, seen.since),
            Version::Marker(_) => Subject {
                key: &seen.key,
                size: 0,
                tags: &[],
                since: seen.since,
            },
        };
        let due = lifecycle::noncurrent_expiry(self.rules, subject, seen.noncurrent);
        if self.is_due(due) {
            self.delete_version(&seen.key, version, made);
        }
    }

    fn delete_version(&mut self, key: &str, version: &Version, made: Timestamp) {
        let Ok(version) = id(version) else { return };
        self.changes.push(Change {
            key: key.to_owned(),
            action: Action::DeleteVersion {
                version,
                conditions: Conditions::default(),
                bypass: false,
                by: By::Lifecycle { made },
            },
        });
    }

    fn is_due(&self, due: Option<Due>) -> bool {
        due.is_some_and(|due| due.at <= self.now)
    }
}

async fn abort_uploads(
    state: &Arc<State>,
    bucket: &str,
    rules: &[Rule],
    now: Timestamp,
) -> Result<(), Error> {
    let mut after = None;
    loop {
        let page = UPLOADS
            .scan(&*state.store, bucket, after.as_ref(), PAGE)
            .await?;
        for row in page.rows {
            let mut parts = row.key.reader();
            parts.text()?;
            let (key, upload_id) = (parts.text()?, parts.text()?);
            let due = lifecycle::abortion(rules, &key, row.value.initiated_at);
            if due.is_none_or(|due| due.at > now) {
                continue;
            }
            match uploads::abort(state, bucket, row, &upload_id).await {
                Ok(()) | Err(Error::Client(_)) => {}
                Err(error) => return Err(error),
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// The events say that S3 did it.
fn cause(state: &State) -> Cause {
    const S3: &str = "s3.amazonaws.com";
    let request_id = base::RequestId::random().to_string();
    Cause {
        at: state.clock.now(),
        principal_id: S3.to_owned(),
        requester: S3.to_owned(),
        source_ip: S3.to_owned(),
        host_id: request_id.clone(),
        request_id,
        trace: None,
    }
}
