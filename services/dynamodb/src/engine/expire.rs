//! Time to live: items are removed when their time has come.
//!
//! A list of what expires when is kept with the items, and one task waits for its first entry.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use base::{Clock, Timestamp};
use bytes::Bytes;
use service::ServiceError;
use store::Reader as _;
use tokio::sync::Notify;

use super::change::{Change, Staging};
use super::locks::Holder;
use super::rows::expires_at;
use super::tables::Table;
use crate::DynamoDb;
use crate::domain::codec;
use crate::domain::table::Definition;
use crate::domain::value::Item;
use crate::error::{self, store_failed};
use crate::records::{self, item_key};

/// What should have expired longer ago never does: such a time is likely a mistake.
const FIVE_YEARS: i64 = 5 * 365 * 24 * 60 * 60;
/// Read in one step.
const STEP: usize = 100;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Removes what expires, as long as the service is there.
pub async fn expire_forever(dynamodb: Weak<DynamoDb>, clock: Clock, wake: Arc<Notify>) {
    loop {
        let Some(service) = dynamodb.upgrade() else {
            return;
        };
        // Whatever is written from here on rings, since it comes before never.
        service.next_expiry.store(i64::MAX, Ordering::SeqCst);
        let next = match service.expire_due().await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, "dynamodb: expired items could not be removed");
                Some(clock.now() + RETRY_AFTER)
            }
        };
        let planned = next.map_or(i64::MAX, Timestamp::millis);
        service.next_expiry.fetch_min(planned, Ordering::SeqCst);
        drop(service);
        let due = async {
            match next {
                Some(next) => clock.sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = wake.notified() => {}
        }
    }
}

impl DynamoDb {
    /// Rings if an item expires before the next one that is waited for.
    pub fn note_expiry(&self, definition: &Definition, item: Option<&Item>) {
        let (Some(expiry), Some(item)) = (&definition.expiry, item) else {
            return;
        };
        let Some(at) = expires_at(&expiry.attribute, item) else {
            return;
        };
        if at.saturating_mul(1000) < self.next_expiry.load(Ordering::SeqCst) {
            self.wake_expiry.notify_one();
        }
    }

    /// Removes what is due, and says when the next item is.
    async fn expire_due(&self) -> Result<Option<Timestamp>, ServiceError> {
        let mut next: Option<i64> = None;
        for table in self.tables.all() {
            let Some(expiry) = table
                .definition()
                .and_then(|definition| definition.expiry.clone())
            else {
                continue;
            };
            let now = self.clock.now().seconds();
            loop {
                let due = records::expired(expiry.id, now - FIVE_YEARS, now + 1).limit(STEP);
                let rows = self.store.scan(due).await.map_err(store_failed)?;
                let more = rows.len() == STEP;
                for row in rows {
                    let keys = codec::decode(row.value).map_err(store_failed)?;
                    self.expire(&table, &keys).await?;
                }
                if !more {
                    break;
                }
            }
            let coming = records::expired(expiry.id, now + 1, i64::MAX).limit(1);
            let rows = self.store.scan(coming).await.map_err(store_failed)?;
            if let Some(row) = rows.first() {
                let at = records::expiry_of(&row.key).map_err(store_failed)?;
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        Ok(next.map(|at| Timestamp::from_millis(at.saturating_mul(1000))))
    }

    /// Removes one item, if its time has still come.
    async fn expire(&self, table: &Arc<Table>, keys: &Item) -> Result<(), ServiceError> {
        let _pass = table.pass().await;
        let Some(definition) = table.definition() else {
            return Ok(());
        };
        let Some(expiry) = &definition.expiry else {
            return Ok(());
        };
        let key = definition.keys.of_item(keys)?;
        let row: Bytes = item_key(definition.id, &key).into();
        let _held = self
            .locks
            .take(row.clone(), Holder::Patient)
            .await
            .map_err(|_| error::transaction_conflict())?;
        let Some(item) = self.item(&row).await? else {
            return Ok(());
        };
        let now = self.clock.now();
        let is_due = expires_at(&expiry.attribute, &item).is_some_and(|at| at <= now.seconds());
        if !is_due {
            return Ok(());
        }
        let mut staging = Staging::new(&self.sequence, now);
        staging.add(&Change {
            table,
            definition: &definition,
            key: &key,
            before: Some(&item),
            after: None,
            by_expiry: true,
        });
        self.commit(staging).await
    }
}
