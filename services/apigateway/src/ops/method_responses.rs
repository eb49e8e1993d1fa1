//! PutMethodResponse, GetMethodResponse, UpdateMethodResponse, DeleteMethodResponse.

use service::{RequestContext, ServiceError};

use super::methods::{find, find_mut};
use super::{NOTHING, State, entries};
use crate::domain::{patch, patches};
use crate::error::{bad_request, conflict, not_found};
use crate::g;
use crate::records::Api;

fn unknown() -> ServiceError {
    not_found("Invalid Response status code specified")
}

fn check(api: &Api, response: &g::MethodResponse) -> Result<(), ServiceError> {
    for model in response
        .response_models
        .iter()
        .flat_map(|models| models.values())
    {
        if !api.models.has(model) {
            return Err(bad_request(format!(
                "Invalid model identifier specified: {model}"
            )));
        }
    }
    for name in response
        .response_parameters
        .iter()
        .flat_map(|parameters| parameters.keys())
    {
        let header = name.strip_prefix("method.response.header.");
        if header.is_none_or(str::is_empty) {
            return Err(bad_request(format!(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: {name}]"
            )));
        }
    }
    Ok(())
}

pub async fn put(
    service: State,
    context: RequestContext,
    input: g::PutMethodResponseRequest,
) -> Result<g::MethodResponse, ServiceError> {
    let response = g::MethodResponse {
        status_code: Some(input.status_code.clone()),
        response_parameters: entries(input.response_parameters),
        response_models: entries(input.response_models),
    };
    service
        .change_api(&context, &input.rest_api_id, |api| {
            check(api, &response)?;
            let method = find_mut(api, &input.resource_id, &input.http_method)?;
            let responses = method.method_responses.get_or_insert_default();
            if responses.contains_key(&input.status_code) {
                return Err(conflict("Response already exists for this resource"));
            }
            responses.insert(input.status_code, response.clone());
            Ok(response)
        })
        .await
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetMethodResponseRequest,
) -> Result<g::MethodResponse, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let method = find(&api, &input.resource_id, &input.http_method)?;
    let responses = method.method_responses.as_ref();
    let response = responses.and_then(|responses| responses.get(&input.status_code));
    response.cloned().ok_or_else(unknown)
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateMethodResponseRequest,
) -> Result<g::MethodResponse, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let method = find(api, &input.resource_id, &input.http_method)?;
            let responses = method.method_responses.as_ref();
            let before = responses.and_then(|responses| responses.get(&input.status_code));
            let before = before.ok_or_else(unknown)?;
            let rules = patches::METHOD_RESPONSE;
            let response: g::MethodResponse =
                patch::patched(before, input.patch_operations, rules)?;
            check(api, &response)?;
            let method = find_mut(api, &input.resource_id, &input.http_method)?;
            let responses = method.method_responses.get_or_insert_default();
            responses.insert(input.status_code, response.clone());
            Ok(response)
        })
        .await
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteMethodResponseRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let method = find_mut(api, &input.resource_id, &input.http_method)?;
            let responses = method.method_responses.get_or_insert_default();
            responses.remove(&input.status_code).ok_or_else(unknown)?;
            method.method_responses = entries(method.method_responses.take());
            Ok(NOTHING)
        })
        .await
}
