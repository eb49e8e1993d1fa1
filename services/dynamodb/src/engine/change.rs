//! Changes of items, staged into one batch: item, index rows, what expires, and stream records
//! become durable together or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Timestamp;
use store::Batch;

use super::rows::{Row, rows};
use super::sequence::{Sequence, Tickets};
use super::tables::Table;
use crate::domain::capacity::{Consumed, write_units};
use crate::domain::codec;
use crate::domain::key::KeyBytes;
use crate::domain::stream::Record;
use crate::domain::table::{Definition, View};
use crate::domain::value::{Item, item_size};
use crate::records::{change_key, item_key};

/// One item's change. Its lock is held.
pub struct Change<'a> {
    pub table: &'a Arc<Table>,
    pub definition: &'a Definition,
    pub key: &'a KeyBytes,
    pub before: Option<&'a Item>,
    pub after: Option<&'a Item>,
    /// Whether time to live removes the item.
    pub by_expiry: bool,
}

pub struct Staging {
    pub batch: Batch,
    tickets: Tickets,
    counts: Vec<(Arc<Table>, Count)>,
    now: Timestamp,
}

/// How a table's sizes change.
#[derive(Debug, Default)]
struct Count {
    items: i64,
    bytes: i64,
    indexes: BTreeMap<u64, (i64, i64)>,
}

impl Staging {
    pub fn new(sequence: &Arc<Sequence>, now: Timestamp) -> Self {
        Self {
            batch: Batch::new(),
            tickets: Tickets::new(sequence),
            counts: Vec::new(),
            now,
        }
    }

    /// Adds a change, and says what it consumes.
    pub fn add(&mut self, change: &Change<'_>) -> Consumed {
        let Change {
            table,
            definition,
            key,
            before,
            after,
            by_expiry,
        } = *change;
        let size = |item: Option<&Item>| item.map_or(0, item_size);
        let mut consumed = Consumed {
            table: write_units(size(before).max(size(after))),
            ..Consumed::default()
        };
        if before == after {
            return consumed;
        }
        let row = item_key(definition.id, key);
        match after {
            Some(after) => self.batch.put(row, codec::encode(after)),
            None => self.batch.delete(row),
        };
        let rows =
            |item: Option<&Item>| item.map_or_else(Vec::new, |item| rows(definition, key, item));
        let count = self.stage_rows(definition, &rows(before), &rows(after), &mut consumed);
        self.counts.push((
            Arc::clone(table),
            Count {
                items: i64::from(after.is_some()) - i64::from(before.is_some()),
                bytes: size(after) as i64 - size(before) as i64,
                indexes: count,
            },
        ));
        self.stage_record(definition, before, after, by_expiry);
        consumed
    }

    fn stage_rows(
        &mut self,
        definition: &Definition,
        old: &[Row],
        new: &[Row],
        consumed: &mut Consumed,
    ) -> BTreeMap<u64, (i64, i64)> {
        let mut count: BTreeMap<u64, (i64, i64)> = BTreeMap::new();
        let mut charge = |row: &Row, units: f64, sign: i64| {
            let Some((id, bytes)) = row.index else { return };
            let (items, size) = count.entry(id).or_default();
            *items += sign;
            *size += sign * bytes as i64;
            let Some(index) = definition.indexes.iter().find(|index| index.id == id) else {
                return;
            };
            let named = if index.local {
                &mut consumed.local
            } else {
                &mut consumed.global
            };
            *named.entry(index.name.clone()).or_default() += units;
        };
        for row in old {
            let same_place = new.iter().find(|other| other.key == row.key);
            match same_place {
                Some(other) if other.value == row.value => {}
                Some(_) => charge(row, 0.0, -1),
                None => {
                    self.batch.delete(row.key.clone());
                    charge(
                        row,
                        write_units(row.index.map_or(0, |(_, bytes)| bytes)),
                        -1,
                    );
                }
            }
        }
        for row in new {
            let unchanged = old.iter().any(|other| other == row);
            if !unchanged {
                self.batch.put(row.key.clone(), row.value.clone());
                charge(row, write_units(row.index.map_or(0, |(_, bytes)| bytes)), 1);
            }
        }
        count
    }

    fn stage_record(
        &mut self,
        definition: &Definition,
        before: Option<&Item>,
        after: Option<&Item>,
        by_expiry: bool,
    ) {
        let stream = definition
            .stream
            .as_ref()
            .map(|stream| (stream.id, stream.view));
        let log = definition.log.map(|log| (log.id, View::Both));
        let Some(item) = after.or(before) else { return };
        let keys = definition.keys.pick(item);
        for (id, view) in stream.into_iter().chain(log) {
            let keys = keys.clone();
            let Some(record) = Record::of(view, keys, before, after, self.now, by_expiry) else {
                return;
            };
            let sequence = self.tickets.take(id, self.now);
            self.batch
                .put(change_key(id, sequence), codec::encode(&record.into_item()));
        }
    }

    /// Takes the changes into account, once they are durable.
    pub fn committed(self) {
        for (table, count) in self.counts {
            let mut counted = table.sizes.lock();
            counted.changed = true;
            counted.sizes.items += count.items;
            counted.sizes.bytes += count.bytes;
            for (id, (items, bytes)) in count.indexes {
                let size = counted.sizes.indexes.entry(id).or_default();
                size.0 += items;
                size.1 += bytes;
            }
        }
    }
}
