//! What is stored, under which keys, in which version.
//!
//! Tables, indexes, streams and lists of what expires have random ids, and everything in them lies
//! under their id: whatever a deleted one leaves behind, no later one of the same name finds it.
//! Items lie where the digest of their hash key puts them, then in the order of range keys.

use std::collections::BTreeMap;
use std::ops::Bound;

use base::{AccountId, Arn, Region, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Key, Scan, Table};

use crate::domain::expression::{Comparator, RangeCondition, Ranges};
use crate::domain::key::{KeyBytes, KeySchema, ordered_key, part};
use crate::domain::table::{Definition, View};

/// Key: account, region, name.
pub const TABLES: Table<Definition> = Table::new("dynamodb.table", 1);
/// Streams of the last day, also of tables that are gone. Key: account, region, table, label.
pub const STREAMS: Table<StreamRecord> = Table::new("dynamodb.stream", 1);
/// What is yet to be removed of what was deleted. Key: a random id.
pub const ERASURES: Table<Erasure> = Table::new("dynamodb.erasure", 1);
/// Key: table id.
pub const SIZES: Table<Sizes> = Table::new("dynamodb.size", 1);
/// Transactions of the last ten minutes. Key: account, region, client request token.
pub const TOKENS: Table<TokenRecord> = Table::new("dynamodb.token", 1);

/// Key: table id, partition, hash key, range key. Value: the item.
const ITEM: &str = "dynamodb.item";
/// Key: index id, partition, the index's hash and range key, the table's. Value: what it projects.
const INDEX: &str = "dynamodb.index";
/// Key: id, seconds since the epoch, hash key, range key. Value: the item's key.
const EXPIRY: &str = "dynamodb.expiry";
/// Key: stream id, sequence number. Value: a stream record as an item.
const CHANGE: &str = "dynamodb.change";

/// Names a table.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableName {
    pub account: AccountId,
    pub region: Region,
    pub name: String,
}

impl TableName {
    pub fn key(&self) -> Key {
        Key::of((self.account.as_str(), self.region.as_str(), &self.name))
    }

    pub fn from_key(key: &Key) -> Result<Self, store::StoreError> {
        let mut parts = key.reader();
        let (account, region) = (parts.text()?, parts.text()?);
        let damaged =
            || store::StoreError::corrupt("dynamodb.table key names no account or region");
        Ok(Self {
            account: account.parse().map_err(|_| damaged())?,
            region: region.parse().map_err(|_| damaged())?,
            name: parts.text()?,
        })
    }

    pub fn arn(&self) -> Arn {
        let resource = format!("table/{}", self.name);
        Arn::regional("dynamodb", &self.region, self.account, resource)
    }

    pub fn stream_arn(&self, label: &str) -> String {
        format!("{}/stream/{label}", self.arn())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamRecord {
    pub id: u64,
    pub view: View,
    pub created_at: Timestamp,
    pub keys: KeySchema,
    /// The first number a record may have.
    pub first: u64,
    /// Set once nothing more comes: the last number a record may have, and when that was.
    pub ended: Option<(u64, Timestamp)>,
}

/// Ids whose rows are to be removed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Erasure {
    pub tables: Vec<u64>,
    pub indexes: Vec<u64>,
    pub expiries: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<u64>,
}

/// Counted as items come and go, and written now and then: after a crash the last minute's changes
/// may be missing, as AWS's counts lag by hours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    pub items: i64,
    pub bytes: i64,
    /// Items and bytes of indexes by id.
    pub indexes: BTreeMap<u64, (i64, i64)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Of what was asked for.
    pub digest: String,
    pub at: Timestamp,
}

pub fn item_key(table: u64, key: &KeyBytes) -> Key {
    Key::of((
        ITEM,
        (
            table,
            KeyBytes::partition(&key.hash),
            key.hash.as_slice(),
            key.range.as_slice(),
        ),
    ))
}

pub fn index_key(index: u64, indexed: &KeyBytes, key: &KeyBytes) -> Key {
    let KeyBytes { hash, range } = indexed;
    let place = (
        index,
        KeyBytes::partition(hash),
        hash.as_slice(),
        range.as_slice(),
    );
    Key::of((INDEX, place, (key.hash.as_slice(), key.range.as_slice())))
}

pub fn expiry_key(expiry: u64, at: i64, key: &KeyBytes) -> Key {
    Key::of((
        EXPIRY,
        (expiry, at, key.hash.as_slice(), key.range.as_slice()),
    ))
}

pub fn change_key(stream: u64, sequence: u64) -> Key {
    Key::of((CHANGE, (stream, sequence)))
}

/// The sequence number in a key of a stream record.
pub fn sequence_of(key: &[u8]) -> Result<u64, store::StoreError> {
    let mut parts = store::KeyReader::new(key);
    parts.text()?;
    parts.u64()?;
    parts.u64()
}

/// Where rows are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Table(u64),
    Index(u64),
}

impl Place {
    fn prefix(self) -> Key {
        match self {
            Self::Table(id) => Key::of((ITEM, id)),
            Self::Index(id) => Key::of((INDEX, id)),
        }
    }

    pub fn all(self) -> Scan {
        Scan::prefix(self.prefix())
    }

    /// Rows whose hash keys fall on these partitions.
    pub fn partitions(self, first: u64, last: u64) -> Scan {
        Scan {
            start: Bound::Included(Key::of((self.prefix(), first)).into()),
            ..Scan::prefix(Key::of((self.prefix(), last)))
        }
    }

    /// Rows of one hash key whose range key meets conditions.
    pub fn collection(self, hash: &[u8], ranges: &Ranges) -> Scan {
        let prefix = Key::of((self.prefix(), KeyBytes::partition(hash), hash));
        let bytes = |value| ordered_key(value).unwrap_or_default();
        let first: Vec<u8> = ranges.first.iter().flat_map(|v| part(&bytes(v))).collect();
        // What the rows of range keys that begin so begin with.
        let beginning = |range: &[u8]| {
            let key = Key::of((&prefix, range));
            without_end(key.as_bytes()).to_vec()
        };
        let all = Scan::prefix(beginning(&first));
        let Some(range) = &ranges.next else {
            return all;
        };
        // What every row with this value begins with: the range key and its end, or its first attributes.
        let whole = |value| {
            if ranges.several {
                beginning(&[first.clone(), part(&bytes(value))].concat())
            } else {
                Key::of((&prefix, bytes(value).as_slice()))
                    .as_bytes()
                    .to_vec()
            }
        };
        let from = |value| Bound::Included(whole(value).into());
        let before = |value| Bound::Excluded(whole(value).into());
        let past = |value| Scan::prefix(whole(value)).end;
        let after = |value| match past(value) {
            Bound::Excluded(end) => Bound::Included(end),
            other => other,
        };
        match range {
            RangeCondition::Compare(comparator, value) => match comparator {
                Comparator::Equal | Comparator::NotEqual => Scan::prefix(whole(value)),
                Comparator::Less => Scan {
                    end: before(value),
                    ..all
                },
                Comparator::LessOrEqual => Scan {
                    end: past(value),
                    ..all
                },
                Comparator::Greater => Scan {
                    start: after(value),
                    ..all
                },
                Comparator::GreaterOrEqual => Scan {
                    start: from(value),
                    ..all
                },
            },
            RangeCondition::Between(low, high) => Scan {
                start: from(low),
                end: past(high),
                ..all
            },
            RangeCondition::BeginsWith(start) if ranges.several => {
                let start = part(&bytes(start));
                Scan::prefix(beginning(&[&first, without_end(&start)].concat()))
            }
            RangeCondition::BeginsWith(start) => Scan::prefix(beginning(&bytes(start))),
        }
    }
}

/// A part of a key without its end mark.
fn without_end(part: &[u8]) -> &[u8] {
    &part[..part.len() - 2]
}

/// Items that expired in `from ≤ seconds < until`.
pub fn expired(expiry: u64, from: i64, until: i64) -> Scan {
    Scan::range(
        Key::of((EXPIRY, (expiry, from))),
        Key::of((EXPIRY, (expiry, until))),
    )
}

/// The seconds in a key of a row of what expires.
pub fn expiry_of(key: &[u8]) -> Result<i64, store::StoreError> {
    let mut parts = store::KeyReader::new(key);
    parts.text()?;
    parts.u64()?;
    parts.i64()
}

pub fn expiries(expiry: u64) -> Scan {
    Scan::prefix(Key::of((EXPIRY, expiry)))
}

/// Stream records in `from ≤ sequence < until`.
pub fn changes(stream: u64, from: u64, until: u64) -> Scan {
    Scan::range(change_key(stream, from), change_key(stream, until))
}

#[cfg(test)]
mod tests {
    use store::{Batch, MemoryStore, Reader as _, Store as _};

    use super::*;
    use crate::domain::number::Number;
    use crate::domain::value::Attribute;

    #[tokio::test]
    async fn range_conditions_find_just_their_rows() {
        let store = MemoryStore::new();
        let text = |text: &str| Attribute::S(text.into());
        let mut batch = Batch::new();
        for (hash, range) in [
            ("h", "a"),
            ("h", "ab"),
            ("h", "b\0"),
            ("h", "c"),
            ("i", "a"),
        ] {
            let key = KeyBytes {
                hash: hash.into(),
                range: range.into(),
            };
            batch.put(item_key(1, &key), "");
        }
        store.commit(batch).await.expect("memory does not fail");
        let compare = |comparator, value: &str| RangeCondition::Compare(comparator, text(value));
        for (condition, count) in [
            (compare(Comparator::Equal, "a"), 1),
            (compare(Comparator::Less, "ab"), 1),
            (compare(Comparator::LessOrEqual, "ab"), 2),
            (compare(Comparator::Greater, "a"), 3),
            (compare(Comparator::GreaterOrEqual, "b"), 2),
            (RangeCondition::Between(text("ab"), text("c")), 3),
            (RangeCondition::BeginsWith(text("a")), 2),
            (RangeCondition::BeginsWith(text("b\0")), 1),
            (
                RangeCondition::Compare(Comparator::Equal, Attribute::N(Number::ZERO)),
                0,
            ),
        ] {
            let ranges = Ranges {
                next: Some(condition.clone()),
                ..Ranges::default()
            };
            let scan = Place::Table(1).collection(b"h", &ranges);
            let found = store.scan(scan).await.expect("memory does not fail");
            assert_eq!(found.len(), count, "{condition:?}");
        }
    }
}
