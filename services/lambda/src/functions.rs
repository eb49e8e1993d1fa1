//! Every function, in memory: what is read on each invocation touches no store.
//!
//! Records are loaded at start and replaced, after they are durable, by whatever changes them.
//! Changes to one account and region happen one after another, so that what they count together
//! (reserved concurrency, code storage) holds.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use auth::policy::{Document, PolicyKind};
use exec::{FunctionSpec, ImageId};
use parking_lot::RwLock;
use service::ServiceError;
use store::{Batch, Store, StoreError};
use tokio::sync::{Mutex, OnceCell, OwnedMutexGuard};

use crate::domain::function_name::{FunctionName, Place, Qualifier};
use crate::domain::permission;
use crate::error;
use crate::records::{FUNCTIONS, FunctionRecord};

/// Records read at once when loading.
const PAGE: usize = 500;

/// One function as it is now. A change makes another.
pub struct Function {
    pub record: FunctionRecord,
    /// Made at the first invocation.
    pub spec: OnceCell<Arc<FunctionSpec>>,
    policy: OnceLock<Option<Document>>,
}

pub struct Functions {
    store: Arc<dyn Store>,
    places: RwLock<HashMap<Place, Arc<Territory>>>,
}

/// The functions of one account and region.
#[derive(Default)]
struct Territory {
    functions: RwLock<BTreeMap<String, Arc<Function>>>,
    changing: Arc<Mutex<()>>,
}

/// The right to change the functions of one account and region.
pub struct Changing {
    store: Arc<dyn Store>,
    territory: Arc<Territory>,
    _alone: OwnedMutexGuard<()>,
}

impl Function {
    pub fn new(record: FunctionRecord) -> Arc<Self> {
        Arc::new(Self {
            record,
            spec: OnceCell::new(),
            policy: OnceLock::new(),
        })
    }

    /// The function's own policy, if it has one.
    pub fn policy(&self) -> Option<&Document> {
        self.policy
            .get_or_init(|| {
                let statements = &self.record.policy;
                if statements.is_empty() {
                    return None;
                }
                Document::parse(&permission::policy(statements), PolicyKind::Resource)
                    .inspect_err(|error| {
                        tracing::error!(%error, function = %self.record.arn(), "function policy");
                    })
                    .ok()
            })
            .as_ref()
    }

    /// Refuses a change that was meant for an earlier state.
    pub fn check_revision(&self, given: Option<&str>) -> Result<(), ServiceError> {
        match given {
            Some(revision) if revision != self.record.revision_id => Err(error::stale_revision()),
            _ => Ok(()),
        }
    }
}

impl Functions {
    /// Loads every function.
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let functions = Self {
            store,
            places: RwLock::default(),
        };
        let mut after = None;
        loop {
            let page = FUNCTIONS
                .scan(&functions.store, (), after.as_ref(), PAGE)
                .await?;
            for row in page.rows {
                let territory = functions.territory(&row.value.place());
                let name = row.value.name.clone();
                territory
                    .functions
                    .write()
                    .insert(name, Function::new(row.value));
            }
            after = page.next;
            if after.is_none() {
                return Ok(functions);
            }
        }
    }

    fn find(&self, name: &FunctionName) -> Option<Arc<Function>> {
        let territory = Arc::clone(self.places.read().get(&name.place)?);
        let functions = territory.functions.read();
        functions.get(&name.name).cloned()
    }

    /// The function that is named, whose only version is `$LATEST`.
    ///
    /// # Errors
    /// There is none, or not in that version.
    pub fn get(&self, name: &FunctionName) -> Result<Arc<Function>, ServiceError> {
        let function = self
            .find(name)
            .ok_or_else(|| error::function_not_found(&name.arn()))?;
        match name.qualifier {
            None | Some(Qualifier::Latest) => Ok(function),
            Some(Qualifier::Version(_) | Qualifier::Alias(_)) => {
                Err(error::function_not_found(&name.arn()))
            }
        }
    }

    /// Up to `limit` functions of an account and region, by name, after the given one.
    pub fn list(&self, place: &Place, after: Option<&str>, limit: usize) -> Vec<Arc<Function>> {
        let Some(territory) = self.places.read().get(place).cloned() else {
            return Vec::new();
        };
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let functions = territory.functions.read();
        let range = functions.range::<str, _>((start, Bound::Unbounded));
        range
            .take(limit)
            .map(|(_, function)| Arc::clone(function))
            .collect()
    }

    /// Whether any function's code is this image.
    pub fn uses_image(&self, image: ImageId) -> bool {
        self.any(|function| function.record.code.image() == Some(image))
    }

    /// The record of some function with this image.
    pub fn with_image(&self, image: ImageId) -> Option<Arc<Function>> {
        self.find_any(|function| function.record.code.image() == Some(image))
    }

    pub fn any(&self, fits: impl Fn(&Function) -> bool) -> bool {
        self.find_any(fits).is_some()
    }

    fn find_any(&self, fits: impl Fn(&Function) -> bool) -> Option<Arc<Function>> {
        let territories: Vec<Arc<Territory>> = self.places.read().values().cloned().collect();
        territories.iter().find_map(|territory| {
            let functions = territory.functions.read();
            functions.values().find(|function| fits(function)).cloned()
        })
    }

    /// Every account and region with functions.
    pub fn places(&self) -> Vec<Place> {
        self.places.read().keys().cloned().collect()
    }

    /// Waits until nobody else changes the functions of an account and region.
    pub async fn change(&self, place: &Place) -> Changing {
        let territory = self.territory(place);
        let alone = Arc::clone(&territory.changing).lock_owned().await;
        Changing {
            store: Arc::clone(&self.store),
            territory,
            _alone: alone,
        }
    }

    fn territory(&self, place: &Place) -> Arc<Territory> {
        let mut places = self.places.write();
        Arc::clone(places.entry(place.clone()).or_default())
    }
}

impl Changing {
    pub fn find(&self, name: &str) -> Option<Arc<Function>> {
        self.territory.functions.read().get(name).cloned()
    }

    pub fn get(&self, name: &FunctionName) -> Result<Arc<Function>, ServiceError> {
        self.find(&name.name)
            .ok_or_else(|| error::function_not_found(&name.arn()))
    }

    /// Concurrency that the functions have reserved together, in 64 bits against overflow.
    pub fn reserved(&self) -> u64 {
        reserved(&self.territory.functions.read())
    }

    /// Bytes of the functions' packages.
    pub fn code_bytes(&self) -> u64 {
        let functions = self.territory.functions.read();
        functions
            .values()
            .map(|function| function.record.code.size())
            .sum()
    }

    /// Makes a new state of a function durable, then visible.
    pub async fn put(&self, record: FunctionRecord) -> Result<Arc<Function>, ServiceError> {
        let mut batch = Batch::new();
        FUNCTIONS
            .put(&mut batch, record.key(), &record)
            .map_err(error::store_failed)?;
        self.store
            .commit(batch)
            .await
            .map_err(error::store_failed)?;
        let name = record.name.clone();
        let function = Function::new(record);
        self.territory
            .functions
            .write()
            .insert(name, Arc::clone(&function));
        Ok(function)
    }

    pub async fn delete(&self, record: &FunctionRecord) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        FUNCTIONS.delete(&mut batch, record.key());
        self.store
            .commit(batch)
            .await
            .map_err(error::store_failed)?;
        self.territory.functions.write().remove(&record.name);
        Ok(())
    }
}

fn reserved(functions: &BTreeMap<String, Arc<Function>>) -> u64 {
    let each = functions
        .values()
        .filter_map(|function| function.record.reserved_concurrency);
    each.map(u64::from).sum()
}

/// Totals for GetAccountSettings.
pub struct Totals {
    pub functions: usize,
    pub code_bytes: u64,
    pub reserved_concurrency: u64,
}

impl Functions {
    pub fn totals(&self, place: &Place) -> Totals {
        let territory = self.places.read().get(place).cloned().unwrap_or_default();
        let functions = territory.functions.read();
        Totals {
            functions: functions.len(),
            code_bytes: functions
                .values()
                .map(|function| function.record.code.size())
                .sum(),
            reserved_concurrency: reserved(&functions),
        }
    }
}
