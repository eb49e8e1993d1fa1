//! Typed records over a store: what a service's `records.rs` is written in.
//!
//! A record is its version in one byte, then JSON. A table's keys all begin with its name.

use std::fmt;
use std::marker::PhantomData;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Batch, Entry, Key, KeyParts, Reader, Scan, Store, StoreError, Watch};

/// Turns a record of an earlier version, given with it, into the present one's JSON. The error
/// says what was wrong.
pub type Migrate = fn(u8, Value) -> Result<Value, String>;

/// Records of one type under keys of one shape. Declare it as a constant:
/// `const QUEUES: Table<Queue> = Table::new("sqs.queue", 1);`
///
/// Names are `<service>.<record>` and are stored: they never change. Adding an optional field
/// needs no new version; a change that old records do not fit does, with
/// [`migrated_by`](Self::migrated_by).
pub struct Table<T> {
    name: &'static str,
    version: u8,
    migrate: Option<Migrate>,
    record: PhantomData<fn() -> T>,
}

/// A record with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<T> {
    /// The key within the table, without the table's name.
    pub key: Key,
    /// The record.
    pub value: T,
    /// The bytes it was read from, for [`Table::expect_unchanged`].
    pub stored: Bytes,
}

/// Some of the rows of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, in scan order.
    pub rows: Vec<Row<T>>,
    /// Where to go on, when there are more: the key of the last row.
    pub next: Option<Key>,
}

impl<T> Table<T> {
    /// A table by its stored name and the version of the records that it writes, from 1.
    pub const fn new(name: &'static str, version: u8) -> Self {
        Self {
            name,
            version,
            migrate: None,
            record: PhantomData,
        }
    }

    /// Reads records of earlier versions through `migrate`. They are written back in the present
    /// version when they are next put.
    #[must_use]
    pub const fn migrated_by(mut self, migrate: Migrate) -> Self {
        self.migrate = Some(migrate);
        self
    }

    /// The stored name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The full key in the store: the table's name, then the parts.
    pub fn full_key(&self, parts: impl KeyParts) -> Key {
        Key::of((self.name, parts))
    }

    /// Removes a record, if it exists.
    pub fn delete(&self, batch: &mut Batch, key: impl KeyParts) {
        batch.delete(self.full_key(key));
    }

    /// Removes every record whose key begins with these parts; all records for `()`.
    pub fn delete_prefix(&self, batch: &mut Batch, prefix: impl KeyParts) {
        batch.delete_prefix(self.full_key(prefix));
    }

    /// Applies the batch only if there is no such record.
    pub fn expect_absent(&self, batch: &mut Batch, key: impl KeyParts) {
        batch.expect_absent(self.full_key(key));
    }

    /// Applies the batch only if the record is still what `row` was read from.
    pub fn expect_unchanged(&self, batch: &mut Batch, row: &Row<T>) {
        batch.expect(self.full_key(&row.key), Some(row.stored.clone()));
    }

    /// Wakes after commits that touch a record whose key begins with these parts.
    pub fn watch(&self, store: &(impl Store + ?Sized), prefix: impl KeyParts) -> Watch {
        store.watch(self.full_key(prefix).as_bytes())
    }
}

impl<T: Serialize> Table<T> {
    /// Sets a record.
    ///
    /// # Errors
    /// [`StoreError::Encode`] when the type does not fit JSON, as a map with keys that are not
    /// text does not.
    pub fn put(&self, batch: &mut Batch, key: impl KeyParts, value: &T) -> Result<(), StoreError> {
        let mut stored = Vec::with_capacity(256);
        stored.push(self.version);
        serde_json::to_writer(&mut stored, value).map_err(|error| StoreError::Encode {
            table: self.name,
            reason: error.to_string(),
        })?;
        batch.put(self.full_key(key), stored);
        Ok(())
    }
}

impl<T: DeserializeOwned> Table<T> {
    /// A record, if it exists.
    pub async fn get(
        &self,
        reader: &(impl Reader + ?Sized),
        key: impl KeyParts,
    ) -> Result<Option<T>, StoreError> {
        let full = self.full_key(key);
        let stored = reader.get(full.as_bytes()).await?;
        stored.map(|stored| self.decode(&stored)).transpose()
    }

    /// A record with the bytes it was read from, for [`expect_unchanged`](Self::expect_unchanged).
    pub async fn get_row(
        &self,
        reader: &(impl Reader + ?Sized),
        key: impl KeyParts,
    ) -> Result<Option<Row<T>>, StoreError> {
        let full = self.full_key(key);
        let Some(stored) = reader.get(full.as_bytes()).await? else {
            return Ok(None);
        };
        self.row(Entry {
            key: full.into(),
            value: stored,
        })
        .map(Some)
    }

    /// Up to `limit` records whose keys begin with these parts (all for `()`), in key order,
    /// after the key where the last page ended.
    pub async fn scan(
        &self,
        reader: &(impl Reader + ?Sized),
        prefix: impl KeyParts,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<T>, StoreError> {
        self.page(reader, Scan::prefix(self.full_key(prefix)), after, limit)
            .await
    }

    /// As [`scan`](Self::scan), from the highest key down.
    pub async fn scan_reversed(
        &self,
        reader: &(impl Reader + ?Sized),
        prefix: impl KeyParts,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<T>, StoreError> {
        self.page(
            reader,
            Scan::prefix(self.full_key(prefix)).reversed(),
            after,
            limit,
        )
        .await
    }

    /// Up to `limit` records with `from` ≤ key < `until`, in key order: what is due by a time,
    /// when keys begin with one.
    pub async fn scan_range(
        &self,
        reader: &(impl Reader + ?Sized),
        from: impl KeyParts,
        until: impl KeyParts,
        limit: usize,
    ) -> Result<Page<T>, StoreError> {
        self.page(
            reader,
            Scan::range(self.full_key(from), self.full_key(until)),
            None,
            limit,
        )
        .await
    }

    async fn page(
        &self,
        reader: &(impl Reader + ?Sized),
        mut scan: Scan,
        after: Option<&Key>,
        limit: usize,
    ) -> Result<Page<T>, StoreError> {
        if let Some(after) = after {
            scan = scan.after(self.full_key(after));
        }
        // One more than asked for tells whether there is a next page.
        let mut entries = reader.scan(scan.limit(limit.saturating_add(1))).await?;
        let more = entries.len() > limit;
        entries.truncate(limit);
        let rows = entries
            .into_iter()
            .map(|entry| self.row(entry))
            .collect::<Result<Vec<_>, _>>()?;
        let next = if more {
            rows.last().map(|row| row.key.clone())
        } else {
            None
        };
        Ok(Page { rows, next })
    }

    fn row(&self, entry: Entry) -> Result<Row<T>, StoreError> {
        let name_length = self.full_key(()).as_bytes().len();
        let value = self.decode(&entry.value)?;
        let key = Key::from_bytes(&entry.key[name_length..]);
        Ok(Row {
            key,
            value,
            stored: entry.value,
        })
    }

    fn decode(&self, stored: &[u8]) -> Result<T, StoreError> {
        let (&version, json) = stored
            .split_first()
            .ok_or_else(|| self.damaged("the record is empty"))?;
        if version == self.version {
            return serde_json::from_slice(json).map_err(|error| self.damaged(error));
        }
        if version > self.version {
            return Err(StoreError::Newer {
                what: self.name,
                found: version,
                known: self.version,
            });
        }
        let Some(migrate) = self.migrate else {
            return Err(self.damaged(format_args!("no migration from version {version}")));
        };
        let old = serde_json::from_slice(json).map_err(|error| self.damaged(error))?;
        let new = migrate(version, old).map_err(|reason| self.damaged(reason))?;
        serde_json::from_value(new).map_err(|error| self.damaged(error))
    }

    fn damaged(&self, reason: impl fmt::Display) -> StoreError {
        StoreError::corrupt(format!("record of {}: {reason}", self.name))
    }
}

impl<T> fmt::Debug for Table<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
