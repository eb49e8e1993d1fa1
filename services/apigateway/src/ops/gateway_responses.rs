//! PutGatewayResponse, GetGatewayResponse, GetGatewayResponses, UpdateGatewayResponse,
//! DeleteGatewayResponse.

use service::{RequestContext, ServiceError};

use super::{NOTHING, State, paged};
use crate::domain::{defaults, expressions, patch, patches};
use crate::error::{bad_request, not_found};
use crate::g;
use crate::records::{Api, Shelf};

/// The response of a kind as an API has it now.
fn effective(
    responses: &Shelf<g::GatewayResponse>,
    kind: g::GatewayResponseType,
) -> g::GatewayResponse {
    defaults::effective(kind, |kind| {
        let changed = responses.get(kind.as_str());
        changed.map(|response| g::GatewayResponse::clone(response))
    })
}

fn check(response: &g::GatewayResponse) -> Result<(), ServiceError> {
    if let Some(status) = &response.status_code {
        let number: Option<u16> = status.parse().ok();
        if !number.is_some_and(|number| (100..600).contains(&number)) {
            return Err(bad_request(format!("Invalid status code: {status}")));
        }
    }
    for (name, value) in response.response_parameters.iter().flatten() {
        let is_header = name
            .strip_prefix("gatewayresponse.header.")
            .is_some_and(|header| !header.is_empty());
        let is_source = expressions::source(value, "method.request").is_some();
        if !is_header || !is_source {
            let wrong = if is_header { value } else { name };
            return Err(bad_request(format!(
                "Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression parameter specified: {wrong}]"
            )));
        }
    }
    Ok(())
}

pub async fn put(
    service: State,
    context: RequestContext,
    input: g::PutGatewayResponseRequest,
) -> Result<g::GatewayResponse, ServiceError> {
    let kind = input.response_type;
    let default = defaults::gateway_response(kind);
    let response = g::GatewayResponse {
        response_type: Some(kind),
        status_code: input.status_code.or(default.status_code),
        response_parameters: input.response_parameters.or(default.response_parameters),
        response_templates: input.response_templates.or(default.response_templates),
        default_response: Some(false),
    };
    check(&response)?;
    service
        .change_api(&context, &input.rest_api_id, |api| {
            Ok(super::replace(&mut api.responses, kind.as_str(), response))
        })
        .await
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetGatewayResponseRequest,
) -> Result<g::GatewayResponse, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    Ok(effective(&api.responses, input.response_type))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetGatewayResponsesRequest,
) -> Result<g::GatewayResponses, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let kinds = g::GatewayResponseType::VALUES.iter();
    let mut all: Vec<_> = kinds
        .map(|kind| (kind.as_str().to_owned(), effective(&api.responses, *kind)))
        .collect();
    all.sort_by(|(one, _), (other, _)| one.cmp(other));
    let (items, position) = paged(all, input.position.as_deref(), input.limit)?;
    Ok(g::GatewayResponses {
        position,
        items: Some(items),
    })
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateGatewayResponseRequest,
) -> Result<g::GatewayResponse, ServiceError> {
    let kind = input.response_type;
    service
        .change_api(&context, &input.rest_api_id, |api: &mut Api| {
            let before = effective(&api.responses, kind);
            let rules = patches::GATEWAY_RESPONSE;
            let mut response = patch::patched(&before, input.patch_operations, rules)?;
            response.default_response = Some(false);
            check(&response)?;
            Ok(super::replace(&mut api.responses, kind.as_str(), response))
        })
        .await
}

/// What is left is the default.
pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteGatewayResponseRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            match api.responses.remove(input.response_type.as_str()) {
                Some(_) => Ok(NOTHING),
                None => Err(not_found("Gateway response type not defined on api")),
            }
        })
        .await
}
