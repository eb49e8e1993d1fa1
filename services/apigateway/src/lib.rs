//! Amazon API Gateway: REST APIs (v1), their control plane and the requests to them.

mod book;
mod domain;
mod error;
mod generated;
mod metering;
mod openapi;
mod ops;
mod records;
mod run;
mod service_impl;
mod stored;

use std::sync::{Arc, Weak};
use std::time::Duration;

use base::Clock;
use parking_lot::{Mutex, RwLock};
use proxy::authorizer::Cache;
use proxy::client::Client;
use service::ports::{ApiCaller, Invoker, LogSink};
use service::{Operation, operation};
use store::{Store, StoreError};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use book::Book;
use generated as g;
use metering::Meter;
pub use run::endpoint::Invocations;
use run::find::Ready;
pub use service_impl::ApiGatewayService;

/// What the service stands on.
pub struct Config {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    pub api: Arc<dyn ApiCaller>,
    pub invoker: Arc<dyn Invoker>,
    pub logs: Arc<dyn LogSink>,
    /// Sends HTTP integrations on.
    pub client: Client,
    /// Whether policies decide who may call.
    pub enforces_policies: bool,
}

/// What the operations and the requests work on.
pub struct ApiGateway {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) api: Arc<dyn ApiCaller>,
    pub(crate) invoker: Arc<dyn Invoker>,
    pub(crate) logs: Arc<dyn LogSink>,
    pub(crate) enforces_policies: bool,
    pub(crate) book: RwLock<Book>,
    /// What an account has is read, changed and written by one at a time.
    pub(crate) writer: tokio::sync::Mutex<()>,
    pub(crate) meter: Meter,
    /// What authorizers said lately.
    pub(crate) authorizations: Cache,
    pub(crate) ready: Ready,
    pub(crate) client: Client,
    /// Wakes who writes counts.
    counted: Notify,
    counting: Mutex<Option<JoinHandle<()>>>,
}

/// Opens the service.
///
/// # Errors
/// When its records cannot be read.
pub async fn service(config: Config) -> Result<Arc<ApiGateway>, StoreError> {
    let meter = Meter::open(&*config.store).await?;
    let book = Book::of(records::all(&*config.store).await?);
    Ok(Arc::new(ApiGateway {
        store: config.store,
        clock: config.clock,
        api: config.api,
        invoker: config.invoker,
        logs: config.logs,
        enforces_policies: config.enforces_policies,
        book: RwLock::new(book),
        writer: tokio::sync::Mutex::new(()),
        meter,
        authorizations: Cache::default(),
        ready: Ready::default(),
        client: config.client,
        counted: Notify::new(),
        counting: Mutex::new(None),
    }))
}

/// Counts of requests are written that long after the first that is not.
const COUNTED_WITHIN: Duration = Duration::from_secs(1);

impl ApiGateway {
    /// Begins to write what is counted.
    pub fn resume(self: &Arc<Self>) {
        let counting = tokio::spawn(write_counts(Arc::downgrade(self)));
        if let Some(before) = self.counting.lock().replace(counting) {
            before.abort();
        }
    }

    /// Writes what has been counted, and nothing more.
    pub async fn end(&self) {
        if let Some(counting) = self.counting.lock().take() {
            counting.abort();
        }
        self.write_counts().await;
    }

    /// Has a count written before long.
    pub(crate) fn count_soon(&self) {
        self.counted.notify_one();
    }

    async fn write_counts(&self) {
        if let Err(error) = self.meter.flush(&*self.store).await {
            tracing::warn!(%error, "write what API keys have used");
        }
    }
}

async fn write_counts(service: Weak<ApiGateway>) {
    while let Some(service) = service.upgrade() {
        service.counted.notified().await;
        tokio::time::sleep(COUNTED_WITHIN).await;
        service.write_counts().await;
    }
}

/// What the service answers.
pub static OPERATIONS: &[Operation<ApiGateway>] = &[
    operation!(g::CreateApiKey => ops::api_keys::create),
    operation!(g::CreateAuthorizer => ops::authorizers::create),
    operation!(g::CreateBasePathMapping => ops::base_path_mappings::create),
    operation!(g::CreateDeployment => ops::deployments::create),
    operation!(g::CreateDocumentationPart => ops::documentation_parts::create),
    operation!(g::CreateDocumentationVersion => ops::documentation_versions::create),
    operation!(g::CreateDomainName => ops::domain_names::create),
    operation!(g::CreateModel => ops::models::create),
    operation!(g::CreateRequestValidator => ops::request_validators::create),
    operation!(g::CreateResource => ops::resources::create),
    operation!(g::CreateRestApi => ops::rest_apis::create),
    operation!(g::CreateStage => ops::stages::create),
    operation!(g::CreateUsagePlan => ops::usage_plans::create),
    operation!(g::CreateUsagePlanKey => ops::usage_plan_keys::create),
    operation!(g::DeleteApiKey => ops::api_keys::delete),
    operation!(g::DeleteAuthorizer => ops::authorizers::delete),
    operation!(g::DeleteBasePathMapping => ops::base_path_mappings::delete),
    operation!(g::DeleteDeployment => ops::deployments::delete),
    operation!(g::DeleteDocumentationPart => ops::documentation_parts::delete),
    operation!(g::DeleteDocumentationVersion => ops::documentation_versions::delete),
    operation!(g::DeleteDomainName => ops::domain_names::delete),
    operation!(g::DeleteGatewayResponse => ops::gateway_responses::delete),
    operation!(g::DeleteIntegration => ops::integrations::delete),
    operation!(g::DeleteIntegrationResponse => ops::integration_responses::delete),
    operation!(g::DeleteMethod => ops::methods::delete),
    operation!(g::DeleteMethodResponse => ops::method_responses::delete),
    operation!(g::DeleteModel => ops::models::delete),
    operation!(g::DeleteRequestValidator => ops::request_validators::delete),
    operation!(g::DeleteResource => ops::resources::delete),
    operation!(g::DeleteRestApi => ops::rest_apis::delete),
    operation!(g::DeleteStage => ops::stages::delete),
    operation!(g::DeleteUsagePlan => ops::usage_plans::delete),
    operation!(g::DeleteUsagePlanKey => ops::usage_plan_keys::delete),
    operation!(g::FlushStageAuthorizersCache => ops::stages::flush_authorizers),
    operation!(g::FlushStageCache => ops::stages::flush_cache),
    operation!(g::GetAccount => ops::account::get),
    operation!(g::GetApiKey => ops::api_keys::get),
    operation!(g::GetApiKeys => ops::api_keys::list),
    operation!(g::GetAuthorizer => ops::authorizers::get),
    operation!(g::GetAuthorizers => ops::authorizers::list),
    operation!(g::GetBasePathMapping => ops::base_path_mappings::get),
    operation!(g::GetBasePathMappings => ops::base_path_mappings::list),
    operation!(g::GetDeployment => ops::deployments::get),
    operation!(g::GetDeployments => ops::deployments::list),
    operation!(g::GetDocumentationPart => ops::documentation_parts::get),
    operation!(g::GetDocumentationParts => ops::documentation_parts::list),
    operation!(g::GetDocumentationVersion => ops::documentation_versions::get),
    operation!(g::GetDocumentationVersions => ops::documentation_versions::list),
    operation!(g::GetDomainName => ops::domain_names::get),
    operation!(g::GetDomainNames => ops::domain_names::list),
    operation!(g::GetExport => ops::definitions::export),
    operation!(g::GetGatewayResponse => ops::gateway_responses::get),
    operation!(g::GetGatewayResponses => ops::gateway_responses::list),
    operation!(g::GetIntegration => ops::integrations::get),
    operation!(g::GetIntegrationResponse => ops::integration_responses::get),
    operation!(g::GetMethod => ops::methods::get),
    operation!(g::GetMethodResponse => ops::method_responses::get),
    operation!(g::GetModel => ops::models::get),
    operation!(g::GetModels => ops::models::list),
    operation!(g::GetRequestValidator => ops::request_validators::get),
    operation!(g::GetRequestValidators => ops::request_validators::list),
    operation!(g::GetResource => ops::resources::get),
    operation!(g::GetResources => ops::resources::list),
    operation!(g::GetRestApi => ops::rest_apis::get),
    operation!(g::GetRestApis => ops::rest_apis::list),
    operation!(g::GetStage => ops::stages::get),
    operation!(g::GetStages => ops::stages::list),
    operation!(g::GetTags => ops::tags::list),
    operation!(g::GetUsage => ops::usage::get),
    operation!(g::GetUsagePlan => ops::usage_plans::get),
    operation!(g::GetUsagePlanKey => ops::usage_plan_keys::get),
    operation!(g::GetUsagePlanKeys => ops::usage_plan_keys::list),
    operation!(g::GetUsagePlans => ops::usage_plans::list),
    operation!(g::ImportApiKeys => ops::api_keys::import),
    operation!(g::ImportDocumentationParts => ops::documentation_parts::import),
    operation!(g::ImportRestApi => ops::definitions::import),
    operation!(g::PutGatewayResponse => ops::gateway_responses::put),
    operation!(g::PutIntegration => ops::integrations::put),
    operation!(g::PutIntegrationResponse => ops::integration_responses::put),
    operation!(g::PutMethod => ops::methods::put),
    operation!(g::PutMethodResponse => ops::method_responses::put),
    operation!(g::PutRestApi => ops::definitions::put),
    operation!(g::TagResource => ops::tags::tag),
    operation!(g::TestInvokeAuthorizer => ops::test_invoke::authorizer),
    operation!(g::TestInvokeMethod => ops::test_invoke::method),
    operation!(g::UntagResource => ops::tags::untag),
    operation!(g::UpdateAccount => ops::account::update),
    operation!(g::UpdateApiKey => ops::api_keys::update),
    operation!(g::UpdateAuthorizer => ops::authorizers::update),
    operation!(g::UpdateBasePathMapping => ops::base_path_mappings::update),
    operation!(g::UpdateDeployment => ops::deployments::update),
    operation!(g::UpdateDocumentationPart => ops::documentation_parts::update),
    operation!(g::UpdateDocumentationVersion => ops::documentation_versions::update),
    operation!(g::UpdateDomainName => ops::domain_names::update),
    operation!(g::UpdateGatewayResponse => ops::gateway_responses::update),
    operation!(g::UpdateIntegration => ops::integrations::update),
    operation!(g::UpdateIntegrationResponse => ops::integration_responses::update),
    operation!(g::UpdateMethod => ops::methods::update),
    operation!(g::UpdateMethodResponse => ops::method_responses::update),
    operation!(g::UpdateModel => ops::models::update),
    operation!(g::UpdateRequestValidator => ops::request_validators::update),
    operation!(g::UpdateResource => ops::resources::update),
    operation!(g::UpdateRestApi => ops::rest_apis::update),
    operation!(g::UpdateStage => ops::stages::update),
    operation!(g::UpdateUsage => ops::usage::update),
    operation!(g::UpdateUsagePlan => ops::usage_plans::update),
];
