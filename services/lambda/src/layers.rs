//! Every layer, in memory, loaded at start and replaced after each change is durable.
//!
//! Layers change seldom: one change at a time, over all accounts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base::{AccountId, Arn};
use exec::ImageId;
use parking_lot::RwLock;
use service::ServiceError;
use store::{Batch, BlobId, Store, StoreError};
use tokio::sync::{Mutex, MutexGuard};

use crate::domain::function_name::Place;
use crate::domain::layer::{self, LayerName, LayerVersionName};
use crate::error;
use crate::functions::{each, put};
use crate::records::Code;
use crate::records::layer::{
    LAYER_VERSIONS, LAYERS, LayerRecord, LayerReference, LayerVersionRecord,
};

pub struct Layers {
    store: Arc<dyn Store>,
    places: RwLock<HashMap<Place, BTreeMap<String, Layer>>>,
    changing: Mutex<()>,
    /// Read by whoever gives layers to a function, written by whoever deletes what no function has.
    settling: tokio::sync::RwLock<()>,
}

#[derive(Clone)]
pub struct Layer {
    pub record: LayerRecord,
    pub versions: BTreeMap<u64, Arc<LayerVersionRecord>>,
}

/// The right to change layers.
pub struct Changing<'a> {
    layers: &'a Layers,
    _alone: MutexGuard<'a, ()>,
}

impl Layers {
    pub async fn load(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut places: HashMap<Place, BTreeMap<String, Layer>> = HashMap::new();
        each(&store, &LAYERS, |record| {
            let place = Place {
                account: record.account,
                region: record.region.clone(),
            };
            let (name, versions) = (record.name.clone(), BTreeMap::new());
            let layer = Layer { record, versions };
            places.entry(place).or_default().insert(name, layer);
        })
        .await?;
        each(&store, &LAYER_VERSIONS, |record| {
            let layers = places.get_mut(&record.place());
            if let Some(layer) = layers.and_then(|layers| layers.get_mut(&record.name)) {
                layer.versions.insert(record.version, Arc::new(record));
            }
        })
        .await?;
        Ok(Self {
            store,
            places: RwLock::new(places),
            changing: Mutex::default(),
            settling: tokio::sync::RwLock::default(),
        })
    }

    pub fn get(&self, name: &LayerName) -> Option<Layer> {
        let places = self.places.read();
        places.get(&name.place)?.get(&name.name).cloned()
    }

    pub fn version(&self, name: &LayerName, version: u64) -> Option<Arc<LayerVersionRecord>> {
        let places = self.places.read();
        let layer = places.get(&name.place)?.get(&name.name)?;
        layer.versions.get(&version).cloned()
    }

    /// Layers of an account and region after the one of this name, in the order of their names.
    pub fn list(&self, place: &Place, after: Option<&str>) -> Vec<Layer> {
        let places = self.places.read();
        let layers = places.get(place).into_iter().flatten();
        layers
            .filter(|(name, _)| after.is_none_or(|after| name.as_str() > after))
            .map(|(_, layer)| layer.clone())
            .collect()
    }

    /// Bytes of the packages of an account and region.
    pub fn code_bytes(&self, place: &Place) -> u64 {
        let places = self.places.read();
        let layers = places.get(place).into_iter().flat_map(BTreeMap::values);
        layers
            .flat_map(|layer| layer.versions.values())
            .map(|version| version.code.size())
            .sum()
    }

    /// The package of this image, if a layer version has it.
    pub fn with_image(&self, image: ImageId) -> Option<Code> {
        self.find_code(|code| code.image() == Some(image))
    }

    pub fn uses_image(&self, image: ImageId) -> bool {
        self.with_image(image).is_some()
    }

    pub fn uses_blob(&self, blob: BlobId) -> bool {
        self.find_code(|code| code.blob() == Some(blob)).is_some()
    }

    fn find_code(&self, fits: impl Fn(&Code) -> bool) -> Option<Code> {
        let places = self.places.read();
        let layers = places.values().flat_map(BTreeMap::values);
        let mut versions = layers.flat_map(|layer| layer.versions.values());
        versions
            .find(|version| fits(&version.code))
            .map(|version| version.code.clone())
    }

    /// The layer versions that a function in `place` is to have, for its caller.
    ///
    /// # Errors
    /// Too many, one that does not exist or is out of reach, or two of one layer.
    pub fn resolve(
        &self,
        arns: &[String],
        place: &Place,
        caller: &str,
    ) -> Result<Vec<LayerReference>, ServiceError> {
        if arns.len() > layer::MOST {
            return Err(error::invalid_parameter(format!(
                "Cannot reference more than {} layers.",
                layer::MOST
            )));
        }
        let found = arns.iter().map(|text| {
            // The model's pattern has been checked.
            let arn: Arn = text.parse().map_err(|_| missing(text))?;
            let name = LayerVersionName::of_arn(&arn).ok_or_else(|| missing(text))?;
            self.find(&name, &arn, place, caller)
        });
        let found: Vec<LayerReference> = found.collect::<Result<_, _>>()?;
        let arns: Vec<Arn> = found.iter().map(|layer| layer.arn.clone()).collect();
        layer::check_distinct(&arns)?;
        layer::check_sizes(0, found.iter().map(|layer| layer.unzipped))?;
        Ok(found)
    }

    fn find(
        &self,
        name: &LayerVersionName,
        arn: &Arn,
        place: &Place,
        caller: &str,
    ) -> Result<LayerReference, ServiceError> {
        let theirs = &name.layer.place;
        let is_near = theirs.region == place.region;
        let found = self.version(&name.layer, name.version);
        if theirs.account == place.account {
            if !is_near {
                return Err(error::invalid_parameter(format!(
                    "Layers are not in the same region as the function. Layers are expected to be \
                     in region {}.",
                    place.region
                )));
            }
            return found
                .map(|version| version.reference())
                .ok_or_else(|| missing(arn));
        }
        let open = found.filter(|version| is_near && admits(version, place.account));
        open.map(|version| version.reference())
            .ok_or_else(|| error::layer_denied(caller, "lambda:GetLayerVersion", arn))
    }

    /// While it is held, nothing is deleted of the layers that a function is being given, if there
    /// are any.
    pub async fn settle(&self, arns: &[String]) -> Option<tokio::sync::RwLockReadGuard<'_, ()>> {
        if arns.is_empty() {
            return None;
        }
        Some(self.settling.read().await)
    }

    /// Waits for functions that are being given layers.
    pub async fn settled(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.settling.write().await
    }

    pub async fn change(&self) -> Changing<'_> {
        Changing {
            layers: self,
            _alone: self.changing.lock().await,
        }
    }
}

/// Whether the version's own policy lets an account use it.
pub fn admits(version: &LayerVersionRecord, account: AccountId) -> bool {
    let mut statements = version.policy.iter();
    version.account == account || statements.any(|statement| statement.admits(account))
}

fn missing(arn: impl std::fmt::Display) -> ServiceError {
    error::invalid_parameter(error::layer_version_missing(arn))
}

impl Changing<'_> {
    /// The number that the next version of a layer has.
    pub fn next_version(&self, name: &LayerName) -> u64 {
        let layer = self.layers.get(name);
        layer.map_or(0, |layer| layer.record.last_version) + 1
    }

    /// Makes a new version durable, then visible.
    pub async fn publish(
        &self,
        record: LayerVersionRecord,
    ) -> Result<Arc<LayerVersionRecord>, ServiceError> {
        let layer = LayerRecord {
            account: record.account,
            region: record.region.clone(),
            name: record.name.clone(),
            last_version: record.version,
        };
        let mut batch = Batch::new();
        put(&mut batch, &LAYERS, layer.key(), &layer)?;
        self.commit(batch, &record).await?;
        let mut places = self.layers.places.write();
        let layers = places.entry(record.place()).or_default();
        let known = layers.entry(record.name.clone()).or_insert_with(|| Layer {
            record: layer.clone(),
            versions: BTreeMap::new(),
        });
        known.record = layer;
        let record = Arc::new(record);
        known.versions.insert(record.version, Arc::clone(&record));
        Ok(record)
    }

    /// Gives a version another policy.
    pub async fn put(&self, record: LayerVersionRecord) -> Result<(), ServiceError> {
        self.commit(Batch::new(), &record).await?;
        let mut places = self.layers.places.write();
        let layers = places.get_mut(&record.place());
        if let Some(layer) = layers.and_then(|layers| layers.get_mut(&record.name)) {
            layer.versions.insert(record.version, Arc::new(record));
        }
        Ok(())
    }

    async fn commit(
        &self,
        mut batch: Batch,
        record: &LayerVersionRecord,
    ) -> Result<(), ServiceError> {
        put(&mut batch, &LAYER_VERSIONS, record.key(), record)?;
        let committed = self.layers.store.commit(batch).await;
        committed.map_err(error::store_failed)
    }

    pub async fn delete(&self, record: &LayerVersionRecord) -> Result<(), ServiceError> {
        let mut batch = Batch::new();
        LAYER_VERSIONS.delete(&mut batch, record.key());
        let committed = self.layers.store.commit(batch).await;
        committed.map_err(error::store_failed)?;
        let mut places = self.layers.places.write();
        let layers = places.get_mut(&record.place());
        if let Some(layer) = layers.and_then(|layers| layers.get_mut(&record.name)) {
            layer.versions.remove(&record.version);
        }
        Ok(())
    }
}
