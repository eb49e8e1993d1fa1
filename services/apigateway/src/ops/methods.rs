//! PutMethod, GetMethod, UpdateMethod, DeleteMethod.

use std::collections::BTreeSet;

use service::{RequestContext, ServiceError};

use super::{METHODS, NOTHING, State, entries, filled};
use crate::domain::{expressions, patch, patches};
use crate::error::{bad_request, conflict, not_found};
use crate::g;
use crate::records::Api;

/// A method of a resource, or why there is none.
pub fn find<'a>(api: &'a Api, resource: &str, method: &str) -> Result<&'a g::Method, ServiceError> {
    let Some(resource) = api.resources.get(resource) else {
        return Err(not_found("Invalid Resource identifier specified"));
    };
    let methods = resource.resource_methods.as_ref();
    let found = methods.and_then(|methods| methods.get(method));
    found.ok_or_else(|| not_found("Invalid Method identifier specified"))
}

/// The same to be changed.
pub fn find_mut<'a>(
    api: &'a mut Api,
    resource: &str,
    method: &str,
) -> Result<&'a mut g::Method, ServiceError> {
    find(api, resource, method)?;
    let resource = api.resources.get_mut(resource);
    let methods = resource.and_then(|resource| resource.resource_methods.as_mut());
    let found = methods.and_then(|methods| methods.get_mut(method));
    found.ok_or_else(|| not_found("Invalid Method identifier specified"))
}

pub async fn put(
    service: State,
    context: RequestContext,
    input: g::PutMethodRequest,
) -> Result<g::Method, ServiceError> {
    let method = g::Method {
        http_method: Some(input.http_method.clone()),
        authorization_type: Some(input.authorization_type.to_ascii_uppercase()),
        authorizer_id: filled(input.authorizer_id),
        api_key_required: Some(input.api_key_required.unwrap_or(false)),
        request_validator_id: filled(input.request_validator_id),
        operation_name: filled(input.operation_name),
        request_parameters: entries(input.request_parameters),
        request_models: entries(input.request_models),
        authorization_scopes: input
            .authorization_scopes
            .filter(|scopes| !scopes.is_empty()),
        ..g::Method::default()
    };
    service
        .change_api(&context, &input.rest_api_id, |api| {
            if !api.resources.has(&input.resource_id) {
                return Err(not_found("Invalid Resource identifier specified"));
            }
            add(api, &input.resource_id, method)
        })
        .await
}

/// Adds a method to a resource that is there.
pub fn add(api: &mut Api, resource: &str, method: g::Method) -> Result<g::Method, ServiceError> {
    let name = method.http_method.clone().unwrap_or_default();
    if !METHODS.contains(&name.as_str()) {
        return Err(bad_request(
            "Invalid HttpMethod specified. Valid options are GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD,ANY",
        ));
    }
    check(api, &method)?;
    let resource = api.resources.get_mut(resource);
    let resource = resource.ok_or_else(|| not_found("Invalid Resource identifier specified"))?;
    let methods = resource.resource_methods.get_or_insert_default();
    if methods.contains_key(&name) {
        return Err(conflict("Method already exists for this resource"));
    }
    methods.insert(name, method.clone());
    Ok(method)
}

fn check(api: &Api, method: &g::Method) -> Result<(), ServiceError> {
    let kind = method.authorization_type.as_deref().unwrap_or_default();
    match kind {
        "NONE" | "AWS_IAM" => {}
        "CUSTOM" | "COGNITO_USER_POOLS" => {
            let authorizer = method.authorizer_id.as_deref();
            if !authorizer.is_some_and(|id| api.authorizers.has(id)) {
                return Err(bad_request(
                    "Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.",
                ));
            }
        }
        _ => {
            return Err(bad_request(
                "Invalid authorization type specified. Valid options are NONE,AWS_IAM,CUSTOM,COGNITO_USER_POOLS",
            ));
        }
    }
    if let Some(validator) = &method.request_validator_id
        && !api.validators.has(validator)
    {
        return Err(bad_request(
            "Invalid Request Validator identifier specified",
        ));
    }
    for model in method
        .request_models
        .iter()
        .flat_map(|models| models.values())
    {
        if !api.models.has(model) {
            return Err(bad_request(format!(
                "Invalid model identifier specified: {model}"
            )));
        }
    }
    let mut names = BTreeSet::new();
    for parameter in method
        .request_parameters
        .iter()
        .flat_map(|parameters| parameters.keys())
    {
        let Some((_, name)) = expressions::parameter(parameter, "method.request") else {
            return Err(bad_request(format!(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Parameter name should be of the form method.request.{{location}}.{{name}}: {parameter}]"
            )));
        };
        if !names.insert(name) {
            return Err(bad_request(
                "Parameter names must be unique across querystring, header and path",
            ));
        }
    }
    Ok(())
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetMethodRequest,
) -> Result<g::Method, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    find(&api, &input.resource_id, &input.http_method).cloned()
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateMethodRequest,
) -> Result<g::Method, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let before = find(api, &input.resource_id, &input.http_method)?;
            let mut method = patch::patched(before, input.patch_operations, patches::METHOD)?;
            method.request_validator_id = filled(method.request_validator_id);
            method.authorizer_id = filled(method.authorizer_id);
            let kind = method.authorization_type.as_deref().unwrap_or_default();
            if !matches!(kind, "CUSTOM" | "COGNITO_USER_POOLS") {
                // An authorizer means nothing to the other types.
                method.authorizer_id = None;
            }
            check(api, &method)?;
            *find_mut(api, &input.resource_id, &input.http_method)? = method.clone();
            Ok(method)
        })
        .await
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteMethodRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            find(api, &input.resource_id, &input.http_method)?;
            if let Some(resource) = api.resources.get_mut(&input.resource_id) {
                let methods = resource.resource_methods.take();
                resource.resource_methods = entries(methods.map(|mut methods| {
                    methods.remove(&input.http_method);
                    methods
                }));
            }
            Ok(NOTHING)
        })
        .await
}
