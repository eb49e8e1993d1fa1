//! Every function, in memory: what is read on each invocation touches no store.
//!
//! Records are loaded at start and replaced, after they are durable, by whatever changes them.
//! Changes to one account and region happen one after another, so that what they count together
//! (reserved concurrency, code storage) holds.

mod totals;

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use exec::ImageId;
use parking_lot::RwLock;
use serde::de::DeserializeOwned;
use service::ServiceError;
use store::{Batch, BlobId, Store, StoreError, Table};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::addresses::Addresses;
use crate::domain::function_name::{FunctionName, Place, Qualifier};
use crate::domain::function_url::FunctionUrl;
use crate::error;
use crate::function::{Alias, Function, Preparation, Version};
use crate::records::layer::stacked;
use crate::records::{
    ALIASES, AliasRecord, Code, FUNCTIONS, FunctionRecord, VERSIONS, VersionRecord,
};
use crate::target::Target;
use totals::{code_bytes, set_aside};

/// Records read at once when loading.
const PAGE: usize = 500;

pub struct Functions {
    store: Arc<dyn Store>,
    places: RwLock<HashMap<Place, Arc<Territory>>>,
    addresses: Arc<Addresses>,
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
    addresses: Arc<Addresses>,
    _alone: OwnedMutexGuard<()>,
}

impl Functions {
    /// Loads every function with its versions and aliases.
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut loaded: HashMap<Place, BTreeMap<String, Function>> = HashMap::new();
        each(&store, &FUNCTIONS, |record| {
            let functions = loaded.entry(record.place()).or_default();
            functions.insert(record.name.clone(), Function::new(record));
        })
        .await?;
        each(&store, &VERSIONS, |record| {
            let function = loaded
                .get_mut(&record.place())
                .and_then(|functions| functions.get_mut(&record.name));
            if let Some(function) = function {
                let reserved = function.record.reserved_concurrency;
                // An earlier run has answered for it.
                let version = Version::new(record, reserved, Preparation::Done);
                function.versions.insert(version.record.version, version);
            }
        })
        .await?;
        each(&store, &ALIASES, |record| {
            let place = Place {
                account: record.account,
                region: record.region.clone(),
            };
            let function = loaded
                .get_mut(&place)
                .and_then(|functions| functions.get_mut(&record.function));
            if let Some(function) = function {
                let name = record.name.clone();
                function.aliases.insert(name, Alias::new(record));
            }
        })
        .await?;
        let addresses = Arc::new(Addresses::default());
        for function in loaded.values().flat_map(BTreeMap::values) {
            addresses.change(None, Some(&function.record));
        }
        let places = loaded.into_iter().map(|(place, functions)| {
            let functions = functions
                .into_iter()
                .map(|(name, function)| (name, Arc::new(function)));
            let territory = Territory {
                functions: RwLock::new(functions.collect()),
                changing: Arc::default(),
            };
            (place, Arc::new(territory))
        });
        Ok(Self {
            places: RwLock::new(places.collect()),
            addresses,
            store,
        })
    }

    fn named(&self, name: &FunctionName) -> Option<Arc<Function>> {
        let territory = Arc::clone(self.places.read().get(&name.place)?);
        let functions = territory.functions.read();
        functions.get(&name.name).cloned()
    }

    /// The function that is named, whatever the qualifier.
    ///
    /// # Errors
    /// There is none.
    pub fn get(&self, name: &FunctionName) -> Result<Arc<Function>, ServiceError> {
        self.named(name)
            .ok_or_else(|| error::function_not_found(&name.arn()))
    }

    /// The function with the version or alias that is named.
    ///
    /// # Errors
    /// There is none, or not with that qualifier.
    pub fn resolve(&self, name: &FunctionName) -> Result<Target, ServiceError> {
        Target::of(self.get(name)?, name).ok_or_else(|| error::function_not_found(&name.arn()))
    }

    /// Functions of an account and region, by name, from the given one on.
    pub fn list(&self, place: &Place, from: Bound<&str>, limit: usize) -> Vec<Arc<Function>> {
        let Some(territory) = self.places.read().get(place).cloned() else {
            return Vec::new();
        };
        let functions = territory.functions.read();
        let range = functions.range::<str, _>((from, Bound::Unbounded));
        range
            .take(limit)
            .map(|(_, function)| Arc::clone(function))
            .collect()
    }

    /// Whether any version's code is this image, or its layers.
    pub fn uses_image(&self, image: ImageId) -> bool {
        self.with_image(image).is_some()
            || self
                .find(|function| {
                    let mut versions = function.all_versions();
                    let fits = versions.any(|it| stacked(it.layers()) == Some(image));
                    fits.then_some(())
                })
                .is_some()
    }

    /// Whether any version's container image has this layer.
    pub fn uses_layer(&self, layer: ImageId) -> bool {
        let has_it = |code: &Code| code.container().is_some_and(|it| it.has_layer(layer));
        self.find_code(has_it).is_some()
    }

    /// Whether any version's package is this blob, or a layer's.
    pub fn uses_blob(&self, blob: BlobId) -> bool {
        self.find_code(|code| code.blob() == Some(blob)).is_some()
    }

    /// The package with this image, of some version or its layers.
    pub fn with_image(&self, image: ImageId) -> Option<Code> {
        self.find_code(|code| code.image() == Some(image))
    }

    fn find_code(&self, fits: impl Fn(&Code) -> bool) -> Option<Code> {
        self.find(|function| function.all_codes().find(|code| fits(code)).cloned())
    }

    /// The function with this address, and what the address is of: an alias or `$LATEST`.
    pub fn with_url(&self, id: &str) -> Option<(FunctionName, FunctionUrl)> {
        let name = self.addresses.find(id)?;
        let function = self.named(&name)?;
        let latest = Qualifier::Latest;
        let qualifier = name.qualifier.as_ref().unwrap_or(&latest).as_str();
        let url = function.record.attached.urls.get(qualifier)?;
        Some((name, url.clone()))
    }

    fn find<T>(&self, find: impl Fn(&Function) -> Option<T>) -> Option<T> {
        let territories: Vec<Arc<Territory>> = self.places.read().values().cloned().collect();
        territories.iter().find_map(|territory| {
            let functions = territory.functions.read();
            functions.values().find_map(|function| find(function))
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
            addresses: Arc::clone(&self.addresses),
            _alone: alone,
        }
    }

    fn territory(&self, place: &Place) -> Arc<Territory> {
        let mut places = self.places.write();
        Arc::clone(places.entry(place.clone()).or_default())
    }
}

/// Reads a table to its end.
pub async fn each<T: DeserializeOwned>(
    store: &Arc<dyn Store>,
    table: &Table<T>,
    mut take: impl FnMut(T),
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = table.scan(store, (), after.as_ref(), PAGE).await?;
        page.rows.into_iter().for_each(|row| take(row.value));
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
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

    /// Concurrency that the functions have set aside together, in 64 bits against overflow.
    pub fn set_aside(&self) -> u64 {
        set_aside(&self.territory.functions.read())
    }

    /// Bytes of the functions' packages, of every version.
    pub fn code_bytes(&self) -> u64 {
        code_bytes(&self.territory.functions.read())
    }

    /// Makes a new state of a function durable, then visible.
    pub async fn put(&self, record: FunctionRecord) -> Result<Arc<Function>, ServiceError> {
        self.put_with(record, None).await
    }

    /// The same, with a version that is published by it.
    pub async fn put_with(
        &self,
        record: FunctionRecord,
        published: Option<VersionRecord>,
    ) -> Result<Arc<Function>, ServiceError> {
        let mut batch = Batch::new();
        put(&mut batch, &FUNCTIONS, record.key(), &record)?;
        let reserved = record.reserved_concurrency;
        let mut function = match self.find(&record.name) {
            Some(before) => before.with_record(record),
            None => Function::new(record),
        };
        if let Some(version) = published {
            put(&mut batch, &VERSIONS, version.key(), &version)?;
            let version = Version::new(version, reserved, Preparation::Done);
            // What takes the place of an Active version is invoked as soon as it can be.
            let replaced = function.version(version.record.version);
            let is_replacement =
                replaced.is_some_and(|replaced| replaced.preparation() == Preparation::Done);
            if version.snap_starts() || version.is_managed() && !is_replacement {
                version.set_preparation(Preparation::UnderWay);
            }
            function.versions.insert(version.record.version, version);
        }
        self.commit(batch, function).await
    }

    /// Gives a published version another policy or provisioned concurrency.
    pub async fn put_version(
        &self,
        function: &Function,
        record: VersionRecord,
    ) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        put(&mut batch, &VERSIONS, record.key(), &record)?;
        let mut after = function.with_record(function.record.clone());
        for version in after.versions.values_mut() {
            if version.record.version == record.version {
                *version = version.with_record(record.clone());
            }
        }
        self.commit(batch, after).await.map(|_| ())
    }

    pub async fn delete_version(
        &self,
        function: &Function,
        version: &Version,
    ) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        VERSIONS.delete(&mut batch, version.record.key());
        let mut after = Self::without(function, &version.record.version.to_string(), &mut batch)?;
        after
            .versions
            .retain(|_, other| other.record.version != version.record.version);
        self.commit(batch, after).await.map(|_| ())
    }

    pub async fn put_alias(
        &self,
        function: &Function,
        record: AliasRecord,
    ) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        put(&mut batch, &ALIASES, record.key(), &record)?;
        let mut after = function.with_record(function.record.clone());
        let name = record.name.clone();
        after.aliases.insert(name, Alias::new(record));
        self.commit(batch, after).await.map(|_| ())
    }

    pub async fn delete_alias(
        &self,
        function: &Function,
        alias: &Alias,
    ) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        ALIASES.delete(&mut batch, alias.record.key());
        let mut after = Self::without(function, &alias.record.name, &mut batch)?;
        after.aliases.remove(&alias.record.name);
        self.commit(batch, after).await.map(|_| ())
    }

    /// The function without what is attached to one of its qualifiers.
    fn without(
        function: &Function,
        qualifier: &str,
        batch: &mut Batch,
    ) -> Result<Function, ServiceError> {
        let record = FunctionRecord {
            attached: function.record.attached.clone().detached(qualifier),
            ..function.record.clone()
        };
        if record != function.record {
            put(batch, &FUNCTIONS, record.key(), &record)?;
        }
        Ok(function.with_record(record))
    }

    /// Deletes a function with all its versions and aliases.
    pub async fn delete(&self, record: &FunctionRecord) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        FUNCTIONS.delete(&mut batch, record.key());
        VERSIONS.delete_prefix(&mut batch, record.key());
        ALIASES.delete_prefix(&mut batch, record.key());
        self.store
            .commit(batch)
            .await
            .map_err(error::store_failed)?;
        self.territory.functions.write().remove(&record.name);
        self.addresses.change(Some(record), None);
        Ok(())
    }

    async fn commit(
        &self,
        batch: Batch,
        function: Function,
    ) -> Result<Arc<Function>, ServiceError> {
        self.store
            .commit(batch)
            .await
            .map_err(error::store_failed)?;
        let name = function.record.name.clone();
        let function = Arc::new(function);
        let before = self
            .territory
            .functions
            .write()
            .insert(name, Arc::clone(&function));
        let before = before.as_ref().map(|before| &before.record);
        self.addresses.change(before, Some(&function.record));
        Ok(function)
    }
}

pub fn put<T: serde::Serialize>(
    batch: &mut Batch,
    table: &Table<T>,
    key: impl store::KeyParts,
    record: &T,
) -> Result<(), ServiceError> {
    table.put(batch, key, record).map_err(error::store_failed)
}
