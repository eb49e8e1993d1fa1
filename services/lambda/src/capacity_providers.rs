//! Capacity providers: what functions with environments of their own run on. On AWS it is a fleet of
//! machines; here it is this machine, whatever a provider says of subnets, instances and their scaling.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-capacity-providers.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AccountId, Arn, Region, Timestamp};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use service::ServiceError;
use store::{Batch, Store, StoreError, Table};
use tokio::sync::MutexGuard;

use crate::domain::capacity_provider::Instances;
use crate::domain::function_name::Place;
use crate::error;
use crate::functions::{each, put};
use crate::records::FunctionRecord;

const PROVIDERS: Table<ProviderRecord> = Table::new("lambda.capacity_provider", 1);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProviderRecord {
    pub account: AccountId,
    pub region: Region,
    pub name: String,
    pub instances: Instances,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    pub last_modified: Timestamp,
}

pub struct CapacityProviders {
    store: Arc<dyn Store>,
    /// By ARN.
    live: RwLock<BTreeMap<String, Arc<ProviderRecord>>>,
    changing: tokio::sync::Mutex<()>,
}

/// While it is held, no provider comes or goes, and none gets another function.
pub struct Unchanging<'a> {
    _alone: MutexGuard<'a, ()>,
}

impl ProviderRecord {
    pub fn place(&self) -> Place {
        Place {
            account: self.account,
            region: self.region.clone(),
        }
    }

    pub fn arn(&self) -> Arn {
        self.place().capacity_provider_arn(&self.name)
    }

    fn key(&self) -> (&str, &str, &str) {
        (self.account.as_str(), self.region.as_str(), &self.name)
    }
}

impl CapacityProviders {
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut live = BTreeMap::new();
        each(&store, &PROVIDERS, |record| {
            live.insert(record.arn().to_string(), Arc::new(record));
        })
        .await?;
        Ok(Self {
            store,
            live: RwLock::new(live),
            changing: tokio::sync::Mutex::default(),
        })
    }

    /// The provider of an account and region with this ARN.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, arn: &Arn, place: &Place) -> Result<Arc<ProviderRecord>, ServiceError> {
        let found = self.live.read().get(&arn.to_string()).cloned();
        found
            .filter(|record| record.place() == *place)
            .ok_or_else(|| error::no_capacity_provider(arn))
    }

    /// Those of an account and region, by name, after the given one.
    pub fn list(&self, place: &Place, after: Option<&str>) -> Vec<Arc<ProviderRecord>> {
        let live = self.live.read();
        let here = live.values().filter(|record| {
            record.place() == *place && after.is_none_or(|after| record.name.as_str() > after)
        });
        here.cloned().collect()
    }

    pub fn count(&self, account: AccountId) -> usize {
        let live = self.live.read();
        live.values().filter(|it| it.account == account).count()
    }

    pub async fn hold(&self) -> Unchanging<'_> {
        Unchanging {
            _alone: self.changing.lock().await,
        }
    }

    /// The same where a function is on one.
    pub async fn hold_for(&self, function: &FunctionRecord) -> Option<Unchanging<'_>> {
        match function.settings.capacity {
            Some(_) => Some(self.hold().await),
            None => None,
        }
    }

    pub async fn put(
        &self,
        _: &Unchanging<'_>,
        record: ProviderRecord,
    ) -> Result<Arc<ProviderRecord>, ServiceError> {
        let mut batch = Batch::new();
        put(&mut batch, &PROVIDERS, record.key(), &record)?;
        self.commit(batch).await?;
        let record = Arc::new(record);
        let mut live = self.live.write();
        live.insert(record.arn().to_string(), Arc::clone(&record));
        Ok(record)
    }

    pub async fn delete(
        &self,
        _: &Unchanging<'_>,
        record: &ProviderRecord,
    ) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        PROVIDERS.delete(&mut batch, record.key());
        self.commit(batch).await?;
        self.live.write().remove(&record.arn().to_string());
        Ok(())
    }

    async fn commit(&self, batch: Batch) -> Result<(), ServiceError> {
        let committed = self.store.commit(batch).await;
        committed.map_err(error::store_failed)
    }
}
