//! Work that goes on behind: backups, restores, exports and imports. Each is a record until it is
//! done, and the next start begins it again.

use std::sync::Arc;
use std::time::Duration;

use service::ServiceError;
use store::{Batch, StoreError};

use super::{all, rand_id};
use crate::DynamoDb;
use crate::archive::{BACKUPS, JOBS, Job, Moment};
use crate::domain::table::{ChangeLog, Definition};
use crate::error::{self, store_failed};
use crate::records::{Erasure, SIZES, Sizes, TABLES, TableName};

const RETRY_AFTER: Duration = Duration::from_secs(1);

impl DynamoDb {
    /// Takes up what an earlier run has not finished, once the ports lead somewhere.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn resume(self: &Arc<Self>) -> Result<(), StoreError> {
        for (key, job) in all(&JOBS, &*self.store).await? {
            self.begin(key.reader().u64()?, job);
        }
        Ok(())
    }

    /// Adds a job to the batch of the request that asks for it. Once that is committed, `begin` it.
    pub fn plan(&self, batch: &mut Batch, job: &Job) -> Result<u64, ServiceError> {
        let id = rand_id();
        JOBS.put(batch, id, job).map_err(store_failed)?;
        Ok(id)
    }

    pub fn begin(self: &Arc<Self>, id: u64, job: Job) {
        *self.in_use.lock().entry(job.source()).or_default() += 1;
        let dynamodb = Arc::clone(self);
        tokio::spawn(async move {
            while let Err(error) = dynamodb.work(id, &job).await {
                tracing::error!(%error, ?job, "dynamodb: a job failed; it is tried again");
                dynamodb.clock.sleep(RETRY_AFTER).await;
            }
        });
    }

    /// Whether a job needs what this ARN names.
    pub fn is_in_use(&self, arn: &str) -> bool {
        self.in_use.lock().contains_key(arn)
    }

    async fn work(self: &Arc<Self>, id: u64, job: &Job) -> Result<(), ServiceError> {
        match job {
            Job::Backup { backup, moment } => {
                let known = BACKUPS.get(&*self.store, backup.key()).await;
                let Some(mut record) = known.map_err(store_failed)? else {
                    return self.finish(id, job, Batch::new()).await;
                };
                let count = self.copy(moment, record.rows).await?;
                record.is_complete = true;
                (record.items, record.bytes) = (count.items, count.bytes);
                let mut batch = Batch::new();
                BACKUPS
                    .put(&mut batch, backup.key(), &record)
                    .map_err(store_failed)?;
                self.finish(id, job, batch).await
            }
            Job::Restore { target, moment, .. } => {
                let Some(table) = self.tables.get(target) else {
                    return self.finish(id, job, Batch::new()).await;
                };
                let definition = table.definition().ok_or_else(error::resource_not_found)?;
                self.copy(moment, definition.id).await?;
                let batch = self.loaded(target).await?;
                self.finish(id, job, batch).await?;
                self.open_up(target);
                Ok(())
            }
            Job::Export {
                export,
                moment,
                scratch,
            } => {
                let mut batch = self.export(export, moment, *scratch).await?;
                let erasure = Erasure {
                    tables: vec![*scratch],
                    ..Erasure::default()
                };
                self.plan_erasure(&mut batch, &erasure)
                    .map_err(store_failed)?;
                self.finish(id, job, batch).await?;
                self.erase();
                Ok(())
            }
            Job::Import { import } => {
                let (batch, is_there) = self.import(import).await?;
                self.finish(id, job, batch).await?;
                if is_there {
                    self.open_up(&import.table);
                } else if let Some(table) = self.tables.get(&import.table) {
                    table.set_definition(None);
                    self.tables.remove(&import.table);
                    self.erase();
                }
                Ok(())
            }
        }
    }

    /// What makes a table usable whose items have been brought in: its counts, its indexes, and its
    /// definition, in a batch that is yet to be committed.
    pub async fn loaded(&self, name: &TableName) -> Result<Batch, ServiceError> {
        let missing = error::resource_not_found;
        let table = self.tables.get(name).ok_or_else(missing)?;
        let definition = table.definition().ok_or_else(missing)?;
        let count = self.count(definition.id).await?;
        table.sizes.lock().sizes = Sizes {
            items: count.items,
            bytes: count.bytes,
            ..Sizes::default()
        };
        self.fill(&table).await?;
        let mut usable = (*table.definition().ok_or_else(missing)?).clone();
        usable.loading = false;
        let mut batch = Batch::new();
        let sizes = table.sizes.lock().sizes.clone();
        SIZES
            .put(&mut batch, usable.id, &sizes)
            .and_then(|()| TABLES.put(&mut batch, name.key(), &usable))
            .map_err(store_failed)?;
        Ok(batch)
    }

    /// Lets a loaded table be used, once its batch is committed.
    fn open_up(&self, name: &TableName) {
        let table = self.tables.get(name);
        if let Some((table, definition)) = table.and_then(|table| {
            let definition = table.definition()?;
            Some((table, definition))
        }) {
            let mut usable = (*definition).clone();
            usable.loading = false;
            table.set_definition(Some(usable));
        }
    }

    /// Forgets a job with what it has come to, and the log of changes if nobody needs it any more.
    async fn finish(
        self: &Arc<Self>,
        id: u64,
        job: &Job,
        mut batch: Batch,
    ) -> Result<(), ServiceError> {
        let _deciding = self.deciding.lock().await;
        JOBS.delete(&mut batch, id);
        self.commit_last(job, batch).await?;
        let mut in_use = self.in_use.lock();
        if let Some(count) = in_use.get_mut(&job.source()) {
            *count -= 1;
            if *count == 0 {
                in_use.remove(&job.source());
            }
        }
        Ok(())
    }

    async fn commit_last(
        self: &Arc<Self>,
        job: &Job,
        mut batch: Batch,
    ) -> Result<(), ServiceError> {
        let table = job.logged().and_then(|name| self.tables.get(name));
        let Some(table) = table else {
            return self.store.commit(batch).await.map_err(store_failed);
        };
        let _alone = table.close().await;
        let is_last = self.in_use.lock().get(&job.source()).copied() == Some(1);
        let definition = table.definition().filter(|it| it.recovery.is_none());
        let released = definition
            .filter(|_| is_last)
            .and_then(|it| Some((it.log?, it)));
        let Some((log, definition)) = released else {
            return self.store.commit(batch).await.map_err(store_failed);
        };
        let mut without = (*definition).clone();
        without.log = None;
        self.end_log(&mut batch, log)?;
        TABLES
            .put(&mut batch, table.name.key(), &without)
            .map_err(store_failed)?;
        self.store.commit(batch).await.map_err(store_failed)?;
        table.set_definition(Some(without));
        self.erase();
        Ok(())
    }

    pub fn end_log(&self, batch: &mut Batch, log: ChangeLog) -> Result<(), ServiceError> {
        let erasure = Erasure {
            logs: vec![log.id],
            ..Erasure::default()
        };
        self.plan_erasure(batch, &erasure).map_err(store_failed)
    }
}

impl Definition {
    /// The log of changes, begun if there is none.
    pub fn logged(&mut self) -> ChangeLog {
        *self.log.get_or_insert_with(|| ChangeLog { id: rand_id() })
    }

    /// The items as they are once the changes from number `first` on are undone.
    pub fn moment(&self, first: u64) -> Moment {
        Moment {
            items: self.id,
            keys: self.keys.clone(),
            undo: self.log.map(|log| (log.id, first)),
        }
    }
}
