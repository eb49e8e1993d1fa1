//! Every API, in memory: what is read on each request touches no store.
//!
//! Records are loaded at start and replaced, once they are durable, by whatever changes them.
//! Changes happen one after another.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use base::{AccountId, Region};
use parking_lot::RwLock;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::{Store, StoreError, Table};

use crate::compiled::Compiled;
use crate::records::{
    APIS, AUTHORIZERS, ApiRecord, Authorizer, DEPLOYMENTS, DOMAINS, Deployment, Domain,
    INTEGRATION_RESPONSES, INTEGRATIONS, Integration, IntegrationResponse, MODELS, Model,
    ROUTE_RESPONSES, ROUTES, Route, RouteResponse, STAGES, Snapshot, Stage, VPC_LINKS, VpcLink,
};

/// Records read at once when loading.
const PAGE: usize = 500;

/// Parts of an API of one kind, by id.
pub type Children<T> = BTreeMap<String, Arc<T>>;

/// An API with all its parts.
#[derive(Clone)]
pub struct Api {
    pub account: AccountId,
    pub region: Region,
    pub record: ApiRecord,
    pub routes: Children<Route>,
    pub integrations: Children<Integration>,
    pub integration_responses: Children<IntegrationResponse>,
    pub route_responses: Children<RouteResponse>,
    pub authorizers: Children<Authorizer>,
    pub models: Children<Model>,
    pub stages: Children<Stage>,
    pub deployments: Children<Deployment>,
    /// What its deployments serve, made when first asked for; `None` stands for the API itself.
    compiled: Arc<RwLock<HashMap<Option<String>, Arc<Compiled>>>>,
}

/// A kind of part.
pub trait Child: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    const TABLE: Table<Self>;
    /// As errors name it.
    const KIND: &'static str;
    /// Whether requests see it, so that stages which deploy by themselves follow its changes.
    const IS_SERVED: bool;
    /// What it is found by within its API.
    fn id(&self) -> String;
    fn all(api: &Api) -> &Children<Self>;
    fn all_mut(api: &mut Api) -> &mut Children<Self>;
}

macro_rules! child {
    ($record:ident, $table:ident, $kind:literal, $field:ident, $served:literal, $id:expr) => {
        impl Child for $record {
            const TABLE: Table<Self> = $table;
            const KIND: &'static str = $kind;
            const IS_SERVED: bool = $served;
            fn id(&self) -> String {
                let id: fn(&Self) -> String = $id;
                id(self)
            }
            fn all(api: &Api) -> &Children<Self> {
                &api.$field
            }
            fn all_mut(api: &mut Api) -> &mut Children<Self> {
                &mut api.$field
            }
        }
    };
}

child!(Route, ROUTES, "Route", routes, true, |it| it
    .route_id
    .clone());
child!(
    Integration,
    INTEGRATIONS,
    "Integration",
    integrations,
    true,
    |it| it.integration_id.clone()
);
child!(
    IntegrationResponse,
    INTEGRATION_RESPONSES,
    "IntegrationResponse",
    integration_responses,
    true,
    |it| format!("{}/{}", it.parent, it.integration_response_id)
);
child!(
    RouteResponse,
    ROUTE_RESPONSES,
    "RouteResponse",
    route_responses,
    true,
    |it| format!("{}/{}", it.parent, it.route_response_id)
);
child!(
    Authorizer,
    AUTHORIZERS,
    "Authorizer",
    authorizers,
    true,
    |it| it.authorizer_id.clone()
);
child!(Model, MODELS, "Model", models, false, |it| it
    .model_id
    .clone());
child!(Stage, STAGES, "stage", stages, false, |it| it
    .stage_name
    .clone());
child!(
    Deployment,
    DEPLOYMENTS,
    "Deployment",
    deployments,
    false,
    |it| it.deployment_id.clone()
);

impl Api {
    pub fn new(account: AccountId, region: Region, record: ApiRecord) -> Self {
        Self {
            account,
            region,
            record,
            routes: Children::new(),
            integrations: Children::new(),
            integration_responses: Children::new(),
            route_responses: Children::new(),
            authorizers: Children::new(),
            models: Children::new(),
            stages: Children::new(),
            deployments: Children::new(),
            compiled: Arc::default(),
        }
    }

    pub fn id(&self) -> &str {
        &self.record.api_id
    }

    pub fn key(&self) -> (&str, &str, &str) {
        let account = self.account.as_str();
        (account, self.region.as_str(), &self.record.api_id)
    }

    /// What a deployment made now would serve.
    pub fn snapshot(&self) -> Snapshot {
        fn all<T: Clone>(children: &Children<T>) -> Vec<T> {
            children.values().map(|child| (**child).clone()).collect()
        }
        Snapshot {
            routes: all(&self.routes),
            integrations: all(&self.integrations),
            integration_responses: all(&self.integration_responses),
            route_responses: all(&self.route_responses),
            authorizers: all(&self.authorizers),
            cors: self.record.cors_configuration.clone(),
        }
    }

    /// What a stage serves: its deployment's snapshot, or the API as it is.
    pub fn served(&self, stage: &Stage) -> Option<Arc<Compiled>> {
        let id = stage.deployment_id.as_ref()?;
        let deployment = self.deployments.get(id)?;
        let key = deployment.snapshot.as_ref().map(|_| id.clone());
        if let Some(found) = self.compiled.read().get(&key) {
            return Some(Arc::clone(found));
        }
        let made = Arc::new(match &deployment.snapshot {
            Some(snapshot) => Compiled::new(&self.record, snapshot),
            None => Compiled::new(&self.record, &self.snapshot()),
        });
        self.compiled.write().insert(key, Arc::clone(&made));
        Some(made)
    }

    /// To be called on a copy that is about to differ.
    pub fn forget_compiled(&mut self) {
        self.compiled = Arc::default();
    }
}

/// A custom domain and whose it is.
#[derive(Clone)]
pub struct OwnedDomain {
    pub account: AccountId,
    pub region: Region,
    pub record: Arc<Domain>,
}

/// A place: an account in a region.
pub type Place = (AccountId, Region);

/// All there is.
#[derive(Default)]
pub struct Directory {
    /// By id, which is in lowercase.
    pub apis: RwLock<HashMap<String, Arc<Api>>>,
    /// By name in lowercase.
    pub domains: RwLock<HashMap<String, OwnedDomain>>,
    pub vpc_links: RwLock<BTreeMap<(Place, String), Arc<VpcLink>>>,
}

impl Directory {
    pub async fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let mut apis = HashMap::new();
        each(store, &APIS, |[account, region, id], record| {
            let (account, region) = place(&account, &region)?;
            apis.insert(id, Api::new(account, region, record));
            Ok(())
        })
        .await?;
        children::<Route>(store, &mut apis).await?;
        children::<Integration>(store, &mut apis).await?;
        children::<IntegrationResponse>(store, &mut apis).await?;
        children::<RouteResponse>(store, &mut apis).await?;
        children::<Authorizer>(store, &mut apis).await?;
        children::<Model>(store, &mut apis).await?;
        children::<Stage>(store, &mut apis).await?;
        children::<Deployment>(store, &mut apis).await?;
        let mut domains = HashMap::new();
        each(store, &DOMAINS, |[account, region, name], record| {
            let (account, region) = place(&account, &region)?;
            let owned = OwnedDomain {
                account,
                region,
                record: Arc::new(record),
            };
            domains.insert(name, owned);
            Ok(())
        })
        .await?;
        let mut vpc_links = BTreeMap::new();
        each(store, &VPC_LINKS, |[account, region, id], record| {
            vpc_links.insert((place(&account, &region)?, id), Arc::new(record));
            Ok(())
        })
        .await?;
        let apis = apis.into_iter().map(|(id, api)| (id, Arc::new(api)));
        Ok(Self {
            apis: RwLock::new(apis.collect()),
            domains: RwLock::new(domains),
            vpc_links: RwLock::new(vpc_links),
        })
    }

    pub fn api(&self, id: &str) -> Option<Arc<Api>> {
        self.apis.read().get(id).cloned()
    }

    /// The custom domain of a host, by its name or by `*.example.com`.
    pub fn domain(&self, host: &str) -> Option<OwnedDomain> {
        let domains = self.domains.read();
        if domains.is_empty() {
            return None;
        }
        let host = host.to_ascii_lowercase();
        domains
            .get(&host)
            .or_else(|| {
                let (_, parent) = host.split_once('.')?;
                domains.get(&format!("*.{parent}"))
            })
            .cloned()
    }
}

async fn children<T: Child>(
    store: &dyn Store,
    apis: &mut HashMap<String, Api>,
) -> Result<(), StoreError> {
    each(store, &T::TABLE, |[api, _], record: T| {
        if let Some(api) = apis.get_mut(&api) {
            T::all_mut(api).insert(record.id(), Arc::new(record));
        }
        Ok(())
    })
    .await
}

fn place(account: &str, region: &str) -> Result<Place, StoreError> {
    let damaged = || StoreError::corrupt("a key of API Gateway v2 names no account or region");
    Ok((
        account.parse().map_err(|_| damaged())?,
        region.parse().map_err(|_| damaged())?,
    ))
}

/// Reads a table to its end, with the texts of its keys.
async fn each<T: DeserializeOwned, const PARTS: usize>(
    store: &dyn Store,
    table: &Table<T>,
    mut take: impl FnMut([String; PARTS], T) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = table.scan(store, (), after.as_ref(), PAGE).await?;
        for row in page.rows {
            let mut reader = row.key.reader();
            let mut parts = std::array::from_fn(|_| String::new());
            for part in &mut parts {
                *part = reader.text()?;
            }
            take(parts, row.value)?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}
