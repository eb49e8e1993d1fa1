//! TagResource, UntagResource, GetTags: of APIs, stages, API keys, usage plans and domain names.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Arn;
use service::{RequestContext, ServiceError};

use super::{NOTHING, State, check_tags, paged};
use crate::error::{bad_request, not_found};
use crate::g;
use crate::records::Inventory;

type Tags = BTreeMap<String, String>;

fn unknown() -> ServiceError {
    not_found("Invalid resource identifier specified")
}

/// The parts of `/restapis/<id>/stages/<name>`, of the ARN of something in this region.
fn path(context: &RequestContext, arn: &str) -> Result<Vec<String>, ServiceError> {
    let parsed: Option<Arn> = arn.parse().ok();
    let parsed = parsed.filter(|arn| arn.service == "apigateway");
    let parsed = parsed.ok_or_else(|| bad_request("Invalid ARN specified in the request"))?;
    if parsed.region != context.region.to_string() {
        return Err(unknown());
    }
    let parts = parsed.resource.trim_start_matches('/').split('/');
    Ok(parts.map(str::to_owned).collect())
}

/// Reads or changes the tags of what a path names.
fn with_tags<T>(
    inventory: &mut Inventory,
    path: &[String],
    visit: impl FnOnce(&mut Option<Tags>) -> T,
) -> Result<T, ServiceError> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path[..] {
        ["restapis", id] => {
            let api = inventory.apis.get_mut(id).ok_or_else(unknown)?;
            let info = &mut Arc::make_mut(api).info;
            Ok(visit(&mut Arc::make_mut(info).tags))
        }
        ["restapis", id, "stages", name] => {
            let api = inventory.apis.get_mut(id).ok_or_else(unknown)?;
            let stage = Arc::make_mut(api)
                .stages
                .get_mut(name)
                .ok_or_else(unknown)?;
            Ok(visit(&mut stage.tags))
        }
        ["apikeys", id] => {
            let key = inventory.keys.get_mut(id).ok_or_else(unknown)?;
            Ok(visit(&mut key.tags))
        }
        ["usageplans", id] => {
            let plan = inventory.plans.get_mut(id).ok_or_else(unknown)?;
            Ok(visit(&mut plan.tags))
        }
        ["domainnames", name] => {
            let domain = inventory.domains.get_mut(name).ok_or_else(unknown)?;
            Ok(visit(&mut domain.tags))
        }
        _ => Err(unknown()),
    }
}

pub async fn tag(
    service: State,
    context: RequestContext,
    input: g::TagResourceRequest,
) -> Result<wire::Unit, ServiceError> {
    let path = path(&context, &input.resource_arn)?;
    service
        .change(&context, |inventory| {
            let after = with_tags(inventory, &path, |tags| {
                let tags = tags.get_or_insert_default();
                tags.extend(input.tags);
                tags.clone()
            })?;
            check_tags(Some(&after))?;
            Ok(NOTHING)
        })
        .await
}

pub async fn untag(
    service: State,
    context: RequestContext,
    input: g::UntagResourceRequest,
) -> Result<wire::Unit, ServiceError> {
    let path = path(&context, &input.resource_arn)?;
    service
        .change(&context, |inventory| {
            with_tags(inventory, &path, |tags| {
                let kept = tags.take().map(|mut tags| {
                    tags.retain(|key, _| !input.tag_keys.contains(key));
                    tags
                });
                *tags = super::entries(kept);
            })?;
            Ok(NOTHING)
        })
        .await
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetTagsRequest,
) -> Result<g::Tags, ServiceError> {
    let path = path(&context, &input.resource_arn)?;
    let mut inventory = Inventory::clone(&service.inventory(&context));
    let tags = with_tags(&mut inventory, &path, |tags| tags.clone())?.unwrap_or_default();
    let tags = tags
        .into_iter()
        .map(|(key, value)| (key.clone(), (key, value)));
    let (tags, _) = paged(tags, input.position.as_deref(), Some(super::MAX_LIMIT))?;
    Ok(g::Tags {
        tags: Some(tags.into_iter().collect()),
    })
}
