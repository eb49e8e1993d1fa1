//! One item's write, from its lock to its answer.

use std::sync::Arc;

use bytes::Bytes;
use service::ServiceError;
use store::Reader as _;

use super::change::{Change, Staging};
use super::locks::Holder;
use super::tables::Table;
use crate::DynamoDb;
use crate::domain::capacity::Consumed;
use crate::domain::key::KeyBytes;
use crate::domain::table::Definition;
use crate::domain::value::{Item, item_size};
use crate::domain::{Invalid, codec};
use crate::error::{self, store_failed};
use crate::records::item_key;

/// The largest item, in bytes.
const LARGEST: usize = 400 * 1024;

/// An item before and after a write.
#[derive(Debug)]
pub struct Written {
    pub before: Option<Item>,
    pub after: Option<Item>,
    pub consumed: Consumed,
}

impl DynamoDb {
    /// Lets `decide` make of the item as it is what it is to be, and answers once that is durable.
    /// Goes on to the end even if whoever waits for it does not.
    pub async fn write(
        self: &Arc<Self>,
        table: Arc<Table>,
        key: KeyBytes,
        decide: impl FnOnce(Option<&Item>) -> Result<Option<Item>, ServiceError> + Send + 'static,
    ) -> Result<Written, ServiceError> {
        let dynamodb = Arc::clone(self);
        let work = async move { dynamodb.write_here(&table, &key, decide).await };
        tokio::spawn(work)
            .await
            .unwrap_or_else(|_| Err(ServiceError::internal()))
    }

    async fn write_here(
        &self,
        table: &Arc<Table>,
        key: &KeyBytes,
        decide: impl FnOnce(Option<&Item>) -> Result<Option<Item>, ServiceError>,
    ) -> Result<Written, ServiceError> {
        let _pass = table.pass().await;
        let definition = table.definition().ok_or_else(error::resource_not_found)?;
        let row: Bytes = item_key(definition.id, key).into();
        let _held = self
            .locks
            .take(row.clone(), Holder::Write)
            .await
            .map_err(|_| error::transaction_conflict())?;
        self.admit_write(&definition)?;
        let before = self.item(&row).await?;
        let after = decide(before.as_ref())?;
        let mut staging = Staging::new(&self.sequence, self.clock.now());
        let consumed = staging.add(&Change {
            table,
            definition: &definition,
            key,
            before: before.as_ref(),
            after: after.as_ref(),
            by_expiry: false,
        });
        self.commit(staging).await?;
        self.charge_write(&definition, &consumed);
        self.note_expiry(&definition, after.as_ref());
        Ok(Written {
            before,
            after,
            consumed,
        })
    }

    /// The item of a row's key.
    pub async fn item(&self, row: &[u8]) -> Result<Option<Item>, ServiceError> {
        let stored = self.store.get(row).await.map_err(store_failed)?;
        stored.map(codec::decode).transpose().map_err(store_failed)
    }

    /// Makes staged changes durable. Without any there is nothing to wait for.
    pub async fn commit(&self, mut staging: Staging) -> Result<(), ServiceError> {
        if staging.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut staging.batch);
        self.store.commit(batch).await.map_err(store_failed)?;
        staging.committed();
        Ok(())
    }
}

/// Checks an item that is to be stored.
pub fn check_item(definition: &Definition, item: &Item) -> Result<(), Invalid> {
    // Global indexes come first, as in AWS.
    for local in [false, true] {
        for index in definition
            .indexes
            .iter()
            .filter(|index| index.local == local)
        {
            index.keys.check_indexed(item, &index.name)?;
        }
    }
    if item_size(item) > LARGEST {
        return Err(Invalid::new(
            "Item size has exceeded the maximum allowed size",
        ));
    }
    Ok(())
}

/// The same of an item that an update has made.
pub fn check_updated(definition: &Definition, item: &Item) -> Result<(), Invalid> {
    if item_size(item) > LARGEST {
        return Err(Invalid::new(
            "Item size to update has exceeded the maximum allowed size",
        ));
    }
    check_item(definition, item)
}
