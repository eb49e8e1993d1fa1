//! Amazon API Gateway: HTTP and WebSocket APIs, their configuration and their data plane.
//!
//! # What is absent
//! Portals, routing rules of domains, private integrations (VPC links are recorded, and an
//! integration through one answers 503), mutual TLS of custom domains, API keys, models and parameters
//! of WebSocket APIs' routes, client certificates, and service integrations of HTTP APIs other than SQS's
//! and EventBridge's. Each is refused by name. Of a stage's logging only access logs are written.

mod change;
mod compiled;
mod data;
mod directory;
mod domain;
mod error;
mod generated;
mod ops;
mod records;
mod service_impl;
mod shape;

use std::sync::Arc;

use base::Clock;
use proxy::client::Client;
use service::ports::{ApiCaller, Invoker, LogSink};
use service::{BoxFuture, Operation, ServiceError};
use store::{Store, StoreError};
use wire::Value;

use data::DataPlane;
use directory::Directory;
use generated as g;
use records::{IntegrationResponse, RouteResponse};
pub use service_impl::ApiGatewayV2Service;

/// What the service stands on.
pub struct Config {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    /// Runs integrations' and authorizers' functions.
    pub invoker: Arc<dyn Invoker>,
    /// Reaches the services of integrations.
    pub api: Arc<dyn ApiCaller>,
    /// Takes access logs.
    pub logs: Arc<dyn LogSink>,
    /// Sends HTTP integrations on, and fetches the keys of issuers.
    pub client: Client,
    /// Host and port in endpoints, for callers that did not come over HTTP.
    pub authority: String,
    /// Whether callers are held to policies.
    pub enforces_policies: bool,
}

/// What the operations work on.
pub struct ApiGatewayV2 {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Clock,
    pub(crate) authority: String,
    pub(crate) directory: Directory,
    pub(crate) plane: DataPlane,
    /// Things are read, changed and written by one at a time.
    pub(crate) writer: tokio::sync::Mutex<()>,
}

/// Opens the service.
///
/// # Errors
/// When its records cannot be read.
pub async fn service(config: Config) -> Result<Arc<ApiGatewayV2>, StoreError> {
    let directory = Directory::load(&*config.store).await?;
    Ok(Arc::new(ApiGatewayV2 {
        store: config.store,
        clock: config.clock.clone(),
        authority: config.authority,
        directory,
        plane: DataPlane::new(
            config.clock,
            config.invoker,
            config.api,
            config.logs,
            config.client,
            config.enforces_policies,
        ),
        writer: tokio::sync::Mutex::new(()),
    }))
}

impl ApiGatewayV2 {
    /// Ends every WebSocket.
    pub fn end(&self) {
        self.plane.end();
    }
}

pub use data::endpoint;

/// A row of the table, of a function from members to members: see `shape`.
macro_rules! operation {
    ($marker:ty => $handler:path) => {
        Operation {
            name: <$marker as wire::Operation>::SCHEMA.name,
            schema: <$marker as wire::Operation>::SCHEMA,
            handler: |service, context, input| -> Answered {
                Box::pin($handler(service, context, input))
            },
        }
    };
}

type Answered = BoxFuture<'static, Result<Value, ServiceError>>;

/// What the service answers.
pub static OPERATIONS: &[Operation<ApiGatewayV2>] = &[
    operation!(g::CreateApi => ops::apis::create),
    operation!(g::GetApi => ops::apis::get),
    operation!(g::GetApis => ops::apis::list),
    operation!(g::UpdateApi => ops::apis::update),
    operation!(g::DeleteApi => ops::apis::delete),
    operation!(g::DeleteCorsConfiguration => ops::apis::delete_cors),
    operation!(g::ImportApi => ops::openapi::import),
    operation!(g::ReimportApi => ops::openapi::reimport),
    operation!(g::ExportApi => ops::openapi::export),
    operation!(g::CreateRoute => ops::routes::create),
    operation!(g::GetRoute => ops::routes::get),
    operation!(g::GetRoutes => ops::routes::list),
    operation!(g::UpdateRoute => ops::routes::update),
    operation!(g::DeleteRoute => ops::routes::delete),
    operation!(g::DeleteRouteRequestParameter => ops::routes::delete_request_parameter),
    operation!(g::CreateRouteResponse => ops::responses::create::<RouteResponse>),
    operation!(g::GetRouteResponse => ops::responses::get::<RouteResponse>),
    operation!(g::GetRouteResponses => ops::responses::list::<RouteResponse>),
    operation!(g::UpdateRouteResponse => ops::responses::update::<RouteResponse>),
    operation!(g::DeleteRouteResponse => ops::responses::delete::<RouteResponse>),
    operation!(g::CreateIntegration => ops::integrations::create),
    operation!(g::GetIntegration => ops::integrations::get),
    operation!(g::GetIntegrations => ops::integrations::list),
    operation!(g::UpdateIntegration => ops::integrations::update),
    operation!(g::DeleteIntegration => ops::integrations::delete),
    operation!(g::CreateIntegrationResponse => ops::responses::create::<IntegrationResponse>),
    operation!(g::GetIntegrationResponse => ops::responses::get::<IntegrationResponse>),
    operation!(g::GetIntegrationResponses => ops::responses::list::<IntegrationResponse>),
    operation!(g::UpdateIntegrationResponse => ops::responses::update::<IntegrationResponse>),
    operation!(g::DeleteIntegrationResponse => ops::responses::delete::<IntegrationResponse>),
    operation!(g::CreateAuthorizer => ops::authorizers::create),
    operation!(g::GetAuthorizer => ops::authorizers::get),
    operation!(g::GetAuthorizers => ops::authorizers::list),
    operation!(g::UpdateAuthorizer => ops::authorizers::update),
    operation!(g::DeleteAuthorizer => ops::authorizers::delete),
    operation!(g::ResetAuthorizersCache => ops::authorizers::reset_cache),
    operation!(g::CreateModel => ops::models::create),
    operation!(g::GetModel => ops::models::get),
    operation!(g::GetModels => ops::models::list),
    operation!(g::GetModelTemplate => ops::models::template),
    operation!(g::UpdateModel => ops::models::update),
    operation!(g::DeleteModel => ops::models::delete),
    operation!(g::CreateStage => ops::stages::create),
    operation!(g::GetStage => ops::stages::get),
    operation!(g::GetStages => ops::stages::list),
    operation!(g::UpdateStage => ops::stages::update),
    operation!(g::DeleteStage => ops::stages::delete),
    operation!(g::DeleteAccessLogSettings => ops::stages::delete_access_log_settings),
    operation!(g::DeleteRouteSettings => ops::stages::delete_route_settings),
    operation!(g::CreateDeployment => ops::deployments::create),
    operation!(g::GetDeployment => ops::deployments::get),
    operation!(g::GetDeployments => ops::deployments::list),
    operation!(g::UpdateDeployment => ops::deployments::update),
    operation!(g::DeleteDeployment => ops::deployments::delete),
    operation!(g::CreateDomainName => ops::domains::create),
    operation!(g::GetDomainName => ops::domains::get),
    operation!(g::GetDomainNames => ops::domains::list),
    operation!(g::UpdateDomainName => ops::domains::update),
    operation!(g::DeleteDomainName => ops::domains::delete),
    operation!(g::CreateApiMapping => ops::api_mappings::create),
    operation!(g::GetApiMapping => ops::api_mappings::get),
    operation!(g::GetApiMappings => ops::api_mappings::list),
    operation!(g::UpdateApiMapping => ops::api_mappings::update),
    operation!(g::DeleteApiMapping => ops::api_mappings::delete),
    operation!(g::CreateVpcLink => ops::vpc_links::create),
    operation!(g::GetVpcLink => ops::vpc_links::get),
    operation!(g::GetVpcLinks => ops::vpc_links::list),
    operation!(g::UpdateVpcLink => ops::vpc_links::update),
    operation!(g::DeleteVpcLink => ops::vpc_links::delete),
    operation!(g::GetTags => ops::tags::list),
    operation!(g::TagResource => ops::tags::tag),
    operation!(g::UntagResource => ops::tags::untag),
];
