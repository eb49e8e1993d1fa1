//! CreateResource, GetResource, GetResources, UpdateResource, DeleteResource.

use service::{RequestContext, ServiceError};

use super::{NOTHING, State, paged};
use crate::domain::{ids, patch, patches, paths};
use crate::error::{bad_request, conflict, limit_exceeded, not_found};
use crate::g;
use crate::records::Api;

/// AWS's quota, which can be raised there.
const MAX_RESOURCES: usize = 3_000;

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateResourceRequest,
) -> Result<g::Resource, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            add(api, &input.parent_id, &input.path_part)
        })
        .await
}

/// Adds a resource below another.
pub fn add(api: &mut Api, parent: &str, part: &str) -> Result<g::Resource, ServiceError> {
    let parent_path = match api.resources.get(parent) {
        Some(parent) => parent.path.clone().unwrap_or_default(),
        None => return Err(not_found("Invalid Resource identifier specified")),
    };
    check_place(api, parent, &parent_path, part, None)?;
    if api.resources.len() >= MAX_RESOURCES {
        return Err(limit_exceeded(
            "Maximum number of resources for this API has been reached. Please contact AWS if you need additional resources.",
        ));
    }
    let id = ids::short();
    let resource = g::Resource {
        id: Some(id.clone()),
        parent_id: Some(parent.to_owned()),
        path_part: Some(part.to_owned()),
        path: Some(paths::below(&parent_path, part)),
        resource_methods: None,
    };
    api.resources.put(id, resource.clone());
    Ok(resource)
}

/// Whether a resource may be there under that name; `own` is the one that moves.
fn check_place(
    api: &Api,
    parent: &str,
    parent_path: &str,
    part: &str,
    own: Option<&str>,
) -> Result<(), ServiceError> {
    if !paths::is_part(part) {
        return Err(bad_request(
            "Resource's path part only allow a-zA-Z0-9._-: or a valid greedy path variable and curly braces at the beginning and the end.",
        ));
    }
    let last = paths::parts(parent_path).last().unwrap_or_default();
    if paths::is_greedy(last) {
        return Err(bad_request(format!(
            "Cannot create a child of a resource with a greedy path variable: {last}"
        )));
    }
    let siblings = api.resources.values();
    let mut siblings = siblings
        .filter(|other| other.parent_id.as_deref() == Some(parent) && other.id.as_deref() != own);
    for sibling in siblings.by_ref() {
        let name = sibling.path_part.as_deref().unwrap_or_default();
        if name == part {
            return Err(conflict(format!(
                "Another resource with the same parent already has this name: {part}"
            )));
        }
        if paths::is_variable(name) && paths::is_variable(part) {
            return Err(bad_request(format!(
                "A sibling ({name}) of this resource already has a variable path part -- only one is allowed"
            )));
        }
    }
    Ok(())
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetResourceRequest,
) -> Result<g::Resource, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let resource = api.resources.get(&input.resource_id);
    let resource = resource.ok_or_else(|| not_found("Invalid Resource identifier specified"))?;
    Ok(embedded(resource, input.embed.as_deref()))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetResourcesRequest,
) -> Result<g::Resources, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let resources = api.resources.iter();
    let resources =
        resources.map(|(id, resource)| (id.to_owned(), embedded(resource, input.embed.as_deref())));
    let (items, position) = paged(resources, input.position.as_deref(), input.limit)?;
    Ok(g::Resources {
        position,
        items: Some(items),
    })
}

/// Methods are shown in full where they are asked for, and else just named.
fn embedded(resource: &g::Resource, embed: Option<&[String]>) -> g::Resource {
    let mut shown = resource.clone();
    let in_full = embed
        .unwrap_or_default()
        .iter()
        .any(|what| what == "methods");
    if !in_full {
        for method in shown
            .resource_methods
            .iter_mut()
            .flat_map(|methods| methods.values_mut())
        {
            *method = g::Method::default();
        }
    }
    shown
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateResourceRequest,
) -> Result<g::Resource, ServiceError> {
    let id = input.resource_id;
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let Some(before) = api.resources.get(&id) else {
                return Err(not_found("Invalid Resource identifier specified"));
            };
            let Some(old_parent) = before.parent_id.clone() else {
                return Err(bad_request("The root resource cannot be changed."));
            };
            let mut resource =
                patch::patched(&**before, input.patch_operations, patches::RESOURCE)?;
            let parent = resource.parent_id.clone().unwrap_or(old_parent);
            let Some(holder) = api.resources.get(&parent) else {
                return Err(not_found("Invalid Resource identifier specified"));
            };
            let holder_path = holder.path.clone().unwrap_or_default();
            if is_below(api, &parent, &id) {
                return Err(bad_request("Resources cannot be cyclical."));
            }
            let part = resource.path_part.clone().unwrap_or_default();
            check_place(api, &parent, &holder_path, &part, Some(&id))?;
            resource.parent_id = Some(parent);
            resource.path = Some(paths::below(&holder_path, &part));
            let shown = embedded(&resource, None);
            api.resources.put(id.clone(), resource);
            follow(api, &id);
            Ok(shown)
        })
        .await
}

/// Whether a resource is another, or below it.
fn is_below(api: &Api, resource: &str, top: &str) -> bool {
    let mut at = Some(resource.to_owned());
    while let Some(id) = at {
        if id == top {
            return true;
        }
        at = api
            .resources
            .get(&id)
            .and_then(|resource| resource.parent_id.clone());
    }
    false
}

/// Gives what is below a resource its path.
fn follow(api: &mut Api, top: &str) {
    let Some(path) = api.resources.get(top).and_then(|top| top.path.clone()) else {
        return;
    };
    for child in children(api, top) {
        if let Some(child) = api.resources.get_mut(&child) {
            let part = child.path_part.clone().unwrap_or_default();
            child.path = Some(paths::below(&path, &part));
        }
        follow(api, &child);
    }
}

fn children(api: &Api, parent: &str) -> Vec<String> {
    let resources = api.resources.iter();
    let below = resources.filter(|(_, resource)| resource.parent_id.as_deref() == Some(parent));
    below.map(|(id, _)| id.to_owned()).collect()
}

/// With all below it.
pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteResourceRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let Some(resource) = api.resources.get(&input.resource_id) else {
                return Err(not_found("Invalid Resource identifier specified"));
            };
            if resource.parent_id.is_none() {
                return Err(bad_request("The root resource cannot be deleted."));
            }
            let mut going = vec![input.resource_id.clone()];
            while let Some(id) = going.pop() {
                going.extend(children(api, &id));
                api.resources.remove(&id);
            }
            Ok(NOTHING)
        })
        .await
}
