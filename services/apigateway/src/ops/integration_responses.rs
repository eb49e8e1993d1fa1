//! PutIntegrationResponse, GetIntegrationResponse, UpdateIntegrationResponse,
//! DeleteIntegrationResponse.

use service::{RequestContext, ServiceError};

use super::integrations::{check_template, invalid_mapping};
use super::methods::{find, find_mut};
use super::{NOTHING, State, entries};
use crate::domain::{expressions, patch, patches};
use crate::error::{bad_request, not_found};
use crate::g;

fn unknown() -> ServiceError {
    not_found("Invalid Response status code specified")
}

fn no_integration() -> ServiceError {
    not_found("Invalid Integration identifier specified")
}

fn check(response: &g::IntegrationResponse, method: &g::Method) -> Result<(), ServiceError> {
    let status = response.status_code.as_deref().unwrap_or_default();
    let declared = method
        .method_responses
        .as_ref()
        .and_then(|all| all.get(status));
    let Some(declared) = declared else {
        return Err(unknown());
    };
    if let Some(pattern) = &response.selection_pattern
        && regex::Regex::new(pattern).is_err()
    {
        return Err(bad_request("Invalid selection pattern specified"));
    }
    for (name, value) in response.response_parameters.iter().flatten() {
        if !name.starts_with("method.response.header.") {
            return Err(invalid_mapping(name));
        }
        let declared = declared.response_parameters.as_ref();
        if !declared.is_some_and(|declared| declared.contains_key(name)) {
            return Err(bad_request(format!(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: {name}]"
            )));
        }
        if expressions::source(value, "integration.response").is_none() {
            return Err(invalid_mapping(value));
        }
    }
    for template in response
        .response_templates
        .iter()
        .flat_map(|all| all.values())
    {
        check_template(template)?;
    }
    Ok(())
}

pub async fn put(
    service: State,
    context: RequestContext,
    input: g::PutIntegrationResponseRequest,
) -> Result<g::IntegrationResponse, ServiceError> {
    let response = g::IntegrationResponse {
        status_code: Some(input.status_code.clone()),
        selection_pattern: input.selection_pattern,
        response_parameters: entries(input.response_parameters),
        response_templates: entries(input.response_templates),
        content_handling: input.content_handling,
    };
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let method = find_mut(api, &input.resource_id, &input.http_method)?;
            if method.method_integration.is_none() {
                return Err(no_integration());
            }
            check(&response, method)?;
            let integration = method.method_integration.get_or_insert_default();
            let responses = integration.integration_responses.get_or_insert_default();
            responses.insert(input.status_code, response.clone());
            Ok(response)
        })
        .await
}

fn of<'m>(method: &'m g::Method, status: &str) -> Result<&'m g::IntegrationResponse, ServiceError> {
    let integration = method
        .method_integration
        .as_ref()
        .ok_or_else(no_integration)?;
    let responses = integration.integration_responses.as_ref();
    let found = responses.and_then(|responses| responses.get(status));
    found.ok_or_else(unknown)
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetIntegrationResponseRequest,
) -> Result<g::IntegrationResponse, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let method = find(&api, &input.resource_id, &input.http_method)?;
    of(method, &input.status_code).cloned()
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateIntegrationResponseRequest,
) -> Result<g::IntegrationResponse, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let method = find_mut(api, &input.resource_id, &input.http_method)?;
            let before = of(method, &input.status_code)?;
            let rules = patches::INTEGRATION_RESPONSE;
            let response: g::IntegrationResponse =
                patch::patched(before, input.patch_operations, rules)?;
            check(&response, method)?;
            let integration = method.method_integration.get_or_insert_default();
            let responses = integration.integration_responses.get_or_insert_default();
            responses.insert(input.status_code, response.clone());
            Ok(response)
        })
        .await
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteIntegrationResponseRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let method = find_mut(api, &input.resource_id, &input.http_method)?;
            of(method, &input.status_code)?;
            let integration = method.method_integration.get_or_insert_default();
            let responses = integration.integration_responses.take();
            integration.integration_responses = entries(responses.map(|mut responses| {
                responses.remove(&input.status_code);
                responses
            }));
            Ok(NOTHING)
        })
        .await
}
