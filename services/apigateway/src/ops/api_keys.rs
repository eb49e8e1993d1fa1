//! CreateApiKey, GetApiKey, GetApiKeys, UpdateApiKey, DeleteApiKey, ImportApiKeys.

use service::{RequestContext, ServiceError};

use super::rest_apis::whole_seconds;
use super::{NOTHING, State, check_tags, entries, paged};
use crate::domain::{ids, patch, patches};
use crate::error::{bad_request, conflict, not_found};
use crate::g;
use crate::records::Inventory;

fn unknown() -> ServiceError {
    not_found("Invalid API Key identifier specified")
}

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateApiKeyRequest,
) -> Result<g::ApiKey, ServiceError> {
    check_tags(input.tags.as_ref())?;
    let now = whole_seconds(context.received_at);
    let stages = input
        .stage_keys
        .unwrap_or_default()
        .into_iter()
        .map(|stage| {
            let api = stage.rest_api_id.unwrap_or_default();
            format!("{api}/{}", stage.stage_name.unwrap_or_default())
        });
    let key = g::ApiKey {
        id: Some(ids::long()),
        value: Some(input.value.unwrap_or_else(ids::key_value)),
        name: input.name,
        customer_id: input.customer_id,
        description: input.description,
        enabled: Some(input.enabled.unwrap_or(false)),
        created_date: Some(now),
        last_updated_date: Some(now),
        stage_keys: Some(stages.collect()),
        tags: entries(input.tags),
    };
    service
        .change(&context, |inventory| add(inventory, key))
        .await
}

fn add(inventory: &mut Inventory, key: g::ApiKey) -> Result<g::ApiKey, ServiceError> {
    let value = key.value.as_deref().unwrap_or_default();
    if value.len() < 20 {
        return Err(bad_request(
            "API Key value should be at least 20 characters",
        ));
    }
    if value.len() > 128 {
        return Err(bad_request(
            "API Key value should not be more than 128 characters",
        ));
    }
    if inventory
        .keys
        .values()
        .any(|other| other.value == key.value)
    {
        return Err(conflict("API Key already exists"));
    }
    for stage in key.stage_keys.iter().flatten() {
        let (api, name) = stage.split_once('/').unwrap_or((stage, ""));
        let api = inventory.apis.get(api);
        if !api.is_some_and(|api| api.stages.has(name)) {
            return Err(bad_request("Invalid stage identifier specified"));
        }
    }
    inventory
        .keys
        .put(key.id.clone().unwrap_or_default(), key.clone());
    Ok(key)
}

/// The value is shown where that is asked for.
fn shown(key: &g::ApiKey, with_value: Option<bool>) -> g::ApiKey {
    let mut key = key.clone();
    if with_value != Some(true) {
        key.value = None;
    }
    key
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetApiKeyRequest,
) -> Result<g::ApiKey, ServiceError> {
    let inventory = service.inventory(&context);
    let key = inventory.keys.get(&input.api_key).ok_or_else(unknown)?;
    Ok(shown(key, input.include_value))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetApiKeysRequest,
) -> Result<g::ApiKeys, ServiceError> {
    let inventory = service.inventory(&context);
    let prefix = input.name_query.unwrap_or_default();
    let customer = input.customer_id;
    let keys = inventory.keys.iter().filter(|(_, key)| {
        key.name.as_deref().unwrap_or_default().starts_with(&prefix)
            && (customer.is_none() || key.customer_id == customer)
    });
    let keys = keys.map(|(id, key)| (id.to_owned(), shown(key, input.include_values)));
    let (items, position) = paged(keys, input.position.as_deref(), input.limit)?;
    Ok(g::ApiKeys {
        warnings: None,
        position,
        items: Some(items),
    })
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateApiKeyRequest,
) -> Result<g::ApiKey, ServiceError> {
    let now = whole_seconds(context.received_at);
    service
        .change(&context, |inventory| {
            let key = inventory.keys.get_mut(&input.api_key).ok_or_else(unknown)?;
            let mut changed = patch::patched(key, input.patch_operations, patches::API_KEY)?;
            changed.last_updated_date = Some(now);
            *key = changed;
            Ok(shown(key, None))
        })
        .await
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteApiKeyRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change(&context, |inventory| {
            inventory.keys.remove(&input.api_key).ok_or_else(unknown)?;
            inventory
                .plan_keys
                .retain(|_, key| key.id.as_deref() != Some(&input.api_key));
            Ok(NOTHING)
        })
        .await
}

/// A CSV file with a header line:
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-key-file-format.html>
pub async fn import(
    service: State,
    context: RequestContext,
    input: g::ImportApiKeysRequest,
) -> Result<g::ApiKeyIds, ServiceError> {
    let text = std::str::from_utf8(&input.body)
        .map_err(|_| bad_request("The file of API keys is not UTF-8"))?;
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let header: Vec<String> = fields(lines.next().unwrap_or_default())
        .into_iter()
        .map(|name| name.to_ascii_lowercase())
        .collect();
    let column = |name: &str| header.iter().position(|other| other == name);
    let (Some(name), Some(value)) = (column("name"), column("key")) else {
        return Err(bad_request(
            "The file of API keys must have the columns Name and Key",
        ));
    };
    let (description, enabled, plans) = (
        column("description"),
        column("enabled"),
        column("usageplanids"),
    );
    let now = whole_seconds(context.received_at);
    let rows: Vec<Vec<String>> = lines.map(fields).collect();
    let strict = input.fail_on_warnings == Some(true);
    service
        .change(&context, |inventory| {
            let (mut ids, mut warnings) = (Vec::new(), Vec::new());
            for row in rows {
                let field = |at: Option<usize>| at.and_then(|at| row.get(at)).cloned();
                let key = g::ApiKey {
                    id: Some(ids::long()),
                    value: field(Some(value)),
                    name: field(Some(name)),
                    description: field(description),
                    enabled: Some(
                        field(enabled).is_none_or(|text| !text.eq_ignore_ascii_case("false")),
                    ),
                    created_date: Some(now),
                    last_updated_date: Some(now),
                    stage_keys: Some(Vec::new()),
                    ..g::ApiKey::default()
                };
                let key = match add(inventory, key) {
                    Ok(key) => key,
                    Err(error) if strict => return Err(error),
                    Err(error) => {
                        warnings.push(error.message);
                        continue;
                    }
                };
                let id = key.id.clone().unwrap_or_default();
                for plan in field(plans).unwrap_or_default().split([',', ';', ' ']) {
                    if plan.is_empty() {
                        continue;
                    }
                    match super::usage_plan_keys::add(inventory, plan, &id) {
                        Ok(_) => {}
                        Err(error) if strict => return Err(error),
                        Err(error) => warnings.push(error.message),
                    }
                }
                ids.push(id);
            }
            Ok(g::ApiKeyIds {
                ids: Some(ids),
                warnings: Some(warnings),
            })
        })
        .await
}

/// The fields of a line of CSV.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => {
                if let Some(field) = fields.last_mut() {
                    field.push('"');
                }
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            letter => {
                if let Some(field) = fields.last_mut() {
                    field.push(letter);
                }
            }
        }
    }
    fields
        .into_iter()
        .map(|field| field.trim().to_owned())
        .collect()
}
