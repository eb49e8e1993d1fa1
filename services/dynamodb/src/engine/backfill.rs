//! Fills a new index, or a new list of what expires, with the items that were there before it.
//!
//! From the moment the definition has it, every write maintains it; what is older is added here,
//! step by step, with writes to the table held up for one step at a time.

use std::sync::Arc;

use bytes::Bytes;
use service::ServiceError;
use store::{Batch, Reader as _};

use super::rows;
use super::tables::Table;
use crate::DynamoDb;
use crate::domain::codec;
use crate::domain::table::Definition;
use crate::error::store_failed;
use crate::records::{Place, TABLES};

const STEP: usize = 100;

impl DynamoDb {
    /// Starts to fill what the table's definition says is not full yet.
    pub fn backfill(self: &Arc<Self>, table: &Arc<Table>) {
        let (dynamodb, table) = (Arc::clone(self), Arc::clone(table));
        tokio::spawn(async move {
            if let Err(error) = dynamodb.fill(&table).await {
                tracing::error!(table = %table.name.name, %error, "dynamodb: backfill stopped; the next start resumes it");
            }
        });
    }

    pub async fn fill(&self, table: &Arc<Table>) -> Result<(), ServiceError> {
        let mut after: Option<Bytes> = None;
        loop {
            let _alone = table.close().await;
            let Some(definition) = table.definition().filter(|it| it.is_backfilling()) else {
                return Ok(());
            };
            let mut scan = Place::Table(definition.id).all();
            if let Some(after) = &after {
                scan = scan.after(after.clone());
            }
            let rows = self
                .store
                .scan(scan.limit(STEP))
                .await
                .map_err(store_failed)?;
            let done = rows.len() < STEP;
            after = rows.last().map(|row| row.key.clone()).or(after);
            let mut batch = Batch::new();
            let mut counts = Vec::new();
            for row in rows {
                let item = codec::decode(row.value).map_err(store_failed)?;
                let key = definition.keys.of_item(&item)?;
                for row in rows::rows(&definition, &key, &item) {
                    let belongs = |id: u64| {
                        definition
                            .indexes
                            .iter()
                            .any(|index| index.id == id && index.backfilling)
                    };
                    if let Some((id, bytes)) = row.index.filter(|(id, _)| belongs(*id)) {
                        let known = self.store.get(&row.key).await.map_err(store_failed)?;
                        if known.is_none() {
                            counts.push((id, bytes));
                        }
                    }
                    batch.put(row.key, row.value);
                }
            }
            let full = done.then(|| filled(&definition));
            if let Some(full) = &full {
                TABLES
                    .put(&mut batch, table.name.key(), full)
                    .map_err(store_failed)?;
            }
            self.store.commit(batch).await.map_err(store_failed)?;
            let mut counted = table.sizes.lock();
            counted.changed = true;
            for (id, bytes) in counts {
                let size = counted.sizes.indexes.entry(id).or_default();
                size.0 += 1;
                size.1 += bytes as i64;
            }
            drop(counted);
            if let Some(full) = full {
                table.set_definition(Some(full));
                self.wake_expiry.notify_one();
                return Ok(());
            }
        }
    }

    /// Goes on with what an earlier run has not finished.
    pub fn resume_backfills(self: &Arc<Self>) {
        for table in self.tables.all() {
            if table
                .definition()
                .is_some_and(|definition| definition.is_backfilling() && !definition.loading)
            {
                self.backfill(&table);
            }
        }
    }
}

fn filled(definition: &Definition) -> Definition {
    let mut full = definition.clone();
    for index in &mut full.indexes {
        index.backfilling = false;
    }
    if let Some(expiry) = &mut full.expiry {
        expiry.backfilling = false;
    }
    full
}
