//! What is stored, and under which keys.

use std::collections::BTreeMap;

use base::{AccountId, Arn, Region, Timestamp};
use serde::{Deserialize, Serialize};
use store::Table;

/// Key: account, region, group name.
pub const GROUPS: Table<Group> = Table::new("logs.group", 1);

/// Key: account, region, group name, stream name.
pub const STREAMS: Table<Stream> = Table::new("logs.stream", 1);

/// Key: account, region, group name, stream name, event time, sequence number.
pub const EVENTS: Table<Event> = Table::new("logs.event", 1);

/// Key: account, region, group name, filter name.
pub const SUBSCRIPTIONS: Table<Subscription> = Table::new("logs.subscription", 1);

/// A key's first two parts, then the group.
pub fn group_key<'a>(
    account: &'a AccountId,
    region: &'a Region,
    group: &'a str,
) -> (&'a str, &'a str, &'a str) {
    (account.as_str(), region.as_str(), group)
}

/// A group's key, then the stream.
pub fn stream_key<'a>(
    account: &'a AccountId,
    region: &'a Region,
    group: &'a str,
    stream: &'a str,
) -> (&'a str, &'a str, &'a str, &'a str) {
    (account.as_str(), region.as_str(), group, stream)
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    pub created: Timestamp,
    pub retention_days: Option<u32>,
    pub kms_key: Option<String>,
    pub class: String,
    pub tags: BTreeMap<String, String>,
    #[serde(default)]
    pub deletion_protected: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stream {
    pub created: Timestamp,
    pub first_event: Option<Timestamp>,
    pub last_event: Option<Timestamp>,
    pub last_ingestion: Option<Timestamp>,
    pub stored_bytes: u64,
    /// Of the next event, so that events of one instant keep their order.
    pub next_sequence: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    #[serde(rename = "m")]
    pub message: String,
    #[serde(rename = "i")]
    pub ingested: Timestamp,
}

/// A subscription filter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Subscription {
    pub created: Timestamp,
    pub pattern: String,
    /// The function.
    pub destination: Arn,
    /// As `Distribution` is written.
    pub distribution: String,
}

impl Group {
    /// A group as created without any option, as Lambda's are.
    pub fn created_at(created: Timestamp) -> Self {
        Self {
            created,
            retention_days: None,
            kms_key: None,
            class: "STANDARD".to_owned(),
            tags: BTreeMap::new(),
            deletion_protected: false,
        }
    }
}

impl Stream {
    pub fn created_at(created: Timestamp) -> Self {
        Self {
            created,
            first_event: None,
            last_event: None,
            last_ingestion: None,
            stored_bytes: 0,
            next_sequence: 0,
        }
    }
}

/// The event time and sequence number that end an event's key.
pub fn event_position(key: &store::Key) -> Result<(u64, u64), store::StoreError> {
    let mut reader = key.reader();
    for _ in 0..4 {
        reader.text()?;
    }
    Ok((reader.u64()?, reader.u64()?))
}
