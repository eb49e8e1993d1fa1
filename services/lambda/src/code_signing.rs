//! Code signing configurations. Signatures come from AWS Signer, which is not here: no package is
//! signed, and what a configuration says is what becomes of unsigned ones.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuration-codesigning.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AccountId, Arn, Region, Timestamp};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use service::ServiceError;
use store::{Batch, Store, StoreError, Table};
use tokio::sync::MutexGuard;

use crate::domain::function_name::Place;
use crate::error;

const CONFIGS: Table<CodeSigningRecord> = Table::new("lambda.code_signing_config", 1);
/// Records read at once when loading.
const PAGE: usize = 500;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CodeSigningRecord {
    pub account: AccountId,
    pub region: Region,
    /// Such as `csc-0123456789abcdef0`.
    pub id: String,
    pub description: String,
    /// ARNs of the signing profile versions.
    pub publishers: Vec<String>,
    pub enforces: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    pub last_modified: Timestamp,
}

pub struct CodeSigning {
    store: Arc<dyn Store>,
    /// By ARN.
    live: RwLock<BTreeMap<String, CodeSigningRecord>>,
    changing: tokio::sync::Mutex<()>,
}

/// While it is held, no configuration comes or goes.
pub struct Unchanging<'a> {
    _alone: MutexGuard<'a, ()>,
}

impl CodeSigningRecord {
    pub fn place(&self) -> Place {
        Place {
            account: self.account,
            region: self.region.clone(),
        }
    }

    pub fn arn(&self) -> String {
        let resource = format!("code-signing-config:{}", self.id);
        Arn::regional("lambda", &self.region, self.account, resource).to_string()
    }

    fn key(&self) -> (&str, &str, &str) {
        (self.account.as_str(), self.region.as_str(), &self.id)
    }
}

impl CodeSigning {
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut live = BTreeMap::new();
        let mut after = None;
        loop {
            let page = CONFIGS.scan(&store, (), after.as_ref(), PAGE).await?;
            for row in page.rows {
                live.insert(row.value.arn(), row.value);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(Self {
            store,
            live: RwLock::new(live),
            changing: tokio::sync::Mutex::default(),
        })
    }

    /// The configuration of an account and region.
    pub fn find(&self, arn: &str, place: &Place) -> Option<CodeSigningRecord> {
        let found = self.live.read().get(arn).cloned();
        found.filter(|record| record.place() == *place)
    }

    /// Those of an account and region, by ARN, after the given one.
    pub fn list(&self, place: &Place, after: Option<&str>) -> Vec<CodeSigningRecord> {
        let live = self.live.read();
        let here = live.values().filter(|record| {
            record.place() == *place && after.is_none_or(|after| record.arn().as_str() > after)
        });
        here.cloned().collect()
    }

    pub async fn hold(&self) -> Unchanging<'_> {
        Unchanging {
            _alone: self.changing.lock().await,
        }
    }

    pub async fn put(
        &self,
        _: &Unchanging<'_>,
        record: CodeSigningRecord,
    ) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        CONFIGS
            .put(&mut batch, record.key(), &record)
            .map_err(error::store_failed)?;
        self.store
            .commit(batch)
            .await
            .map_err(error::store_failed)?;
        self.live.write().insert(record.arn(), record);
        Ok(())
    }

    pub async fn delete(
        &self,
        _: &Unchanging<'_>,
        record: &CodeSigningRecord,
    ) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        CONFIGS.delete(&mut batch, record.key());
        self.store
            .commit(batch)
            .await
            .map_err(error::store_failed)?;
        self.live.write().remove(&record.arn());
        Ok(())
    }

    /// Whether code, which is never signed, may be deployed to a function with this configuration.
    pub fn check(
        &self,
        config: Option<&str>,
        place: &Place,
        function: &Arn,
    ) -> Result<(), ServiceError> {
        let Some(arn) = config else {
            return Ok(());
        };
        let found = self.find(arn, place);
        let config = found.ok_or_else(|| error::code_signing_config_not_found(arn))?;
        if config.enforces {
            return Err(error::unsigned(function));
        }
        tracing::warn!(%function, config = arn, "lambda: the code of a function is not signed");
        Ok(())
    }
}
