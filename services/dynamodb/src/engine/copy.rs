//! The items of one moment, put together elsewhere: what backups, restores and exports are.
//!
//! The present items are copied, step by step, while writes go on. Then the changes since the
//! moment, which the table's log has, are undone in the copy, the last one first. Whatever the copy
//! has seen of a change, it ends as the item was.

use service::ServiceError;
use store::{Batch, Durability, Reader as _};

use crate::DynamoDb;
use crate::archive::Moment;
use crate::domain::codec;
use crate::domain::stream::Record;
use crate::domain::value::item_size;
use crate::error::store_failed;
use crate::records::{Place, changes, item_key};

const STEP: usize = 100;

/// How many items there are, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub items: i64,
    pub bytes: i64,
}

impl DynamoDb {
    /// Puts the items of a moment under the id `to`, where nobody else writes. Doing it again comes
    /// to the same. Durable with the next commit that is.
    pub async fn copy(&self, moment: &Moment, to: u64) -> Result<Count, ServiceError> {
        let mut scan = Place::Table(moment.items).all();
        loop {
            let rows = self
                .store
                .scan(scan.clone().limit(STEP))
                .await
                .map_err(store_failed)?;
            let Some(last) = rows.last() else { break };
            scan = scan.after(last.key.clone());
            let mut batch = lazy();
            for row in rows {
                let item = codec::decode(row.value.clone()).map_err(store_failed)?;
                let key = moment.keys.of_item(&item)?;
                batch.put(item_key(to, &key), row.value);
            }
            self.store.commit(batch).await.map_err(store_failed)?;
        }
        if let Some((log, first)) = moment.undo {
            self.undo(log, first, moment, to).await?;
        }
        self.count(to).await
    }

    async fn undo(
        &self,
        log: u64,
        first: u64,
        moment: &Moment,
        to: u64,
    ) -> Result<(), ServiceError> {
        let mut scan = changes(log, first, u64::MAX).reversed();
        loop {
            let rows = self
                .store
                .scan(scan.clone().limit(STEP))
                .await
                .map_err(store_failed)?;
            let Some(last) = rows.last() else {
                return Ok(());
            };
            scan = scan.after(last.key.clone());
            let mut batch = lazy();
            for row in rows {
                let item = codec::decode(row.value).map_err(store_failed)?;
                let change = Record::from_item(item).map_err(store_failed)?;
                let row = item_key(to, &moment.keys.of_item(&change.keys)?);
                match change.old {
                    Some(old) => batch.put(row, codec::encode(&old)),
                    None => batch.delete(row),
                };
            }
            self.store.commit(batch).await.map_err(store_failed)?;
        }
    }

    /// Counts the items under an id.
    pub async fn count(&self, id: u64) -> Result<Count, ServiceError> {
        let mut count = Count::default();
        let mut scan = Place::Table(id).all();
        loop {
            let rows = self
                .store
                .scan(scan.clone().limit(STEP))
                .await
                .map_err(store_failed)?;
            let Some(last) = rows.last() else {
                return Ok(count);
            };
            scan = scan.after(last.key.clone());
            for row in rows {
                let item = codec::decode(row.value).map_err(store_failed)?;
                count.items += 1;
                count.bytes += item_size(&item) as i64;
            }
        }
    }
}

pub fn lazy() -> Batch {
    let mut batch = Batch::new();
    batch.durability(Durability::Lazy);
    batch
}
