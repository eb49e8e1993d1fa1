//! Finding, listing and removing groups and streams, for several operations.

use std::time::Duration;

use base::{AccountId, Region, Timestamp};
use service::{RequestContext, ServiceError};
use store::{Batch, StoreError};

use crate::Logs;
use crate::domain::names;
use crate::error;
use crate::records::{EVENTS, GROUPS, Group, STREAMS, Stream, group_key, stream_key};

/// Records read at once.
const PAGE: usize = 1_000;

impl Logs {
    pub(crate) async fn group(
        &self,
        context: &RequestContext,
        name: &str,
    ) -> Result<Group, ServiceError> {
        GROUPS
            .get(
                &self.store,
                group_key(&context.account, &context.region, name),
            )
            .await
            .map_err(|error| error::unavailable(&error))?
            .ok_or_else(error::group_not_found)
    }

    pub(crate) async fn put_group(
        &self,
        context: &RequestContext,
        name: &str,
        group: &Group,
    ) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        let key = group_key(&context.account, &context.region, name);
        let put = GROUPS.put(&mut batch, key, group);
        self.commit(put.map(|()| batch)).await
    }

    pub(crate) async fn commit(
        &self,
        batch: Result<Batch, StoreError>,
    ) -> Result<(), ServiceError> {
        let committed = self.store.commit_made(batch).await;
        committed.map_err(|error| error::unavailable(&error))
    }

    /// Every group of an account and region with its name, in order of names.
    pub(crate) async fn groups(
        &self,
        context: &RequestContext,
    ) -> Result<Vec<(String, Group)>, ServiceError> {
        let prefix = (context.account.as_str(), context.region.as_str());
        let mut groups = Vec::new();
        let mut after = None;
        loop {
            let page = GROUPS
                .scan(&self.store, prefix, after.as_ref(), PAGE)
                .await
                .map_err(|error| error::unavailable(&error))?;
            for row in page.rows {
                let [_, _, name] = texts(&row.key).map_err(|error| error::unavailable(&error))?;
                groups.push((name, row.value));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(groups),
            }
        }
    }

    /// Every stream of a group with its name, in order of names.
    pub(crate) async fn streams(
        &self,
        context: &RequestContext,
        group: &str,
    ) -> Result<Vec<(String, Stream)>, ServiceError> {
        self.streams_of(&context.account, &context.region, group)
            .await
            .map_err(|error| error::unavailable(&error))
    }

    async fn streams_of(
        &self,
        account: &AccountId,
        region: &Region,
        group: &str,
    ) -> Result<Vec<(String, Stream)>, StoreError> {
        let mut streams = Vec::new();
        let mut after = None;
        loop {
            let prefix = group_key(account, region, group);
            let page = STREAMS
                .scan(&self.store, prefix, after.as_ref(), PAGE)
                .await?;
            for row in page.rows {
                let [_, _, _, name] = texts(&row.key)?;
                streams.push((name, row.value));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(streams),
            }
        }
    }

    /// Removes the events that are older than their groups keep them.
    pub(crate) async fn remove_expired(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut after = None;
        loop {
            let page = GROUPS.scan(&self.store, (), after.as_ref(), PAGE).await?;
            for row in page.rows {
                let Some(cutoff) = row.value.oldest_kept(now) else {
                    continue;
                };
                let [account, region, group] = texts(&row.key)?;
                let (Ok(account), Ok(region)) = (account.parse(), region.parse()) else {
                    continue;
                };
                self.remove_before(&account, &region, &group, cutoff)
                    .await?;
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn remove_before(
        &self,
        account: &AccountId,
        region: &Region,
        group: &str,
        cutoff: Timestamp,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        for (stream, record) in self.streams_of(account, region, group).await? {
            if record.first_event.is_none_or(|first| first >= cutoff) {
                continue;
            }
            let (account, region, group, stream) = stream_key(account, region, group, &stream);
            let until = u64::try_from(cutoff.millis()).unwrap_or(0);
            batch.delete_range(
                EVENTS.full_key((account, region, group, stream, 0_u64)),
                EVENTS.full_key((account, region, group, stream, until)),
            );
        }
        self.store.commit(batch).await
    }
}

impl Group {
    /// Events before this instant have expired; `None` if the group keeps all.
    pub(crate) fn oldest_kept(&self, now: Timestamp) -> Option<Timestamp> {
        let days = self.retention_days?;
        Some(now - Duration::from_hours(u64::from(days) * 24))
    }
}

/// The group's name of `logGroupName` or `logGroupIdentifier`, of which exactly one is given.
pub(crate) fn group_name(
    context: &RequestContext,
    name: Option<String>,
    identifier: Option<&str>,
) -> Result<String, ServiceError> {
    match (name, identifier) {
        (Some(name), None) => Ok(name),
        (None, Some(identifier)) => {
            names::group_of_identifier(identifier, &context.region, context.account)
        }
        _ => Err(error::invalid_parameter(
            "You must specify either logGroupName or logGroupIdentifier, but not both.",
        )),
    }
}

/// The text parts of a key.
fn texts<const N: usize>(key: &store::Key) -> Result<[String; N], StoreError> {
    let mut reader = key.reader();
    let mut parts = [const { String::new() }; N];
    for part in &mut parts {
        *part = reader.text()?;
    }
    Ok(parts)
}
