//! Reads of many items: what queries and scans have in common.

use bytes::Bytes;
use service::ServiceError;
use store::{Reader as _, Scan};

use crate::DynamoDb;
use crate::domain::codec;
use crate::domain::expression::Condition;
use crate::domain::key::KeySchema;
use crate::domain::value::{Item, item_size};
use crate::error::store_failed;
use crate::records::item_key;

/// A page ends before it has read more, in bytes.
const MOST_BYTES: usize = 1 << 20;
/// Rows are read in steps, the first of this many and later ones by the size of items met.
const FIRST_STEP: usize = 32;
const LONGEST_STEP: usize = 128;

/// What to read, in which order, and what to keep of it.
pub struct Query {
    pub scan: Scan,
    /// At most so many items are read, whether or not they are kept.
    pub limit: Option<usize>,
    pub filter: Option<Condition>,
    /// The table and its keys, where an index lacks attributes that are wanted.
    pub whole_items: Option<(u64, KeySchema)>,
    /// Whether only the count is wanted.
    pub count_only: bool,
    /// The attributes that say where a page ended.
    pub keys: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Found {
    pub items: Vec<Item>,
    pub count: usize,
    pub scanned: usize,
    /// Bytes of the rows read, and of the table's items that were read for them.
    pub bytes: usize,
    pub whole_item_bytes: Vec<usize>,
    /// The keys of the last row read, if there may be more.
    pub last: Option<Item>,
}

impl DynamoDb {
    pub async fn find(&self, query: Query) -> Result<Found, ServiceError> {
        let mut found = Found::default();
        let mut scan = query.scan.clone();
        let mut step = FIRST_STEP;
        let mut last = None;
        loop {
            let wanted = query
                .limit
                .map_or(step, |limit| step.min(limit - found.scanned));
            let rows = self
                .store
                .scan(scan.clone().limit(wanted))
                .await
                .map_err(store_failed)?;
            let exhausted = rows.len() < wanted;
            let mut end: Option<Bytes> = None;
            for row in rows {
                let item = codec::decode(row.value).map_err(store_failed)?;
                let bytes = item_size(&item);
                if found.bytes + bytes > MOST_BYTES && found.scanned > 0 {
                    found.last = last;
                    return Ok(found);
                }
                found.bytes += bytes;
                found.scanned += 1;
                last = Some(pick(&item, &query.keys));
                end = Some(row.key);
                self.keep(&query, item, &mut found).await?;
                if query.limit == Some(found.scanned) {
                    found.last = last;
                    return Ok(found);
                }
            }
            let Some(end) = end.filter(|_| !exhausted) else {
                return Ok(found);
            };
            scan = scan.after(end);
            let each = (found.bytes / found.scanned.max(1)).max(1);
            step = ((MOST_BYTES - found.bytes.min(MOST_BYTES)) / each + 1).clamp(1, LONGEST_STEP);
        }
    }

    async fn keep(&self, query: &Query, row: Item, found: &mut Found) -> Result<(), ServiceError> {
        let item = match &query.whole_items {
            None => row,
            Some((table, keys)) => {
                let key = keys.of_item(&row)?;
                let item = self.item(item_key(*table, &key).as_bytes()).await?;
                // It may have gone since.
                let Some(item) = item else { return Ok(()) };
                found.whole_item_bytes.push(item_size(&item));
                item
            }
        };
        if query
            .filter
            .as_ref()
            .is_none_or(|filter| filter.holds(&item))
        {
            found.count += 1;
            if !query.count_only {
                found.items.push(item);
            }
        }
        Ok(())
    }
}

fn pick(item: &Item, names: &[String]) -> Item {
    let found = names.iter().filter_map(|name| item.get_key_value(name));
    found
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}
