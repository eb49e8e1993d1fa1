//! CreateRequestValidator, GetRequestValidator, GetRequestValidators, UpdateRequestValidator,
//! DeleteRequestValidator.

use service::{RequestContext, ServiceError};

use super::{NOTHING, State, shown};
use crate::domain::{ids, patch, patches};
use crate::error::{bad_request, conflict, not_found};
use crate::g;
use crate::records::Api;

fn unknown() -> ServiceError {
    not_found("Invalid Request Validator identifier specified")
}

fn check(_: &Api, validator: &g::RequestValidator) -> Result<(), ServiceError> {
    match validator.name.as_deref() {
        Some("") => Err(bad_request("Request validator name cannot be blank")),
        _ => Ok(()),
    }
}

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateRequestValidatorRequest,
) -> Result<g::RequestValidator, ServiceError> {
    let id = ids::short();
    let validator = g::RequestValidator {
        id: Some(id.clone()),
        name: input.name,
        validate_request_body: Some(input.validate_request_body.unwrap_or(false)),
        validate_request_parameters: Some(input.validate_request_parameters.unwrap_or(false)),
    };
    service
        .change_api(&context, &input.rest_api_id, |api| {
            check(api, &validator)?;
            api.validators.put(id, validator.clone());
            Ok(validator)
        })
        .await
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetRequestValidatorRequest,
) -> Result<g::RequestValidator, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let found = api
        .validators
        .get(&input.request_validator_id)
        .ok_or_else(unknown)?;
    Ok(g::RequestValidator::clone(found))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetRequestValidatorsRequest,
) -> Result<g::RequestValidators, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let (items, position) = shown(&api.validators, input.position.as_deref(), input.limit)?;
    Ok(g::RequestValidators {
        position,
        items: Some(items),
    })
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateRequestValidatorRequest,
) -> Result<g::RequestValidator, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let before = api
                .validators
                .get(&input.request_validator_id)
                .ok_or_else(unknown)?;
            let changed: g::RequestValidator = patch::patched(
                &**before,
                input.patch_operations,
                patches::REQUEST_VALIDATOR,
            )?;
            check(api, &changed)?;
            Ok(super::replace(
                &mut api.validators,
                &input.request_validator_id,
                changed,
            ))
        })
        .await
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteRequestValidatorRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            if !api.validators.has(&input.request_validator_id) {
                return Err(unknown());
            }
            let id = Some(&input.request_validator_id);
            let mut methods = api.resources.values().flat_map(|resource| {
                resource
                    .resource_methods
                    .iter()
                    .flat_map(|methods| methods.values())
            });
            if methods.any(|method| method.request_validator_id.as_ref() == id) {
                return Err(conflict(format!(
                    "Cannot delete validator '{}', it is referenced in a method",
                    input.request_validator_id
                )));
            }
            api.validators.remove(&input.request_validator_id);
            Ok(NOTHING)
        })
        .await
}
