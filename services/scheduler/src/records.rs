//! What is stored, under which keys, in which version.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AccountId, Arn, Region, Timestamp};
use serde::{Deserialize, Serialize};
use service::Reach;
use store::{KeyReader, Store, StoreError, Table};

/// Key: account, region, name.
pub const GROUPS: Table<Group> = Table::new("scheduler.group", 1);

/// Key: account, region, group, name.
pub const SCHEDULES: Table<Schedule> = Table::new("scheduler.schedule", 1);

pub const DEFAULT_GROUP: &str = "default";
/// Records read at once.
const PAGE: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId {
    pub account: AccountId,
    pub region: Region,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ScheduleId {
    pub group: GroupId,
    pub name: String,
}

impl GroupId {
    pub fn key(&self) -> (&str, &str, &str) {
        (self.account.as_str(), self.region.as_str(), &self.name)
    }

    pub fn arn(&self) -> Arn {
        let resource = format!("schedule-group/{}", self.name);
        Arn::regional("scheduler", &self.region, self.account, resource)
    }
}

impl ScheduleId {
    pub fn key(&self) -> ((&str, &str, &str), &str) {
        (self.group.key(), &self.name)
    }

    pub fn arn(&self) -> Arn {
        let resource = format!("schedule/{}/{}", self.group.name, self.name);
        Arn::regional(
            "scheduler",
            &self.group.region,
            self.group.account,
            resource,
        )
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub tags: BTreeMap<String, String>,
    pub created: Timestamp,
    pub modified: Timestamp,
    pub client_token: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    pub settings: Settings,
    pub created: Timestamp,
    pub modified: Timestamp,
    /// What created it.
    pub client_token: Option<String>,
    /// The next time of the schedule itself, without the flexible window.
    pub next: Option<Timestamp>,
    /// When the target is called for it.
    pub due: Option<Timestamp>,
}

/// As a client sets them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub expression: String,
    pub time_zone: String,
    pub start: Option<Timestamp>,
    pub end: Option<Timestamp>,
    pub enabled: bool,
    pub description: Option<String>,
    pub kms_key: Option<String>,
    /// Of the flexible window; none is `OFF`.
    pub window_minutes: Option<i32>,
    pub deletes_itself: bool,
    pub target: Target,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub arn: String,
    pub role: String,
    pub input: Option<String>,
    pub dead_letters: Option<String>,
    pub retries: Option<i32>,
    pub max_age_seconds: Option<i32>,
    /// For queues that keep order.
    pub group: Option<String>,
    /// For buses: detail type and source.
    pub event: Option<(String, String)>,
    /// Of whoever set it, for what the call leaves behind.
    #[serde(default, skip_serializing_if = "Reach::is_anywhere")]
    pub reach: Reach,
}

pub async fn all_groups(store: &dyn Store) -> Result<BTreeMap<GroupId, Arc<Group>>, StoreError> {
    let mut all = BTreeMap::new();
    let mut after = None;
    loop {
        let page = GROUPS.scan(store, (), after.as_ref(), PAGE).await?;
        for row in page.rows {
            all.insert(group_id(&mut row.key.reader())?, Arc::new(row.value));
        }
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

pub async fn all_schedules(
    store: &dyn Store,
) -> Result<BTreeMap<ScheduleId, Arc<Schedule>>, StoreError> {
    let mut all = BTreeMap::new();
    let mut after = None;
    loop {
        let page = SCHEDULES.scan(store, (), after.as_ref(), PAGE).await?;
        for row in page.rows {
            let mut parts = row.key.reader();
            let id = ScheduleId {
                group: group_id(&mut parts)?,
                name: parts.text()?,
            };
            all.insert(id, Arc::new(row.value));
        }
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

fn group_id(parts: &mut KeyReader<'_>) -> Result<GroupId, StoreError> {
    let damaged = || StoreError::corrupt("a key of Scheduler names no account or region");
    Ok(GroupId {
        account: parts.text()?.parse().map_err(|_| damaged())?,
        region: parts.text()?.parse().map_err(|_| damaged())?,
        name: parts.text()?,
    })
}
