//! What is stored, and under which keys.

use std::collections::BTreeMap;

use base::{AccountId, Arn, Region, Timestamp};
use serde::{Deserialize, Serialize};
use store::Table;

/// Key: account, region, group name.
pub const GROUPS: Table<Group> = Table::new("logs.group", 1);

/// Key: account, region, group name, stream name.
pub const STREAMS: Table<Stream> = Table::new("logs.stream", 1);

/// Key: account, region, group name, stream name, event time, sequence number of the first.
/// Version 1 held one event a row, as one of these without further ones does.
pub const EVENTS: Table<Moment> =
    Table::new("logs.event", 2).migrated_by(|_version, moment| Ok(moment));

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

/// Events of one instant that came one after another: what an invocation says at its beginning and
/// its end is most often one row, and rows are what a write costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Moment {
    #[serde(rename = "m")]
    pub message: String,
    #[serde(rename = "i")]
    pub ingested: Timestamp,
    /// The messages of further events, whose sequence numbers follow.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<String>,
}

/// One event.
#[derive(Clone, Debug)]
pub struct Event {
    pub message: String,
    pub ingested: Timestamp,
}

/// Of further events in one row, so that whoever reads a page of rows reads little more than was
/// asked for: how many, and the bytes of all.
const MOST_FURTHER: usize = 15;
const MOST_BYTES: usize = 4_096;

impl Moment {
    /// A moment of one event.
    pub fn of(message: String, ingested: Timestamp) -> Self {
        Self {
            message,
            ingested,
            further: Vec::new(),
        }
    }

    /// Adds an event; gives it back where there is no room.
    pub fn push(&mut self, message: String) -> Result<(), String> {
        let texts = self.further.iter().chain([&self.message, &message]);
        let bytes: usize = texts.map(String::len).sum();
        if self.further.len() == MOST_FURTHER || bytes > MOST_BYTES {
            return Err(message);
        }
        self.further.push(message);
        Ok(())
    }

    /// The events with their positions, in order; `first` is the position of the first.
    pub fn into_events(
        self,
        first: (u64, u64),
    ) -> impl DoubleEndedIterator<Item = ((u64, u64), Event)> {
        let Self {
            message,
            ingested,
            mut further,
        } = self;
        further.insert(0, message);
        further
            .into_iter()
            .enumerate()
            .map(move |(after, message)| {
                let position = (first.0, first.1 + after as u64);
                (position, Event { message, ingested })
            })
    }
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

/// A key before the moment that holds an event at this position, if there is one, and little before:
/// where whoever goes on after that event begins. `None` is the stream's beginning.
pub fn key_before(
    stream: (&str, &str, &str, &str),
    (at, sequence): (u64, u64),
) -> Option<store::Key> {
    let (account, region, group, name) = stream;
    match sequence.checked_sub(MOST_FURTHER as u64 + 1) {
        Some(earlier) => Some(store::Key::of((account, region, group, name, at, earlier))),
        None if at == 0 => None,
        // A key without the last part lies before all that have it.
        None => Some(store::Key::of((account, region, group, name, at))),
    }
}

/// The event time and sequence number that end a moment's key: where its first event stands.
pub fn first_position(key: &store::Key) -> Result<(u64, u64), store::StoreError> {
    let mut reader = key.reader();
    for _ in 0..4 {
        reader.text()?;
    }
    Ok((reader.u64()?, reader.u64()?))
}
