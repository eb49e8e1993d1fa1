//! CreateDocumentationPart, GetDocumentationPart, GetDocumentationParts, UpdateDocumentationPart,
//! DeleteDocumentationPart, ImportDocumentationParts.

use service::{RequestContext, ServiceError};

use super::{NOTHING, State, paged};
use crate::domain::{ids, patch, patches};
use crate::error::{bad_request, conflict, not_found};
use crate::g;
use crate::records::Api;

fn unknown() -> ServiceError {
    not_found("Invalid Documentation part identifier specified")
}

fn check(part: &g::DocumentationPart) -> Result<(), ServiceError> {
    let properties = part.properties.as_deref().unwrap_or_default();
    match serde_json::from_str(properties) {
        Ok(serde_json::Value::Object(_)) => Ok(()),
        _ => Err(bad_request("Invalid properties: must be a JSON object")),
    }
}

/// Two parts of one location would contradict each other.
fn at(api: &Api, location: &g::DocumentationPartLocation) -> Option<String> {
    let mut parts = api.documentation.iter();
    let found = parts.find(|(_, part)| part.location.as_ref() == Some(location));
    found.map(|(id, _)| id.to_owned())
}

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateDocumentationPartRequest,
) -> Result<g::DocumentationPart, ServiceError> {
    let id = ids::short();
    let part = g::DocumentationPart {
        id: Some(id.clone()),
        location: Some(input.location),
        properties: Some(input.properties),
    };
    check(&part)?;
    service
        .change_api(&context, &input.rest_api_id, |api| {
            if part.location.as_ref().is_some_and(|location| at(api, location).is_some()) {
                return Err(conflict("Documentation part already exists for the specified location: the type, path, method, statusCode and name must be unique"));
            }
            Ok(super::replace(&mut api.documentation, &id, part))
        })
        .await
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetDocumentationPartRequest,
) -> Result<g::DocumentationPart, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let part = api
        .documentation
        .get(&input.documentation_part_id)
        .ok_or_else(unknown)?;
    Ok(g::DocumentationPart::clone(part))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetDocumentationPartsRequest,
) -> Result<g::DocumentationParts, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let fits = |part: &g::DocumentationPart| {
        let location = part.location.clone().unwrap_or_default();
        let has =
            |asked: &Option<String>, value: Option<String>| asked.is_none() || *asked == value;
        input.r#type.is_none_or(|kind| location.r#type == kind)
            && has(&input.path, location.path)
            && has(&input.name_query, location.name)
    };
    let parts = api.documentation.iter().filter(|(_, part)| fits(part));
    let parts = parts.map(|(id, part)| (id.to_owned(), g::DocumentationPart::clone(part)));
    let (items, position) = paged(parts, input.position.as_deref(), input.limit)?;
    Ok(g::DocumentationParts {
        position,
        items: Some(items),
    })
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateDocumentationPartRequest,
) -> Result<g::DocumentationPart, ServiceError> {
    let id = input.documentation_part_id;
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let before = api.documentation.get(&id).ok_or_else(unknown)?;
            let rules = patches::DOCUMENTATION_PART;
            let part = patch::patched(&**before, input.patch_operations, rules)?;
            check(&part)?;
            Ok(super::replace(&mut api.documentation, &id, part))
        })
        .await
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteDocumentationPartRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            api.documentation
                .remove(&input.documentation_part_id)
                .ok_or_else(unknown)?;
            Ok(NOTHING)
        })
        .await
}

/// The parts in an OpenAPI document's `x-amazon-apigateway-documentation`.
pub async fn import(
    service: State,
    context: RequestContext,
    input: g::ImportDocumentationPartsRequest,
) -> Result<g::DocumentationPartIds, ServiceError> {
    let document: serde_json::Value = serde_json::from_slice(&input.body).map_err(|_| {
        bad_request("Unable to build importer with provided input: not a JSON document")
    })?;
    let parts = of_document(&document)?;
    service
        .change_api(&context, &input.rest_api_id, |api| {
            if input.mode == Some(g::PutMode::Overwrite) {
                api.documentation.clear();
            }
            let ids = add_all(api, parts);
            Ok(g::DocumentationPartIds {
                ids: Some(ids),
                warnings: Some(Vec::new()),
            })
        })
        .await
}

/// Puts parts in, in place of those at the same locations; their ids.
pub fn add_all(api: &mut Api, parts: Vec<g::DocumentationPart>) -> Vec<String> {
    let added = parts.into_iter().map(|mut part| {
        let location = part.location.clone().unwrap_or_default();
        let id = at(api, &location).unwrap_or_else(ids::short);
        part.id = Some(id.clone());
        api.documentation.put(id.clone(), part);
        id
    });
    added.collect()
}

/// What a document says of itself, without ids.
pub fn of_document(
    document: &serde_json::Value,
) -> Result<Vec<g::DocumentationPart>, ServiceError> {
    let parts = &document["x-amazon-apigateway-documentation"]["documentationParts"];
    let parts = parts.as_array().map(Vec::as_slice).unwrap_or_default();
    let read = |part: &serde_json::Value| {
        let location = &part["location"];
        let text = |name: &str| location[name].as_str().map(str::to_owned);
        let kind = location["type"]
            .as_str()
            .and_then(g::DocumentationPartType::parse);
        let kind = kind.ok_or_else(|| bad_request("A documentation part has no valid type"))?;
        let part = g::DocumentationPart {
            id: None,
            location: Some(g::DocumentationPartLocation {
                r#type: kind,
                path: text("path"),
                method: text("method"),
                status_code: text("statusCode"),
                name: text("name"),
            }),
            properties: Some(part["properties"].to_string()),
        };
        check(&part)?;
        Ok(part)
    };
    parts.iter().map(read).collect()
}
