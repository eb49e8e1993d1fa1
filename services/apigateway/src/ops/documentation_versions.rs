//! CreateDocumentationVersion, GetDocumentationVersion, GetDocumentationVersions,
//! UpdateDocumentationVersion, DeleteDocumentationVersion.

use service::{RequestContext, ServiceError};

use super::rest_apis::whole_seconds;
use super::{NOTHING, State, shown};
use crate::domain::{patch, patches};
use crate::error::{bad_request, conflict, not_found};
use crate::g;

fn unknown() -> ServiceError {
    not_found("Invalid Documentation version specified")
}

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateDocumentationVersionRequest,
) -> Result<g::DocumentationVersion, ServiceError> {
    let version = g::DocumentationVersion {
        version: Some(input.documentation_version.clone()),
        created_date: Some(whole_seconds(context.received_at)),
        description: input.description,
    };
    let name = input.documentation_version;
    service
        .change_api(&context, &input.rest_api_id, |api| {
            if name.is_empty() {
                return Err(bad_request("Documentation version cannot be blank"));
            }
            if api.documentation_versions.has(&name) {
                return Err(conflict("Documentation version already exists"));
            }
            if let Some(stage) = &input.stage_name {
                let stage = api.stages.get_mut(stage);
                let stage = stage.ok_or_else(super::stages::unknown)?;
                stage.documentation_version = Some(name.clone());
            }
            Ok(super::replace(
                &mut api.documentation_versions,
                &name,
                version,
            ))
        })
        .await
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetDocumentationVersionRequest,
) -> Result<g::DocumentationVersion, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let version = api.documentation_versions.get(&input.documentation_version);
    Ok(g::DocumentationVersion::clone(version.ok_or_else(unknown)?))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetDocumentationVersionsRequest,
) -> Result<g::DocumentationVersions, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let versions = &api.documentation_versions;
    let (items, position) = shown(versions, input.position.as_deref(), input.limit)?;
    Ok(g::DocumentationVersions {
        position,
        items: Some(items),
    })
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateDocumentationVersionRequest,
) -> Result<g::DocumentationVersion, ServiceError> {
    let name = input.documentation_version;
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let before = api.documentation_versions.get(&name).ok_or_else(unknown)?;
            let rules = patches::DOCUMENTATION_VERSION;
            let version = patch::patched(&**before, input.patch_operations, rules)?;
            Ok(super::replace(
                &mut api.documentation_versions,
                &name,
                version,
            ))
        })
        .await
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteDocumentationVersionRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let name = Some(&input.documentation_version);
            if api
                .stages
                .values()
                .any(|stage| stage.documentation_version.as_ref() == name)
            {
                return Err(bad_request("Documentation version is used by a stage"));
            }
            let removed = api
                .documentation_versions
                .remove(&input.documentation_version);
            removed.ok_or_else(unknown)?;
            Ok(NOTHING)
        })
        .await
}
