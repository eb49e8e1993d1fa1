//! CreateModel, GetModel, GetModels, UpdateModel, DeleteModel.

use service::{RequestContext, ServiceError};

use super::{NOTHING, State, shown};
use crate::domain::{ids, patch, patches};
use crate::error::{bad_request, conflict, not_found};
use crate::g;
use crate::records::Api;

fn unknown() -> ServiceError {
    not_found("Invalid Model Name specified")
}

/// A model's schema must be JSON; what it means is judged where it is used.
pub fn check(_: &Api, model: &g::Model) -> Result<(), ServiceError> {
    let schema = model.schema.as_deref().unwrap_or_default();
    let json: Result<serde_json::Value, _> = serde_json::from_str(schema);
    match json {
        Ok(serde_json::Value::Object(_)) => Ok(()),
        _ if schema.is_empty() => Err(bad_request(
            "Model schema must have at least 1 property or array items defined",
        )),
        _ => Err(bad_request(
            "Invalid model specified: Validation Result: warnings : [], errors : [Invalid model schema specified]",
        )),
    }
}

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateModelRequest,
) -> Result<g::Model, ServiceError> {
    let name = input.name;
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
        return Err(bad_request(format!(
            "Model name must be alphanumeric: {name}"
        )));
    }
    let model = g::Model {
        id: Some(ids::short()),
        name: Some(name.clone()),
        description: input.description,
        schema: input.schema,
        content_type: Some(input.content_type),
    };
    service
        .change_api(&context, &input.rest_api_id, |api| {
            if api.models.has(&name) {
                return Err(conflict("Model name already exists for this REST API"));
            }
            check(api, &model)?;
            api.models.put(name, model.clone());
            Ok(model)
        })
        .await
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetModelRequest,
) -> Result<g::Model, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let found = api.models.get(&input.model_name).ok_or_else(unknown)?;
    Ok(g::Model::clone(found))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetModelsRequest,
) -> Result<g::Models, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let (items, position) = shown(&api.models, input.position.as_deref(), input.limit)?;
    Ok(g::Models {
        position,
        items: Some(items),
    })
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateModelRequest,
) -> Result<g::Model, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let before = api.models.get(&input.model_name).ok_or_else(unknown)?;
            let changed: g::Model =
                patch::patched(&**before, input.patch_operations, patches::MODEL)?;
            check(api, &changed)?;
            Ok(super::replace(&mut api.models, &input.model_name, changed))
        })
        .await
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteModelRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            if !api.models.has(&input.model_name) {
                return Err(unknown());
            }
            let name = Some(&input.model_name);
            let mut methods = api.resources.values().flat_map(|resource| {
                resource
                    .resource_methods
                    .iter()
                    .flat_map(|methods| methods.values())
            });
            let uses = |method: &g::Method| {
                let requests = method
                    .request_models
                    .iter()
                    .flat_map(|models| models.values());
                let responses = method.method_responses.iter().flat_map(|all| all.values());
                let responses = responses.flat_map(|response| {
                    response
                        .response_models
                        .iter()
                        .flat_map(|models| models.values())
                });
                requests.chain(responses).any(|model| Some(model) == name)
            };
            if let Some(method) = methods.find(|method| uses(method)) {
                let method = method.http_method.as_deref().unwrap_or_default();
                return Err(conflict(format!(
                    "Cannot delete model '{}', is referenced in method: {method}",
                    input.model_name
                )));
            }
            api.models.remove(&input.model_name);
            Ok(NOTHING)
        })
        .await
}
