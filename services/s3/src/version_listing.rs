//! Listing the versions of a bucket: by key, then the newest first, with what a delimiter rolls up.
//!
//! The current objects and the other versions are in two tables, which are read side by side.

use std::collections::VecDeque;

use serde::de::DeserializeOwned;
use store::{Key, Reader, Table};

use crate::domain::roll_up::{self, common_prefix};
use crate::domain::version_id::VersionId;
use crate::error::Error;
use crate::listing::{past, past_prefix};
use crate::records::{HEADS, OBJECTS, Object, VERSIONS, Version, version_key};

/// Records read at once.
const PAGE: usize = 500;

/// What to list.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub prefix: &'a str,
    pub delimiter: Option<&'a str>,
    /// The key, or common prefix, that the last page ended with.
    pub key_marker: Option<&'a str>,
    /// The version of that key which it ended with.
    pub version_marker: Option<&'a VersionId>,
    pub limit: usize,
}

/// One entry of a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Listed {
    /// Keys rolled up.
    Prefix(String),
    Version {
        key: String,
        version: Version,
        is_latest: bool,
    },
}

#[derive(Debug, Default)]
pub struct Listing {
    pub entries: Vec<Listed>,
    /// Whether there is more after them.
    pub truncated: bool,
}

pub async fn list(
    reader: &(impl Reader + ?Sized),
    bucket: &str,
    query: Query<'_>,
) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    if query.limit == 0 {
        return Ok(listing);
    }
    let start = Start::of(reader, bucket, query).await?;
    let mut latest_of = start.within;
    let mut current = Feed::new(&OBJECTS, bucket, query.prefix, start.current);
    let mut older = Feed::new(&VERSIONS, bucket, query.prefix, start.older);
    loop {
        current.fill(reader).await?;
        older.fill(reader).await?;
        let is_current = match (current.key(), older.key()) {
            (None, None) => return Ok(listing),
            (Some(key), Some(other)) => key <= other,
            (key, _) => key.is_some(),
        };
        if listing.entries.len() == query.limit {
            listing.truncated = true;
            return Ok(listing);
        }
        let key = if is_current {
            current.key()
        } else {
            older.key()
        };
        let key = key.expect("one of them has a key").to_owned();
        if let Some(prefix) = common_prefix(&key, query.prefix, query.delimiter) {
            current.skip(bucket, prefix);
            older.skip(bucket, prefix);
            listing.entries.push(Listed::Prefix(prefix.to_owned()));
            continue;
        }
        let version = if is_current {
            current
                .pop()
                .map(|object: Object| Version::Object(Box::new(object)))
        } else {
            older.pop()
        };
        listing.entries.push(Listed::Version {
            version: version.expect("it has a key"),
            is_latest: latest_of.as_ref() != Some(&key),
            key: key.clone(),
        });
        latest_of = Some(key);
    }
}

/// Where each of the tables is read from.
#[derive(Default)]
struct Start {
    current: Option<Key>,
    older: Option<Key>,
    /// The key whose newest version has been listed before.
    within: Option<String>,
}

impl Start {
    async fn of(
        reader: &(impl Reader + ?Sized),
        bucket: &str,
        query: Query<'_>,
    ) -> Result<Self, Error> {
        let Some(marker) = query.key_marker.filter(|marker| !marker.is_empty()) else {
            return Ok(Self::default());
        };
        let place = roll_up::place_of_marker(marker, query.prefix, query.delimiter);
        let key = match place {
            roll_up::Place::AfterPrefix(prefix) => {
                return Ok(Self::after(past_prefix(bucket, &prefix)));
            }
            roll_up::Place::AfterKey(key) => key,
        };
        let all = past(&Key::of((bucket, key.as_str())));
        let Some(version) = query.version_marker else {
            return Ok(Self::after(all));
        };
        let at = (bucket, key.as_str());
        let current = OBJECTS.get(reader, at).await?;
        let older = if current.is_some_and(|o| version.is(o.version_id.as_deref())) {
            Key::of(at)
        } else {
            let order = match version {
                VersionId::Id { order, .. } => Some(*order),
                VersionId::Null => HEADS.get(reader, at).await?.and_then(|head| head.null),
            };
            order.map_or_else(|| all.clone(), |order| version_key(bucket, &key, order))
        };
        Ok(Self {
            current: Some(all),
            older: Some(older),
            within: Some(key),
        })
    }

    fn after(key: Key) -> Self {
        Self {
            current: Some(key.clone()),
            older: Some(key),
            within: None,
        }
    }
}

/// The records of one table, in order.
struct Feed<'a, T> {
    table: &'a Table<T>,
    within: Key,
    after: Option<Key>,
    rows: VecDeque<(String, T)>,
    is_done: bool,
}

impl<'a, T: DeserializeOwned> Feed<'a, T> {
    fn new(table: &'a Table<T>, bucket: &str, prefix: &str, after: Option<Key>) -> Self {
        Self {
            table,
            within: Key::new().text(bucket).text_prefix(prefix),
            after,
            rows: VecDeque::new(),
            is_done: false,
        }
    }

    async fn fill(&mut self, reader: &(impl Reader + ?Sized)) -> Result<(), Error> {
        if !self.rows.is_empty() || self.is_done {
            return Ok(());
        }
        let after = self.after.take();
        let page = self
            .table
            .scan(reader, &self.within, after.as_ref(), PAGE)
            .await?;
        self.is_done = page.next.is_none();
        self.after = page.next;
        for row in page.rows {
            let mut parts = row.key.reader();
            parts.text()?;
            self.rows.push_back((parts.text()?, row.value));
        }
        Ok(())
    }

    fn key(&self) -> Option<&str> {
        self.rows.front().map(|(key, _)| key.as_str())
    }

    fn pop(&mut self) -> Option<T> {
        self.rows.pop_front().map(|(_, value)| value)
    }

    /// Leaves out the keys that begin with a prefix.
    fn skip(&mut self, bucket: &str, prefix: &str) {
        while self.key().is_some_and(|key| key.starts_with(prefix)) {
            self.rows.pop_front();
        }
        if self.rows.is_empty() && !self.is_done {
            let past = past_prefix(bucket, prefix);
            if self.after.as_ref().is_none_or(|after| *after < past) {
                self.after = Some(past);
            }
        }
    }
}
