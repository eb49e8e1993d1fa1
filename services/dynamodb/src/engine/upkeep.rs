//! What is done every minute: stream records and tokens that are too old go, sizes are written.

use std::sync::Weak;
use std::time::Duration;

use base::{Clock, Timestamp};
use store::{Batch, Durability, Key, Reader as _, Store, StoreError, Table};

use super::sequence::Sequence;
use crate::DynamoDb;
use crate::archive::{ArchiveName, BACKUPS, Kind};
use crate::records::{Erasure, SIZES, STREAMS, TOKENS, changes};

const EVERY: Duration = Duration::from_mins(1);
/// How long stream records can be read.
pub const KEPT: Duration = Duration::from_hours(24);
/// How long a client request token means the same transaction.
pub const TOKEN_LIVES: Duration = Duration::from_mins(10);
const STEP: usize = 500;

/// Does so as long as the service is there.
pub async fn keep_up(dynamodb: Weak<DynamoDb>, clock: Clock) {
    loop {
        clock.sleep(EVERY).await;
        let Some(service) = dynamodb.upgrade() else {
            return;
        };
        if let Err(error) = service.upkeep().await {
            tracing::error!(%error, "dynamodb: upkeep failed; it is tried again in a minute");
        }
    }
}

impl DynamoDb {
    async fn upkeep(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.write_sizes().await?;
        self.trim_streams(now).await?;
        self.trim_logs(now).await?;
        self.forget_backups(now).await?;
        self.forget_tokens(now).await
    }

    /// Removes what no point in time needs any more, unless a copy is being made.
    async fn trim_logs(&self, now: Timestamp) -> Result<(), StoreError> {
        for table in self.tables.all() {
            let Some(definition) = table.definition() else {
                continue;
            };
            let (Some(log), Some(recovery)) = (definition.log, definition.recovery) else {
                continue;
            };
            if !self.is_in_use(&table.name.arn().to_string()) {
                let oldest = Sequence::at(recovery.earliest(now));
                self.erase_range(&changes(log.id, 0, oldest)).await?;
            }
        }
        Ok(())
    }

    /// Removes the backups of deleted tables that are kept for a time.
    async fn forget_backups(&self, now: Timestamp) -> Result<(), StoreError> {
        // So that none is being restored meanwhile.
        let _deciding = self.deciding.lock().await;
        for (key, backup) in all(&BACKUPS, &*self.store).await? {
            let arn = ArchiveName::from_key(&key)?.arn(Kind::Backup);
            if backup.expires_at.is_some_and(|at| at <= now) && !self.is_in_use(&arn) {
                let mut batch = Batch::new();
                BACKUPS.delete(&mut batch, &key);
                let erasure = Erasure {
                    tables: vec![backup.rows],
                    ..Erasure::default()
                };
                self.plan_erasure(&mut batch, &erasure)?;
                self.store.commit(batch).await?;
                self.erase_planned().await?;
            }
        }
        Ok(())
    }

    /// Writes the sizes that have changed.
    pub async fn write_sizes(&self) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.durability(Durability::Lazy);
        for table in self.tables.all() {
            let Some(definition) = table.definition() else {
                continue;
            };
            let sizes = {
                let mut counted = table.sizes.lock();
                std::mem::take(&mut counted.changed).then(|| counted.sizes.clone())
            };
            if let Some(sizes) = sizes {
                SIZES.put(&mut batch, definition.id, &sizes)?;
            }
        }
        if batch.is_empty() {
            Ok(())
        } else {
            self.store.commit(batch).await
        }
    }

    async fn trim_streams(&self, now: Timestamp) -> Result<(), StoreError> {
        let oldest = Sequence::at(now - KEPT);
        for (key, stream) in all(&STREAMS, &*self.store).await? {
            loop {
                let old = changes(stream.id, 0, oldest).limit(STEP);
                let rows = self.store.scan(old).await?;
                let more = rows.len() == STEP;
                let mut batch = Batch::new();
                batch.durability(Durability::Lazy);
                for row in rows {
                    batch.delete(row.key);
                }
                if !more && stream.ended.is_some_and(|(_, at)| at <= now - KEPT) {
                    STREAMS.delete(&mut batch, &key);
                }
                if !batch.is_empty() {
                    self.store.commit(batch).await?;
                }
                if !more {
                    break;
                }
            }
        }
        Ok(())
    }

    async fn forget_tokens(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        batch.durability(Durability::Lazy);
        for (key, token) in all(&TOKENS, &*self.store).await? {
            if token.at <= now - TOKEN_LIVES {
                TOKENS.delete(&mut batch, &key);
            }
        }
        if batch.is_empty() {
            Ok(())
        } else {
            self.store.commit(batch).await
        }
    }
}

/// Every record of a table that is never long.
pub async fn all<T: serde::de::DeserializeOwned>(
    table: &Table<T>,
    store: &dyn Store,
) -> Result<Vec<(Key, T)>, StoreError> {
    all_under(table, store, Key::new()).await
}

/// Every record whose key begins with `prefix`, where they are never many.
pub async fn all_under<T: serde::de::DeserializeOwned>(
    table: &Table<T>,
    store: &dyn Store,
    prefix: Key,
) -> Result<Vec<(Key, T)>, StoreError> {
    let mut rows = Vec::new();
    let mut after = None;
    loop {
        let page = table.scan(store, &prefix, after.as_ref(), STEP).await?;
        rows.extend(page.rows.into_iter().map(|row| (row.key, row.value)));
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(rows),
        }
    }
}
