//! CreateUsagePlanKey, GetUsagePlanKey, GetUsagePlanKeys, DeleteUsagePlanKey.

use service::{RequestContext, ServiceError};

use super::usage_plans::unknown as unknown_plan;
use super::{NOTHING, State, paged};
use crate::error::{bad_request, conflict, not_found};
use crate::g;
use crate::records::Inventory;

fn unknown() -> ServiceError {
    not_found("Invalid Usage Plan Key identifier specified")
}

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateUsagePlanKeyRequest,
) -> Result<g::UsagePlanKey, ServiceError> {
    if input.key_type != "API_KEY" {
        return Err(bad_request(format!(
            "Invalid key type {}. Must be one of: [API_KEY]",
            input.key_type
        )));
    }
    service
        .change(&context, |inventory| {
            add(inventory, &input.usage_plan_id, &input.key_id)
        })
        .await
}

/// Puts a key into a plan.
pub fn add(
    inventory: &mut Inventory,
    plan: &str,
    key: &str,
) -> Result<g::UsagePlanKey, ServiceError> {
    if !inventory.plans.has(plan) {
        return Err(unknown_plan());
    }
    let Some(known) = inventory.keys.get(key) else {
        return Err(not_found("Invalid API Key identifier specified"));
    };
    let name = format!("{plan}/{key}");
    if inventory.plan_keys.has(&name) {
        return Err(conflict("Usage Plan Key already exists"));
    }
    let shown = g::UsagePlanKey {
        id: Some(key.to_owned()),
        r#type: Some("API_KEY".to_owned()),
        value: known.value.clone(),
        name: known.name.clone(),
    };
    inventory.plan_keys.put(name, shown.clone());
    Ok(shown)
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetUsagePlanKeyRequest,
) -> Result<g::UsagePlanKey, ServiceError> {
    let inventory = service.inventory(&context);
    if !inventory.plans.has(&input.usage_plan_id) {
        return Err(unknown_plan());
    }
    let name = format!("{}/{}", input.usage_plan_id, input.key_id);
    let key = inventory.plan_keys.get(&name).ok_or_else(unknown)?;
    Ok(g::UsagePlanKey::clone(key))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetUsagePlanKeysRequest,
) -> Result<g::UsagePlanKeys, ServiceError> {
    let inventory = service.inventory(&context);
    if !inventory.plans.has(&input.usage_plan_id) {
        return Err(unknown_plan());
    }
    let prefix = format!("{}/", input.usage_plan_id);
    let query = input.name_query.unwrap_or_default();
    let keys = inventory.plan_keys.iter().filter(|(name, key)| {
        name.starts_with(&prefix) && key.name.as_deref().unwrap_or_default().starts_with(&query)
    });
    let keys = keys.map(|(name, key)| (name.to_owned(), g::UsagePlanKey::clone(key)));
    let (items, position) = paged(keys, input.position.as_deref(), input.limit)?;
    Ok(g::UsagePlanKeys {
        position,
        items: Some(items),
    })
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteUsagePlanKeyRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change(&context, |inventory| {
            if !inventory.plans.has(&input.usage_plan_id) {
                return Err(unknown_plan());
            }
            let name = format!("{}/{}", input.usage_plan_id, input.key_id);
            inventory.plan_keys.remove(&name).ok_or_else(unknown)?;
            Ok(NOTHING)
        })
        .await
}
