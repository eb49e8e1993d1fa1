//! Which deployment of which API a request is for.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use base::Arn;
use http::request::Parts;
use http::{HeaderMap, Uri};
use parking_lot::Mutex;
use proxy::address::{self, Kind};
use proxy::invoke;
use serde_json::{Map, Value as Json};
use service::Reach;

use crate::domain::paths;
use crate::records::{Api, Inventory, Place, Snapshot};
use crate::run::router::Router;
use crate::{ApiGateway, g};

/// What a stage serves, or a canary beside it.
#[derive(Debug)]
pub struct Deployed {
    pub place: Place,
    pub api_id: String,
    pub stage_name: String,
    pub stage: Arc<g::Stage>,
    pub snapshot: Arc<Snapshot>,
    pub deployment_id: String,
    pub is_canary: bool,
    pub variables: BTreeMap<String, String>,
    pub router: Router,
    /// Templates and schemas that have been read.
    pub read: Mutex<Readings>,
}

/// By their texts, so that what changes is read anew.
#[derive(Debug, Default)]
pub struct Readings {
    pub templates: HashMap<String, Arc<vtl::Template>>,
    pub schemas: HashMap<String, Arc<jsonschema::Validator>>,
}

/// Deployments that have been made ready, by API and stage; the canary's apart.
#[derive(Debug, Default)]
pub struct Ready(Mutex<HashMap<(String, String, bool), Arc<Deployed>>>);

/// Deployments kept ready at most.
const MOST: usize = 10_000;

/// Where a request goes.
pub struct Found {
    pub deployed: Arc<Deployed>,
    /// Below the stage, or the base path; as the client encoded it.
    pub path: String,
    /// What the event tells: a custom domain's has the base path.
    pub event_path: String,
    /// With the stage, as `requestContext.path` has it.
    pub full_path: String,
    /// The API's.
    pub reach: Reach,
}

/// Why a request goes nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    NoApi,
    NoStage,
}

impl Deployed {
    pub fn new(
        place: Place,
        api_id: &str,
        stage: &Arc<g::Stage>,
        snapshot: &Arc<Snapshot>,
        canary: Option<&g::CanarySettings>,
    ) -> Self {
        let mut variables = stage.variables.clone().unwrap_or_default();
        let overrides = canary.and_then(|canary| canary.stage_variable_overrides.clone());
        variables.extend(overrides.unwrap_or_default());
        let deployment = match canary {
            Some(canary) => canary.deployment_id.clone(),
            None => stage.deployment_id.clone(),
        };
        Self {
            place,
            api_id: api_id.to_owned(),
            stage_name: stage.stage_name.clone().unwrap_or_default(),
            stage: Arc::clone(stage),
            deployment_id: deployment.unwrap_or_default(),
            is_canary: canary.is_some(),
            variables,
            router: Router::new(snapshot.resources.values()),
            snapshot: Arc::clone(snapshot),
            read: Mutex::default(),
        }
    }

    /// What policies and authorizers call a request: `…:api/stage/GET/pets/7`.
    pub fn method_arn(&self, method: &str, path: &str) -> Arn {
        let rest = format!("{method}/{}", paths::judged(path));
        let place = &self.place;
        invoke::execute_arn(
            &place.region,
            place.account,
            &self.api_id,
            &self.stage_name,
            &rest,
        )
    }

    /// The stage's variables, where events want them.
    pub fn variables_json(&self) -> Map<String, Json> {
        let variables = self.variables.iter();
        variables
            .map(|(name, value)| (name.clone(), Json::from(value.as_str())))
            .collect()
    }

    /// A text with the stage's variables put in.
    pub fn with_variables(&self, text: &str) -> String {
        invoke::with_stage_variables(text, &self.variables_json())
    }

    pub fn template(&self, text: &str) -> Option<Arc<vtl::Template>> {
        if let Some(template) = self.read.lock().templates.get(text) {
            return Some(Arc::clone(template));
        }
        let template = Arc::new(vtl::Template::parse(text).ok()?);
        let mut read = self.read.lock();
        read.templates
            .insert(text.to_owned(), Arc::clone(&template));
        Some(template)
    }
}

impl ApiGateway {
    /// Whether a request is for one of these APIs, or a custom domain of theirs.
    pub(crate) fn has_address(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        if let Some(address) = address::of(headers, uri) {
            let id = address.id.to_ascii_lowercase();
            return address.kind == Kind::Api
                && (self.knows_api(&id) || self.knows_api(address.id));
        }
        address::authority(headers, uri).is_some_and(|authority| {
            let host = address::host(authority).to_ascii_lowercase();
            self.knows_domain(&host)
        })
    }

    /// Finds the deployment. `dice` from 0 to 100 chooses between a stage and its canary.
    pub(crate) fn find(&self, parts: &Parts, dice: f64) -> Result<Found, Lost> {
        let Some(address) = address::of(&parts.headers, &parts.uri) else {
            return self.find_by_domain(parts, dice);
        };
        let (place, inventory) = {
            let book = self.book.read();
            let lowered = address.id.to_ascii_lowercase();
            let found = book.api(address.id).or_else(|| book.api(&lowered));
            let (place, inventory) = found.ok_or(Lost::NoApi)?;
            (place.clone(), inventory)
        };
        let id = if inventory.apis.contains_key(address.id) {
            address.id.to_owned()
        } else {
            address.id.to_ascii_lowercase()
        };
        let (stage, path) = match address.stage {
            Some(stage) => (stage, address.path),
            None => address::segment(address.path.trim_start_matches('/')),
        };
        let api = inventory.apis.get(&id).ok_or(Lost::NoApi)?;
        // A path form is not by way of the endpoint that may be disabled.
        let is_disabled = api.info.disable_execute_api_endpoint == Some(true);
        if is_disabled && !address.is_path_form {
            return Err(Lost::NoStage);
        }
        let deployed = self.deployed(&place, &id, api, stage, dice)?;
        Ok(Found {
            full_path: format!("/{stage}{path}"),
            event_path: path.to_owned(),
            path: path.to_owned(),
            deployed,
            reach: api.reach,
        })
    }

    /// The longest base path that fits counts; there is one without any.
    fn find_by_domain(&self, parts: &Parts, dice: f64) -> Result<Found, Lost> {
        let authority = address::authority(&parts.headers, &parts.uri).unwrap_or_default();
        let host = address::host(authority).to_ascii_lowercase();
        let inventory = self.book.read().domain(&host).ok_or(Lost::NoApi)?;
        let whole = parts.uri.path();
        let (first, rest) = address::segment(whole.trim_start_matches('/'));
        let mapping = |base_path: &str| inventory.mappings.get(&format!("{host}/{base_path}"));
        let (mapping, path) = match mapping(first) {
            Some(mapping) => (mapping, rest),
            None => (mapping("(none)").ok_or(Lost::NoStage)?, whole),
        };
        let id = mapping.rest_api_id.as_deref().unwrap_or_default();
        let place = self.book.read().api(id).map(|(place, _)| place.clone());
        let place = place.ok_or(Lost::NoApi)?;
        let api = inventory.apis.get(id).ok_or(Lost::NoApi)?;
        // A mapping without a stage takes it from the path.
        let (stage, path) = match &mapping.stage {
            Some(stage) => (stage.as_str(), path),
            None => address::segment(path.trim_start_matches('/')),
        };
        let deployed = self.deployed(&place, id, api, stage, dice)?;
        Ok(Found {
            full_path: whole.to_owned(),
            event_path: whole.to_owned(),
            path: path.to_owned(),
            deployed,
            reach: api.reach,
        })
    }

    fn deployed(
        &self,
        place: &Place,
        id: &str,
        api: &Api,
        stage: &str,
        dice: f64,
    ) -> Result<Arc<Deployed>, Lost> {
        let stage = api.stages.get(stage).ok_or(Lost::NoStage)?;
        let canary = stage.canary_settings.as_ref();
        let canary = canary.filter(|canary| dice < canary.percent_traffic.unwrap_or(0.0));
        let deployment = match canary {
            Some(canary) => canary.deployment_id.as_deref(),
            None => stage.deployment_id.as_deref(),
        };
        let deployment = deployment
            .and_then(|id| api.deployments.get(id))
            .ok_or(Lost::NoStage)?;
        let name = stage.stage_name.clone().unwrap_or_default();
        let key = (id.to_owned(), name, canary.is_some());
        let mut ready = self.ready.0.lock();
        if let Some(deployed) = ready.get(&key)
            && Arc::ptr_eq(&deployed.stage, stage)
            && Arc::ptr_eq(&deployed.snapshot, &deployment.snapshot)
        {
            return Ok(Arc::clone(deployed));
        }
        if ready.len() >= MOST {
            ready.clear();
        }
        let snapshot = &deployment.snapshot;
        let deployed = Arc::new(Deployed::new(place.clone(), id, stage, snapshot, canary));
        ready.insert(key, Arc::clone(&deployed));
        Ok(deployed)
    }

    /// What the account of a deployment has now: keys and plans are not deployed.
    pub(crate) fn inventory_of(&self, deployed: &Deployed) -> Arc<Inventory> {
        self.book.read().inventory(&deployed.place)
    }
}
