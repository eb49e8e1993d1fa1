//! What a table is: its keys, indexes and settings.

use std::collections::BTreeMap;

use base::Timestamp;
use serde::{Deserialize, Serialize};

use super::key::{KeyAttribute, KeySchema};
use super::value::Item;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Names the table in the keys of its items, which a later table of the same name never finds.
    pub id: u64,
    /// As clients see it.
    pub uuid: String,
    pub created_at: Timestamp,
    pub attributes: Vec<KeyAttribute>,
    pub keys: KeySchema,
    pub on_demand: bool,
    /// When the billing mode last became on-demand.
    pub on_demand_since: Option<Timestamp>,
    pub throughput: Throughput,
    pub on_demand_limits: Option<OnDemandLimits>,
    pub class: Option<Class>,
    pub deletion_protection: bool,
    /// The key that encrypts the table, where one was asked for.
    pub encryption_key: Option<String>,
    pub indexes: Vec<Index>,
    pub stream: Option<Stream>,
    /// The last stream's label, which outlives it.
    pub stream_label: Option<String>,
    pub expiry: Option<Expiry>,
    pub tags: BTreeMap<String, String>,
    /// There while an earlier state may be asked for: recovery is on, or a copy is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<ChangeLog>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
    /// Items are still being brought in from a backup, a point in time, or a bucket: nobody reads
    /// or writes them before that is done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loading: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restored: Option<Restored>,
    /// Resource policies by what follows the table's ARN: nothing, or `/stream/LABEL`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub policies: BTreeMap<String, Policy>,
    /// Contributor insights of the table, under no name, and of its indexes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub insights: BTreeMap<String, Insights>,
}

/// Every change with both images, in the form of stream records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeLog {
    /// Names the log in the keys of its records.
    pub id: u64,
}

/// Recovery to a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    pub since: Timestamp,
    pub days: u32,
}

/// Where a restored table's items come from, and of when they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Restored {
    pub backup: Option<String>,
    pub table: String,
    pub at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub document: String,
    pub revision: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Insights {
    pub enabled: bool,
    /// Rather than of all that are accessed.
    pub only_throttled: bool,
    pub changed_at: Timestamp,
}

/// Provisioned capacity units, zero on demand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    pub read: i64,
    pub write: i64,
    pub increased_at: Option<Timestamp>,
    pub decreased_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnDemandLimits {
    pub read: Option<i64>,
    pub write: Option<i64>,
}

/// A storage class that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Class {
    pub infrequent_access: bool,
    pub changed_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Index {
    pub id: u64,
    pub name: String,
    pub keys: KeySchema,
    pub projection: Projection,
    /// Within one hash key of the table (LSI), rather than across all (GSI).
    pub local: bool,
    pub throughput: Throughput,
    pub on_demand_limits: Option<OnDemandLimits>,
    /// Items that were there before the index are still being added.
    pub backfilling: bool,
}

/// Which attributes an index holds beside the keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Projection {
    All,
    KeysOnly,
    Include(Vec<String>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    /// Names the stream in the keys of its records.
    pub id: u64,
    pub label: String,
    pub view: View,
}

/// Which images of an item its stream records hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum View {
    Keys,
    New,
    Old,
    Both,
}

/// Time to live.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expiry {
    /// Names the list of what expires when.
    pub id: u64,
    pub attribute: String,
    /// Items that were there before are still being listed.
    pub backfilling: bool,
}

impl Recovery {
    /// The first moment that can be restored.
    pub fn earliest(&self, now: Timestamp) -> Timestamp {
        let kept = std::time::Duration::from_secs(u64::from(self.days) * 86_400);
        self.since.max(now - kept)
    }
}

impl Definition {
    /// A table of the same shape that has nothing else in common with it: neither items, stream,
    /// time to live and tags, nor policies.
    pub fn renewed(&self, now: Timestamp, mut new_id: impl FnMut() -> u64) -> Self {
        let mut indexes = self.indexes.clone();
        for index in &mut indexes {
            index.id = new_id();
            index.backfilling = true;
        }
        Self {
            id: new_id(),
            uuid: uuid::Uuid::new_v4().to_string(),
            created_at: now,
            on_demand_since: self.on_demand.then_some(now),
            indexes,
            deletion_protection: false,
            stream: None,
            stream_label: None,
            expiry: None,
            tags: BTreeMap::new(),
            log: None,
            recovery: None,
            loading: true,
            restored: None,
            policies: BTreeMap::new(),
            insights: BTreeMap::new(),
            ..self.clone()
        }
    }

    pub fn index(&self, name: &str) -> Option<&Index> {
        self.indexes.iter().find(|index| index.name == name)
    }

    /// Whether items of one hash key form a collection of limited size.
    pub fn has_local_indexes(&self) -> bool {
        self.indexes.iter().any(|index| index.local)
    }

    /// Attributes are defined as long as a key has them.
    pub fn forget_unused_attributes(&mut self) {
        let Self {
            attributes,
            keys,
            indexes,
            ..
        } = self;
        attributes.retain(|attribute| {
            keys.has(&attribute.name) || indexes.iter().any(|index| index.keys.has(&attribute.name))
        });
    }

    pub fn is_backfilling(&self) -> bool {
        self.indexes.iter().any(|index| index.backfilling)
            || self
                .expiry
                .as_ref()
                .is_some_and(|expiry| expiry.backfilling)
    }
}

impl Index {
    /// What the index holds of an item.
    pub fn project(&self, table_keys: &KeySchema, item: &Item) -> Item {
        let named = match &self.projection {
            Projection::All => return item.clone(),
            Projection::KeysOnly => &[][..],
            Projection::Include(names) => names.as_slice(),
        };
        item.iter()
            .filter(|(name, _)| self.holds(table_keys, named, name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Whether the index has this attribute of every item that has it.
    pub fn projects(&self, table_keys: &KeySchema, attribute: &str) -> bool {
        match &self.projection {
            Projection::All => true,
            Projection::KeysOnly => self.holds(table_keys, &[], attribute),
            Projection::Include(names) => self.holds(table_keys, names, attribute),
        }
    }

    fn holds(&self, table_keys: &KeySchema, named: &[String], attribute: &str) -> bool {
        table_keys.has(attribute)
            || self.keys.has(attribute)
            || named.iter().any(|name| name == attribute)
    }
}
