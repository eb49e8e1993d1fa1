//! PutIntegration, GetIntegration, UpdateIntegration, DeleteIntegration.

use base::Arn;
use service::{RequestContext, ServiceError};

use super::methods::{find, find_mut};
use super::{METHODS, NOTHING, State, entries, filled};
use crate::domain::{expressions, patch, patches};
use crate::error::{bad_request, not_found};
use crate::g;

const PASSTHROUGH: [&str; 3] = ["WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"];
/// AWS's range, which can be raised there.
const MIN_TIMEOUT: i32 = 50;
const MAX_TIMEOUT: i32 = 29_000;

pub fn unknown() -> ServiceError {
    not_found("Invalid Integration identifier specified")
}

pub async fn put(
    service: State,
    context: RequestContext,
    input: g::PutIntegrationRequest,
) -> Result<g::Integration, ServiceError> {
    let mut integration = g::Integration {
        r#type: Some(input.r#type),
        http_method: filled(input.integration_http_method),
        uri: filled(input.uri),
        connection_type: input.connection_type,
        connection_id: filled(input.connection_id),
        credentials: filled(input.credentials),
        request_parameters: entries(input.request_parameters),
        request_templates: entries(input.request_templates),
        passthrough_behavior: filled(input.passthrough_behavior),
        content_handling: input.content_handling,
        timeout_in_millis: input.timeout_in_millis,
        cache_namespace: filled(input.cache_namespace),
        cache_key_parameters: input.cache_key_parameters,
        integration_responses: None,
        tls_config: input.tls_config,
        response_transfer_mode: input.response_transfer_mode,
        integration_target: input.integration_target,
    };
    complete(&mut integration, &input.resource_id)?;
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let method = find_mut(api, &input.resource_id, &input.http_method)?;
            // What it answered with before belongs to the one before.
            method.method_integration = Some(integration.clone());
            Ok(integration)
        })
        .await
}

/// Adds what a client has not said, and checks it.
pub fn complete(integration: &mut g::Integration, resource: &str) -> Result<(), ServiceError> {
    integration
        .passthrough_behavior
        .get_or_insert_with(|| PASSTHROUGH[0].to_owned());
    integration.timeout_in_millis.get_or_insert(MAX_TIMEOUT);
    integration
        .cache_namespace
        .get_or_insert_with(|| resource.to_owned());
    integration.cache_key_parameters.get_or_insert_default();
    check(integration)
}

fn check(integration: &g::Integration) -> Result<(), ServiceError> {
    check_present(integration)?;
    let kind = integration.r#type.unwrap_or_default();
    let uri = integration.uri.as_deref().unwrap_or_default();
    if kind != g::IntegrationType::Mock {
        match integration.http_method.as_deref() {
            None => {
                return Err(bad_request(
                    "Enumeration value for HttpMethod must be non-empty",
                ));
            }
            Some(method) if !METHODS.contains(&method) => {
                return Err(bad_request(
                    "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY",
                ));
            }
            Some(_) => {}
        }
    }
    match kind {
        g::IntegrationType::Http | g::IntegrationType::HttpProxy => {
            // A stage variable may be all of it.
            let is_url = uri.starts_with("http://")
                || uri.starts_with("https://")
                || uri.starts_with("${stageVariables.");
            if !is_url {
                return Err(bad_request("Invalid HTTP endpoint specified for URI"));
            }
        }
        g::IntegrationType::Aws | g::IntegrationType::AwsProxy => {
            let arn: Option<Arn> = uri.parse().ok();
            let Some(arn) = arn.filter(|arn| arn.service == "apigateway") else {
                return Err(bad_request("Invalid ARN specified in the request"));
            };
            let after = arn.resource.split(['/', ':']).next().unwrap_or_default();
            if !matches!(after, "path" | "action") {
                return Err(bad_request(
                    "AWS ARN for integration must contain path or action",
                ));
            }
            let is_lambda = arn.account == "lambda";
            if kind == g::IntegrationType::AwsProxy && !is_lambda && arn.account != "firehose" {
                return Err(bad_request(
                    "Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.",
                ));
            }
            if !is_lambda && integration.credentials.is_none() {
                return Err(bad_request(
                    "Role ARN must be specified for AWS integrations",
                ));
            }
        }
        g::IntegrationType::Mock => {}
    }
    let passthrough = integration
        .passthrough_behavior
        .as_deref()
        .unwrap_or_default();
    if !PASSTHROUGH.contains(&passthrough) {
        return Err(bad_request(
            "Invalid enumeration value for passthrough behavior. Must be one of: [WHEN_NO_MATCH, WHEN_NO_TEMPLATES, NEVER]",
        ));
    }
    let timeout = integration.timeout_in_millis.unwrap_or(MAX_TIMEOUT);
    if !(MIN_TIMEOUT..=MAX_TIMEOUT).contains(&timeout) {
        return Err(bad_request("Timeout should be between 50 ms and 29000 ms"));
    }
    for (name, value) in integration.request_parameters.iter().flatten() {
        if expressions::parameter(name, "integration.request").is_none() {
            return Err(invalid_mapping(name));
        }
        if expressions::source(value, "method.request").is_none() {
            return Err(invalid_mapping(value));
        }
    }
    for template in integration
        .request_templates
        .iter()
        .flat_map(|all| all.values())
    {
        check_template(template)?;
    }
    Ok(())
}

/// What would be taken and do nothing is refused.
fn check_present(integration: &g::Integration) -> Result<(), ServiceError> {
    let streams = integration.response_transfer_mode == Some(g::ResponseTransferMode::Stream);
    let uri = integration.uri.as_deref().unwrap_or_default();
    if streams || uri.ends_with("/response-streaming-invocations") {
        return Err(bad_request(
            "Kagero does not stream the responses of REST APIs yet: responseTransferMode can only be BUFFERED",
        ));
    }
    if integration.connection_type == Some(g::ConnectionType::VpcLink) {
        return Err(bad_request(
            "Kagero has no VPC links: connectionType can only be INTERNET",
        ));
    }
    let tls = integration.tls_config.as_ref();
    if tls.is_some_and(|tls| tls.insecure_skip_verification == Some(true)) {
        return Err(bad_request(
            "Kagero always verifies certificates: insecureSkipVerification can only be false",
        ));
    }
    Ok(())
}

pub fn invalid_mapping(expression: &str) -> ServiceError {
    bad_request(format!(
        "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: {expression}]"
    ))
}

/// A mapping template must be one, and no longer than 300 KB.
pub fn check_template(template: &str) -> Result<(), ServiceError> {
    if template.len() > 300 * 1024 {
        return Err(bad_request(
            "Mapping template exceeds the maximum size of 300 KB",
        ));
    }
    match vtl::Template::parse(template) {
        Ok(_) => Ok(()),
        Err(error) => Err(bad_request(format!("Invalid mapping template: {error}"))),
    }
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetIntegrationRequest,
) -> Result<g::Integration, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let method = find(&api, &input.resource_id, &input.http_method)?;
    method.method_integration.clone().ok_or_else(unknown)
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateIntegrationRequest,
) -> Result<g::Integration, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let method = find_mut(api, &input.resource_id, &input.http_method)?;
            let before = method.method_integration.as_ref().ok_or_else(unknown)?;
            let rules = patches::INTEGRATION;
            let integration: g::Integration =
                patch::patched(before, input.patch_operations, rules)?;
            check(&integration)?;
            method.method_integration = Some(integration.clone());
            Ok(integration)
        })
        .await
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteIntegrationRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let method = find_mut(api, &input.resource_id, &input.http_method)?;
            method.method_integration.take().ok_or_else(unknown)?;
            Ok(NOTHING)
        })
        .await
}
