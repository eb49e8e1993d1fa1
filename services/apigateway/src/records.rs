//! What is stored, under which keys: every part of an API and of an account's other things has a
//! record of its own, the model's structure as it is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::{AccountId, Region};
use service::Reach;
use store::{Batch, KeyReader, Store, StoreError, Table};
use wire::{Shape, Value};

use crate::generated as g;
use crate::stored::Stored;

/// Key: account, region, API, kind, name.
const PARTS: Table<Stored> = Table::new("apigateway.part", 1);
/// Key: account, region, kind, name.
const SHARED: Table<Stored> = Table::new("apigateway.shared", 1);

/// Records read at once.
const PAGE: usize = 1_000;
/// What has no name because there is one of it.
const ONLY: &str = "-";
/// The kind of what is there of an API that goes no further than functions do.
const REACH: &str = "reach";

/// Whose things these are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub account: AccountId,
    pub region: Region,
}

/// Things of a kind, by id or name.
#[derive(Clone, Debug)]
pub struct Shelf<T>(BTreeMap<String, Arc<T>>);

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Shape + Clone> Shelf<T> {
    pub fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.0.get(name)
    }

    /// To change it: a copy, if anybody else has it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        self.0.get_mut(name).map(Arc::make_mut)
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn put(&mut self, name: impl Into<String>, thing: T) {
        self.0.insert(name.into(), Arc::new(thing));
    }

    pub fn remove(&mut self, name: &str) -> Option<Arc<T>> {
        self.0.remove(name)
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&str, &T) -> bool) {
        self.0.retain(|name, thing| keep(name, thing));
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<T>)> {
        self.0.iter().map(|(name, thing)| (name.as_str(), thing))
    }

    pub fn values(&self) -> impl Iterator<Item = &Arc<T>> {
        self.0.values()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn load(&mut self, name: String, record: Value) {
        self.0.insert(name, Arc::new(T::from_value(record)));
    }

    /// All of it as one tree, for a deployment's snapshot.
    fn to_value(&self) -> Value {
        let things = self.0.iter();
        Value::Map(
            things
                .map(|(name, thing)| (name.clone(), T::clone(thing).into_value()))
                .collect(),
        )
    }

    fn from_value(value: Option<Value>) -> Self {
        let Some(Value::Map(things)) = value else {
            return Self::default();
        };
        let things = things.into_iter();
        Self(
            things
                .map(|(name, thing)| (name, Arc::new(T::from_value(thing))))
                .collect(),
        )
    }
}

/// What an account has in a region.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    pub apis: BTreeMap<String, Arc<Api>>,
    pub keys: Shelf<g::ApiKey>,
    pub plans: Shelf<g::UsagePlan>,
    /// By `plan/key`.
    pub plan_keys: Shelf<g::UsagePlanKey>,
    pub domains: Shelf<g::DomainName>,
    /// By `domain/base path`.
    pub mappings: Shelf<g::BasePathMapping>,
    /// One, once it has been changed.
    pub account: Shelf<g::Account>,
}

/// A REST API as it is being edited, and what has been deployed of it.
#[derive(Clone, Debug, Default)]
pub struct Api {
    pub info: Arc<g::RestApi>,
    pub resources: Shelf<g::Resource>,
    /// By name.
    pub models: Shelf<g::Model>,
    pub validators: Shelf<g::RequestValidator>,
    pub authorizers: Shelf<g::Authorizer>,
    /// By type; those that have been changed.
    pub responses: Shelf<g::GatewayResponse>,
    pub documentation: Shelf<g::DocumentationPart>,
    pub documentation_versions: Shelf<g::DocumentationVersion>,
    pub deployments: Shelf<Deployment>,
    pub stages: Shelf<g::Stage>,
    /// How far requests go that are sent for it: of all of an API, because what becomes of an
    /// integration's URI is up to methods and stages as well.
    pub reach: Reach,
}

/// A deployment, with all that requests to it need.
#[derive(Clone, Debug, Default)]
pub struct Deployment {
    pub shown: g::Deployment,
    pub snapshot: Arc<Snapshot>,
}

/// What an API was when it was deployed.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    pub info: Arc<g::RestApi>,
    pub resources: Shelf<g::Resource>,
    pub models: Shelf<g::Model>,
    pub validators: Shelf<g::RequestValidator>,
    pub authorizers: Shelf<g::Authorizer>,
    pub responses: Shelf<g::GatewayResponse>,
}

impl Api {
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            info: Arc::clone(&self.info),
            resources: self.resources.clone(),
            models: self.models.clone(),
            validators: self.validators.clone(),
            authorizers: self.authorizers.clone(),
            responses: self.responses.clone(),
        }
    }
}

impl Shape for Deployment {
    fn from_value(mut value: Value) -> Self {
        let mut parts = value.take("snapshot").unwrap_or_default();
        Self {
            snapshot: Arc::new(Snapshot {
                info: Arc::new(Shape::from_value(parts.take("info").unwrap_or_default())),
                resources: Shelf::from_value(parts.take("resources")),
                models: Shelf::from_value(parts.take("models")),
                validators: Shelf::from_value(parts.take("validators")),
                authorizers: Shelf::from_value(parts.take("authorizers")),
                responses: Shelf::from_value(parts.take("responses")),
            }),
            shown: Shape::from_value(value.take("shown").unwrap_or_default()),
        }
    }

    fn into_value(self) -> Value {
        let snapshot = &self.snapshot;
        let info = g::RestApi::clone(&snapshot.info).into_value();
        let parts = Value::of_members([
            Some(("info", info)),
            Some(("resources", snapshot.resources.to_value())),
            Some(("models", snapshot.models.to_value())),
            Some(("validators", snapshot.validators.to_value())),
            Some(("authorizers", snapshot.authorizers.to_value())),
            Some(("responses", snapshot.responses.to_value())),
        ]);
        Value::of_members([
            Some(("shown", self.shown.into_value())),
            Some(("snapshot", parts)),
        ])
    }
}

/// The records that make one inventory of another.
pub fn changes(place: &Place, before: &Inventory, after: &Inventory) -> Result<Batch, StoreError> {
    let mut changes = Changes {
        place,
        api: None,
        batch: Batch::new(),
    };
    changes.shelf("key", Some(&before.keys), &after.keys)?;
    changes.shelf("plan", Some(&before.plans), &after.plans)?;
    changes.shelf("plan-key", Some(&before.plan_keys), &after.plan_keys)?;
    changes.shelf("domain", Some(&before.domains), &after.domains)?;
    changes.shelf("mapping", Some(&before.mappings), &after.mappings)?;
    changes.shelf("account", Some(&before.account), &after.account)?;
    for id in before
        .apis
        .keys()
        .filter(|id| !after.apis.contains_key(*id))
    {
        PARTS.delete_prefix(&mut changes.batch, (place.key(), id.as_str()));
    }
    for (id, api) in &after.apis {
        let old = before.apis.get(id);
        if old.is_some_and(|old| Arc::ptr_eq(old, api)) {
            continue;
        }
        changes.api = Some(id);
        changes.api(old.map(|old| &**old), api)?;
    }
    Ok(changes.batch)
}

struct Changes<'a> {
    place: &'a Place,
    api: Option<&'a str>,
    batch: Batch,
}

impl Changes<'_> {
    fn api(&mut self, before: Option<&Api>, after: &Api) -> Result<(), StoreError> {
        if before.is_none_or(|before| !Arc::ptr_eq(&before.info, &after.info)) {
            let info = g::RestApi::clone(&after.info).into_value();
            self.put("api", ONLY, info)?;
        }
        // It never widens.
        let was = before.map_or(Reach::Anywhere, |before| before.reach);
        if after.reach != was {
            self.put(REACH, ONLY, Value::Str("function".to_owned()))?;
        }
        self.shelf("resource", before.map(|b| &b.resources), &after.resources)?;
        self.shelf("model", before.map(|b| &b.models), &after.models)?;
        self.shelf(
            "validator",
            before.map(|b| &b.validators),
            &after.validators,
        )?;
        self.shelf(
            "authorizer",
            before.map(|b| &b.authorizers),
            &after.authorizers,
        )?;
        self.shelf("response", before.map(|b| &b.responses), &after.responses)?;
        let documentation = before.map(|b| &b.documentation);
        self.shelf("documentation", documentation, &after.documentation)?;
        let versions = before.map(|b| &b.documentation_versions);
        self.shelf(
            "documentation-version",
            versions,
            &after.documentation_versions,
        )?;
        self.shelf(
            "deployment",
            before.map(|b| &b.deployments),
            &after.deployments,
        )?;
        self.shelf("stage", before.map(|b| &b.stages), &after.stages)
    }

    fn shelf<T: Shape + Clone>(
        &mut self,
        kind: &str,
        before: Option<&Shelf<T>>,
        after: &Shelf<T>,
    ) -> Result<(), StoreError> {
        for (name, thing) in &after.0 {
            let old = before.and_then(|before| before.0.get(name));
            if old.is_none_or(|old| !Arc::ptr_eq(old, thing)) {
                self.put(kind, name, T::clone(thing).into_value())?;
            }
        }
        let before = before.map(|before| before.0.keys()).into_iter().flatten();
        for name in before.filter(|name| !after.0.contains_key(*name)) {
            match self.api {
                Some(api) => PARTS.delete(
                    &mut self.batch,
                    (self.place.key(), api, kind, name.as_str()),
                ),
                None => SHARED.delete(&mut self.batch, (self.place.key(), kind, name.as_str())),
            }
        }
        Ok(())
    }

    fn put(&mut self, kind: &str, name: &str, record: Value) -> Result<(), StoreError> {
        let record = Stored(record);
        match self.api {
            Some(api) => PARTS.put(
                &mut self.batch,
                (self.place.key(), api, kind, name),
                &record,
            ),
            None => SHARED.put(&mut self.batch, (self.place.key(), kind, name), &record),
        }
    }
}

impl Place {
    pub fn key(&self) -> (&str, &str) {
        (self.account.as_str(), self.region.as_str())
    }

    pub fn read(parts: &mut KeyReader<'_>) -> Result<Self, StoreError> {
        let damaged = || StoreError::corrupt("a key of API Gateway names no account or region");
        Ok(Self {
            account: parts.text()?.parse().map_err(|_| damaged())?,
            region: parts.text()?.parse().map_err(|_| damaged())?,
        })
    }
}

/// Everything of everybody.
pub async fn all(store: &dyn Store) -> Result<BTreeMap<Place, Arc<Inventory>>, StoreError> {
    let mut all: BTreeMap<Place, Inventory> = BTreeMap::new();
    let mut after = None;
    loop {
        let page = SHARED.scan(store, (), after.as_ref(), PAGE).await?;
        for row in page.rows {
            let mut parts = row.key.reader();
            let inventory = all.entry(Place::read(&mut parts)?).or_default();
            let (kind, name) = (parts.text()?, parts.text()?);
            inventory.load(&kind, name, row.value.0)?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut apis: BTreeMap<(Place, String), Api> = BTreeMap::new();
    loop {
        let page = PARTS.scan(store, (), after.as_ref(), PAGE).await?;
        for row in page.rows {
            let mut parts = row.key.reader();
            let (place, id) = (Place::read(&mut parts)?, parts.text()?);
            let (kind, name) = (parts.text()?, parts.text()?);
            let api = apis.entry((place, id)).or_default();
            api.load(&kind, name, row.value.0)?;
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    for ((place, id), api) in apis {
        all.entry(place).or_default().apis.insert(id, Arc::new(api));
    }
    Ok(all
        .into_iter()
        .map(|(place, all)| (place, Arc::new(all)))
        .collect())
}

fn unknown(kind: &str) -> StoreError {
    StoreError::corrupt(format!("API Gateway has no records of the kind {kind}"))
}

impl Inventory {
    fn load(&mut self, kind: &str, name: String, record: Value) -> Result<(), StoreError> {
        match kind {
            "key" => self.keys.load(name, record),
            "plan" => self.plans.load(name, record),
            "plan-key" => self.plan_keys.load(name, record),
            "domain" => self.domains.load(name, record),
            "mapping" => self.mappings.load(name, record),
            "account" => self.account.load(name, record),
            other => return Err(unknown(other)),
        }
        Ok(())
    }
}

impl Api {
    fn load(&mut self, kind: &str, name: String, record: Value) -> Result<(), StoreError> {
        match kind {
            "api" => self.info = Arc::new(Shape::from_value(record)),
            "resource" => self.resources.load(name, record),
            "model" => self.models.load(name, record),
            "validator" => self.validators.load(name, record),
            "authorizer" => self.authorizers.load(name, record),
            "response" => self.responses.load(name, record),
            "documentation" => self.documentation.load(name, record),
            "documentation-version" => self.documentation_versions.load(name, record),
            "deployment" => self.deployments.load(name, record),
            "stage" => self.stages.load(name, record),
            REACH => self.reach = Reach::Function,
            other => return Err(unknown(other)),
        }
        Ok(())
    }
}
