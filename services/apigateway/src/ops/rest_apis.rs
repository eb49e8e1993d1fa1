//! CreateRestApi, GetRestApi, GetRestApis, UpdateRestApi, DeleteRestApi.

use std::sync::Arc;

use base::Timestamp;
use service::{RequestContext, ServiceError};

use super::{NOTHING, State, check_tags, filled, paged};
use crate::domain::{defaults, ids, patch, patches};
use crate::error::{bad_request, not_found};
use crate::records::Api;
use crate::{ApiGateway, g};

const MAX_COMPRESSION: i32 = 10_485_760;
/// LocalStack's way to choose an id.
const CUSTOM_ID: &str = "_custom_id_";

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateRestApiRequest,
) -> Result<g::RestApi, ServiceError> {
    let id = new_id(&service, input.tags.as_ref())?;
    let mut info = g::RestApi {
        id: Some(id.clone()),
        name: Some(input.name),
        description: input.description,
        created_date: Some(whole_seconds(context.received_at)),
        version: filled(input.version),
        binary_media_types: input.binary_media_types.filter(|types| !types.is_empty()),
        minimum_compression_size: input.minimum_compression_size,
        api_key_source: input.api_key_source,
        endpoint_configuration: input.endpoint_configuration,
        policy: filled(input.policy),
        tags: input.tags,
        disable_execute_api_endpoint: input.disable_execute_api_endpoint,
        security_policy: input.security_policy,
        endpoint_access_mode: input.endpoint_access_mode,
        ..g::RestApi::default()
    };
    complete(&mut info)?;
    service
        .change(&context, |inventory| {
            let api = match &input.clone_from {
                Some(original) => {
                    let original = inventory.apis.get(original);
                    let original =
                        original.ok_or_else(|| not_found("Invalid Rest API Id specified"))?;
                    cloned(original, info)
                }
                None => with_root(info),
            };
            let shown = g::RestApi::clone(&api.info);
            inventory.apis.insert(id, Arc::new(api));
            Ok(shown)
        })
        .await
}

/// The id of a new API, which no other has.
pub fn new_id(
    service: &ApiGateway,
    tags: Option<&std::collections::BTreeMap<String, String>>,
) -> Result<String, ServiceError> {
    if let Some(chosen) = tags.and_then(|tags| tags.get(CUSTOM_ID)) {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if chosen.is_empty() || chosen.len() > 63 || !chosen.chars().all(fits) {
            return Err(bad_request("Invalid API id specified"));
        }
        if service.knows_api(chosen) {
            return Err(bad_request(format!(
                "An API with the id {chosen} exists already"
            )));
        }
        return Ok(chosen.clone());
    }
    loop {
        let id = ids::long();
        if !service.knows_api(&id) {
            return Ok(id);
        }
    }
}

/// Checks what a client has said of an API, and adds what it has not.
pub fn complete(info: &mut g::RestApi) -> Result<(), ServiceError> {
    if info.name.as_deref().unwrap_or_default().trim().is_empty() {
        return Err(bad_request("API Name cannot be blank"));
    }
    if info.description.as_deref() == Some("") {
        return Err(bad_request("Description cannot be an empty string"));
    }
    check(info)?;
    info.api_key_source
        .get_or_insert(g::ApiKeySourceType::Header);
    info.disable_execute_api_endpoint.get_or_insert(false);
    let endpoint = info.endpoint_configuration.get_or_insert_default();
    endpoint
        .types
        .get_or_insert_with(|| vec![g::EndpointType::Edge]);
    endpoint
        .ip_address_type
        .get_or_insert(g::IpAddressType::Ipv4);
    info.tags = info.tags.take().filter(|tags| !tags.is_empty());
    Ok(())
}

fn check(info: &g::RestApi) -> Result<(), ServiceError> {
    if info
        .minimum_compression_size
        .is_some_and(|size| !(0..=MAX_COMPRESSION).contains(&size))
    {
        return Err(bad_request(
            "Invalid minimum compression size, must be between 0 and 10485760",
        ));
    }
    let types = info
        .endpoint_configuration
        .as_ref()
        .and_then(|endpoint| endpoint.types.as_ref());
    if types.is_some_and(|types| types.len() > 1) {
        return Err(bad_request(
            "Cannot create an api with multiple Endpoint Types.",
        ));
    }
    if let Some(policy) = &info.policy
        && serde_json::from_str::<serde_json::Value>(policy).is_err()
    {
        return Err(bad_request(
            "Invalid policy document. Please check the policy syntax and ensure that Principals are valid.",
        ));
    }
    check_tags(info.tags.as_ref())
}

/// An API with nothing but its root and the models that every API has.
pub fn with_root(mut info: g::RestApi) -> Api {
    let root = ids::long();
    info.root_resource_id = Some(root.clone());
    let mut api = Api::default();
    api.resources.put(
        root.clone(),
        g::Resource {
            id: Some(root),
            path: Some("/".to_owned()),
            ..g::Resource::default()
        },
    );
    for mut model in defaults::models() {
        model.id = Some(ids::short());
        let name = model.name.clone().unwrap_or_default();
        api.models.put(name, model);
    }
    api.info = Arc::new(info);
    api
}

/// All of an API but what has been deployed.
fn cloned(original: &Api, mut info: g::RestApi) -> Api {
    info.root_resource_id
        .clone_from(&original.info.root_resource_id);
    Api {
        info: Arc::new(info),
        deployments: crate::records::Shelf::default(),
        stages: crate::records::Shelf::default(),
        ..original.clone()
    }
}

/// AWS keeps no fractions of a second.
pub fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.seconds() * 1000)
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetRestApiRequest,
) -> Result<g::RestApi, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    Ok(g::RestApi::clone(&api.info))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetRestApisRequest,
) -> Result<g::RestApis, ServiceError> {
    let inventory = service.inventory(&context);
    let apis = inventory.apis.iter();
    let apis = apis.map(|(id, api)| (id.clone(), g::RestApi::clone(&api.info)));
    let (items, position) = paged(apis, input.position.as_deref(), input.limit)?;
    Ok(g::RestApis {
        position,
        items: Some(items),
    })
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateRestApiRequest,
) -> Result<g::RestApi, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let mut info = patch::patched(&*api.info, input.patch_operations, patches::REST_API)?;
            if info.name.as_deref().unwrap_or_default().trim().is_empty() {
                return Err(bad_request("API Name cannot be blank"));
            }
            check(&info)?;
            info.policy = filled(info.policy);
            api.info = Arc::new(info.clone());
            Ok(info)
        })
        .await
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteRestApiRequest,
) -> Result<wire::Unit, ServiceError> {
    service.api(&context, &input.rest_api_id)?;
    service
        .change(&context, |inventory| {
            let id = input.rest_api_id.as_str();
            let is_mapped = |mapping: &g::BasePathMapping| mapping.rest_api_id.as_deref() == Some(id);
            if inventory.mappings.values().any(|mapping| is_mapped(mapping)) {
                return Err(bad_request(
                    "Please remove all base path mappings related to the API from your domains before deleting the API.",
                ));
            }
            inventory.apis.remove(id);
            let plans: Vec<String> = inventory.plans.iter().map(|(id, _)| id.to_owned()).collect();
            for plan in plans {
                let uses = |stage: &g::ApiStage| stage.api_id.as_deref() == Some(id);
                let has = inventory.plans.get(&plan).is_some_and(|plan| {
                    plan.api_stages.iter().flatten().any(uses)
                });
                if has && let Some(plan) = inventory.plans.get_mut(&plan) {
                    plan.api_stages.get_or_insert_default().retain(|stage| !uses(stage));
                }
            }
            Ok(NOTHING)
        })
        .await
}
