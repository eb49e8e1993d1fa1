//! CreateBasePathMapping, GetBasePathMapping, GetBasePathMappings, UpdateBasePathMapping,
//! DeleteBasePathMapping.

use service::{RequestContext, ServiceError};

use super::domain_names::unknown as unknown_domain;
use super::{NOTHING, State, filled, paged};
use crate::domain::{patch, patches};
use crate::error::{bad_request, conflict, not_found};
use crate::g;
use crate::records::Inventory;

/// What AWS calls the base path that is none.
pub const NO_BASE_PATH: &str = "(none)";

fn unknown() -> ServiceError {
    not_found("Invalid base path mapping identifier specified")
}

fn check(inventory: &Inventory, mapping: &g::BasePathMapping) -> Result<(), ServiceError> {
    let base_path = mapping.base_path.as_deref().unwrap_or_default();
    if base_path.contains('/') {
        return Err(bad_request(
            "API Gateway V1 doesn't support the slash character (/) in base path mappings. To create a multi-level base path mapping, use API Gateway V2.",
        ));
    }
    let api = mapping.rest_api_id.as_deref().unwrap_or_default();
    let Some(api) = inventory.apis.get(api) else {
        return Err(bad_request("Invalid REST API identifier specified"));
    };
    if let Some(stage) = &mapping.stage
        && !api.stages.has(stage)
    {
        return Err(bad_request("Invalid stage identifier specified"));
    }
    Ok(())
}

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateBasePathMappingRequest,
) -> Result<g::BasePathMapping, ServiceError> {
    let base_path = filled(input.base_path).unwrap_or_else(|| NO_BASE_PATH.to_owned());
    let name = format!("{}/{base_path}", input.domain_name);
    let mapping = g::BasePathMapping {
        base_path: Some(base_path),
        rest_api_id: Some(input.rest_api_id),
        stage: filled(input.stage),
    };
    service
        .change(&context, |inventory| {
            if !inventory.domains.has(&input.domain_name) {
                return Err(unknown_domain());
            }
            check(inventory, &mapping)?;
            if inventory.mappings.has(&name) {
                return Err(conflict("Base path already exists for this domain name"));
            }
            Ok(super::replace(&mut inventory.mappings, &name, mapping))
        })
        .await
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetBasePathMappingRequest,
) -> Result<g::BasePathMapping, ServiceError> {
    let inventory = service.inventory(&context);
    if !inventory.domains.has(&input.domain_name) {
        return Err(unknown_domain());
    }
    let name = format!("{}/{}", input.domain_name, input.base_path);
    let mapping = inventory.mappings.get(&name).ok_or_else(unknown)?;
    Ok(g::BasePathMapping::clone(mapping))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetBasePathMappingsRequest,
) -> Result<g::BasePathMappings, ServiceError> {
    let inventory = service.inventory(&context);
    if !inventory.domains.has(&input.domain_name) {
        return Err(unknown_domain());
    }
    let prefix = format!("{}/", input.domain_name);
    let mappings = inventory
        .mappings
        .iter()
        .filter(|(name, _)| name.starts_with(&prefix));
    let mappings =
        mappings.map(|(name, mapping)| (name.to_owned(), g::BasePathMapping::clone(mapping)));
    let (items, position) = paged(mappings, input.position.as_deref(), input.limit)?;
    Ok(g::BasePathMappings {
        position,
        items: Some(items),
    })
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateBasePathMappingRequest,
) -> Result<g::BasePathMapping, ServiceError> {
    service
        .change(&context, |inventory| {
            if !inventory.domains.has(&input.domain_name) {
                return Err(unknown_domain());
            }
            let old = format!("{}/{}", input.domain_name, input.base_path);
            let before = inventory.mappings.get(&old).ok_or_else(unknown)?;
            let rules = patches::BASE_PATH_MAPPING;
            let mut mapping: g::BasePathMapping =
                patch::patched(&**before, input.patch_operations, rules)?;
            mapping.stage = filled(mapping.stage);
            let base_path = filled(mapping.base_path.take());
            let base_path = base_path.unwrap_or_else(|| NO_BASE_PATH.to_owned());
            mapping.base_path = Some(base_path.clone());
            check(inventory, &mapping)?;
            let new = format!("{}/{base_path}", input.domain_name);
            if new != old && inventory.mappings.has(&new) {
                return Err(conflict("Base path already exists for this domain name"));
            }
            inventory.mappings.remove(&old);
            Ok(super::replace(&mut inventory.mappings, &new, mapping))
        })
        .await
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteBasePathMappingRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change(&context, |inventory| {
            if !inventory.domains.has(&input.domain_name) {
                return Err(unknown_domain());
            }
            let name = format!("{}/{}", input.domain_name, input.base_path);
            inventory.mappings.remove(&name).ok_or_else(unknown)?;
            Ok(NOTHING)
        })
        .await
}
