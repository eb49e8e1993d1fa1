//! Removes, behind, the rows of what was deleted: the deletion itself is one record's.

use std::sync::Arc;

use store::{Batch, Durability, Reader as _, Scan, StoreError};

use crate::DynamoDb;
use crate::records::{self, ERASURES, Erasure, Place, SIZES};

/// Rows removed at a time, so that other commits wait for no more.
const STEP: usize = 500;

impl DynamoDb {
    /// Adds an erasure to the batch of a deletion.
    pub fn plan_erasure(&self, batch: &mut Batch, erasure: &Erasure) -> Result<(), StoreError> {
        ERASURES.put(batch, rand_id(), erasure)
    }

    /// Carries out what is planned.
    pub fn erase(self: &Arc<Self>) {
        let dynamodb = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = dynamodb.erase_planned().await {
                tracing::error!(%error, "dynamodb: erasing stopped; the next one resumes it");
            }
        });
    }

    pub async fn erase_planned(&self) -> Result<(), StoreError> {
        // One at a time: two would do the same work.
        let _turn = self.erasing.lock().await;
        loop {
            let page = ERASURES.scan(&*self.store, (), None, 1).await?;
            let Some(row) = page.rows.into_iter().next() else {
                return Ok(());
            };
            let Erasure {
                tables,
                indexes,
                expiries,
                logs,
            } = &row.value;
            for table in tables {
                self.erase_range(&Place::Table(*table).all()).await?;
            }
            for index in indexes {
                self.erase_range(&Place::Index(*index).all()).await?;
            }
            for expiry in expiries {
                self.erase_range(&records::expiries(*expiry)).await?;
            }
            for log in logs {
                self.erase_range(&records::changes(*log, 0, u64::MAX))
                    .await?;
            }
            let mut batch = Batch::new();
            for table in tables {
                SIZES.delete(&mut batch, *table);
            }
            ERASURES.delete(&mut batch, &row.key);
            self.store.commit(batch).await?;
        }
    }

    pub async fn erase_range(&self, range: &Scan) -> Result<(), StoreError> {
        loop {
            let rows = self.store.scan(range.clone().limit(STEP)).await?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut batch = Batch::new();
            batch.durability(Durability::Lazy);
            for row in rows {
                batch.delete(row.key);
            }
            self.store.commit(batch).await?;
        }
    }
}

/// A random id for what is stored under one.
pub fn rand_id() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}
