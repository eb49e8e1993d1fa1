//! What is stored, under which keys, in which version. Members have the names of the model.

#![expect(
    clippy::struct_field_names,
    reason = "the model's members repeat their structure's name"
)]

use std::collections::BTreeMap;

use base::Timestamp;
use serde::{Deserialize, Serialize};
use service::Reach;
use store::Table;

/// Key: account, region, API.
pub const APIS: Table<ApiRecord> = Table::new("apigatewayv2.api", 1);
/// Key: API, route. All tables of an API's parts have keys of this form.
pub const ROUTES: Table<Route> = Table::new("apigatewayv2.route", 1);
pub const INTEGRATIONS: Table<Integration> = Table::new("apigatewayv2.integration", 1);
/// The second part is integration/response.
pub const INTEGRATION_RESPONSES: Table<IntegrationResponse> =
    Table::new("apigatewayv2.integration-response", 1);
/// The second part is route/response.
pub const ROUTE_RESPONSES: Table<RouteResponse> = Table::new("apigatewayv2.route-response", 1);
pub const AUTHORIZERS: Table<Authorizer> = Table::new("apigatewayv2.authorizer", 1);
pub const MODELS: Table<Model> = Table::new("apigatewayv2.model", 1);
pub const STAGES: Table<Stage> = Table::new("apigatewayv2.stage", 1);
pub const DEPLOYMENTS: Table<Deployment> = Table::new("apigatewayv2.deployment", 1);
/// Key: account, region, name. No two accounts have the same.
pub const DOMAINS: Table<Domain> = Table::new("apigatewayv2.domain", 1);
/// Key: account, region, id.
pub const VPC_LINKS: Table<VpcLink> = Table::new("apigatewayv2.vpc-link", 1);

pub type Texts = BTreeMap<String, String>;

pub const HTTP: &str = "HTTP";
pub const WEBSOCKET: &str = "WEBSOCKET";
pub const DEFAULT_STAGE: &str = "$default";
pub const DEFAULT_ROUTE: &str = "$default";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ApiRecord {
    pub api_id: String,
    pub name: String,
    pub protocol_type: String,
    pub route_selection_expression: String,
    pub api_key_selection_expression: Option<String>,
    pub description: Option<String>,
    pub version: Option<String>,
    pub disable_schema_validation: Option<bool>,
    pub disable_execute_api_endpoint: bool,
    pub cors_configuration: Option<Cors>,
    pub created_date: Timestamp,
    pub ip_address_type: Option<String>,
    pub tags: Option<Texts>,
    pub api_gateway_managed: Option<bool>,
    pub import_info: Option<Vec<String>>,
    pub warnings: Option<Vec<String>>,
    /// How far requests go that are sent for it: of all of an API, because what becomes of an
    /// integration's URI is up to routes and stages as well. No member of the model's.
    #[serde(rename = "$reach", skip_serializing_if = "Reach::is_anywhere")]
    pub reach: Reach,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Cors {
    pub allow_credentials: Option<bool>,
    pub allow_headers: Option<Vec<String>>,
    pub allow_methods: Option<Vec<String>>,
    pub allow_origins: Option<Vec<String>>,
    pub expose_headers: Option<Vec<String>>,
    pub max_age: Option<i64>,
}

impl Cors {
    /// What it says, as it is applied.
    pub fn rules(&self) -> proxy::cors::Rules<'_> {
        fn list(given: Option<&Vec<String>>) -> &[String] {
            given.map_or(&[], Vec::as_slice)
        }
        proxy::cors::Rules {
            origins: list(self.allow_origins.as_ref()),
            methods: list(self.allow_methods.as_ref()),
            headers: list(self.allow_headers.as_ref()),
            exposed: list(self.expose_headers.as_ref()),
            with_credentials: self.allow_credentials == Some(true),
            max_age: self.max_age,
            says_any: true,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Route {
    pub route_id: String,
    pub route_key: String,
    /// `integrations/<id>`.
    pub target: Option<String>,
    /// `NONE`, `AWS_IAM`, `CUSTOM` or `JWT`.
    pub authorization_type: String,
    pub authorizer_id: Option<String>,
    pub authorization_scopes: Option<Vec<String>>,
    pub api_key_required: bool,
    pub model_selection_expression: Option<String>,
    pub operation_name: Option<String>,
    pub request_models: Option<Texts>,
    pub request_parameters: Option<BTreeMap<String, Constraint>>,
    pub route_response_selection_expression: Option<String>,
    pub api_gateway_managed: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Constraint {
    pub required: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Integration {
    pub integration_id: String,
    pub integration_type: String,
    pub integration_method: Option<String>,
    pub integration_uri: Option<String>,
    pub integration_subtype: Option<String>,
    pub payload_format_version: Option<String>,
    pub connection_type: Option<String>,
    pub connection_id: Option<String>,
    pub content_handling_strategy: Option<String>,
    pub credentials_arn: Option<String>,
    pub description: Option<String>,
    pub integration_response_selection_expression: Option<String>,
    pub passthrough_behavior: Option<String>,
    pub request_parameters: Option<Texts>,
    pub request_templates: Option<Texts>,
    /// By status: what becomes of the answer.
    pub response_parameters: Option<BTreeMap<String, Texts>>,
    pub template_selection_expression: Option<String>,
    pub timeout_in_millis: i64,
    pub tls_config: Option<TlsConfig>,
    pub api_gateway_managed: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TlsConfig {
    pub server_name_to_verify: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct IntegrationResponse {
    /// Of which integration.
    pub parent: String,
    pub integration_response_id: String,
    pub integration_response_key: String,
    pub content_handling_strategy: Option<String>,
    pub response_parameters: Option<Texts>,
    pub response_templates: Option<Texts>,
    pub template_selection_expression: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RouteResponse {
    /// Of which route.
    pub parent: String,
    pub route_response_id: String,
    pub route_response_key: String,
    pub model_selection_expression: Option<String>,
    pub response_models: Option<Texts>,
    pub response_parameters: Option<BTreeMap<String, Constraint>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Authorizer {
    pub authorizer_id: String,
    pub name: String,
    /// `JWT` or `REQUEST`.
    pub authorizer_type: String,
    pub authorizer_uri: Option<String>,
    pub authorizer_credentials_arn: Option<String>,
    pub authorizer_payload_format_version: Option<String>,
    pub authorizer_result_ttl_in_seconds: Option<i64>,
    pub enable_simple_responses: Option<bool>,
    pub identity_source: Vec<String>,
    pub identity_validation_expression: Option<String>,
    pub jwt_configuration: Option<JwtConfiguration>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct JwtConfiguration {
    pub audience: Option<Vec<String>>,
    pub issuer: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Model {
    pub model_id: String,
    pub name: String,
    pub content_type: Option<String>,
    pub description: Option<String>,
    pub schema: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Stage {
    pub stage_name: String,
    pub auto_deploy: bool,
    pub deployment_id: Option<String>,
    pub description: Option<String>,
    pub access_log_settings: Option<AccessLogSettings>,
    pub client_certificate_id: Option<String>,
    pub created_date: Timestamp,
    pub last_updated_date: Timestamp,
    pub last_deployment_status_message: Option<String>,
    pub default_route_settings: RouteSettings,
    pub route_settings: BTreeMap<String, RouteSettings>,
    pub stage_variables: Texts,
    pub tags: Option<Texts>,
    pub api_gateway_managed: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AccessLogSettings {
    pub destination_arn: Option<String>,
    pub format: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RouteSettings {
    pub data_trace_enabled: Option<bool>,
    pub detailed_metrics_enabled: Option<bool>,
    pub logging_level: Option<String>,
    pub throttling_burst_limit: Option<i64>,
    pub throttling_rate_limit: Option<f64>,
}

impl RouteSettings {
    /// Those of a new stage say that there are no detailed metrics, where they are not asked for.
    pub fn of_new_stage(given: Self) -> Self {
        Self {
            detailed_metrics_enabled: given.detailed_metrics_enabled.or(Some(false)),
            ..given
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Deployment {
    pub deployment_id: String,
    pub auto_deployed: bool,
    pub created_date: Timestamp,
    pub deployment_status: String,
    pub description: Option<String>,
    /// What it serves. None of a deployment that follows the API.
    pub snapshot: Option<Snapshot>,
}

/// The parts of an API that requests meet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Snapshot {
    pub routes: Vec<Route>,
    pub integrations: Vec<Integration>,
    pub integration_responses: Vec<IntegrationResponse>,
    pub route_responses: Vec<RouteResponse>,
    pub authorizers: Vec<Authorizer>,
    pub cors: Option<Cors>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Domain {
    pub domain_name: String,
    pub api_mapping_selection_expression: Option<String>,
    pub domain_name_arn: Option<String>,
    pub domain_name_configurations: Vec<DomainConfiguration>,
    pub mutual_tls_authentication: Option<MutualTls>,
    pub routing_mode: Option<String>,
    pub tags: Option<Texts>,
    pub mappings: BTreeMap<String, ApiMapping>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DomainConfiguration {
    pub api_gateway_domain_name: Option<String>,
    pub certificate_arn: Option<String>,
    pub certificate_name: Option<String>,
    pub domain_name_status: Option<String>,
    pub endpoint_type: Option<String>,
    pub hosted_zone_id: Option<String>,
    pub ip_address_type: Option<String>,
    pub security_policy: Option<String>,
    pub ownership_verification_certificate_arn: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct MutualTls {
    pub truststore_uri: Option<String>,
    pub truststore_version: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ApiMapping {
    pub api_mapping_id: String,
    pub api_id: String,
    pub stage: String,
    pub api_mapping_key: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct VpcLink {
    pub vpc_link_id: String,
    pub name: String,
    pub subnet_ids: Vec<String>,
    pub security_group_ids: Vec<String>,
    pub created_date: Timestamp,
    pub vpc_link_status: String,
    pub vpc_link_status_message: Option<String>,
    pub vpc_link_version: String,
    pub tags: Option<Texts>,
}
