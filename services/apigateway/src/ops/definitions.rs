//! ImportRestApi, PutRestApi, GetExport.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use service::{RequestContext, ServiceError};

use super::rest_apis::{complete, new_id, whole_seconds, with_root};
use super::{State, stages};
use crate::error::{bad_request, not_found};
use crate::g;
use crate::openapi::apply::{self, BasePath};
use crate::openapi::write::{self, Wanted};
use crate::openapi::{self, Definition, read};
use crate::records::Place;
use crate::run::find::Deployed;

/// AWS's limit of a document.
const MAX_DOCUMENT: usize = 6 << 20;

type Parameters = Option<BTreeMap<String, String>>;

fn parameter<'p>(parameters: &'p Parameters, name: &str) -> Option<&'p str> {
    parameters.as_ref()?.get(name).map(String::as_str)
}

fn definition(body: &Bytes, strict: Option<bool>) -> Result<Definition, ServiceError> {
    if body.len() > MAX_DOCUMENT {
        return Err(bad_request(
            "The API definition exceeds the maximum size of 6 MB",
        ));
    }
    let document = openapi::document(body)?;
    let definition = read::definition(&document)?;
    if strict == Some(true) && !definition.warnings.is_empty() {
        return Err(bad_request(format!(
            "Warnings found during import:\n\t{}",
            definition.warnings.join("\n\t")
        )));
    }
    Ok(definition)
}

pub async fn import(
    service: State,
    context: RequestContext,
    input: g::ImportRestApiRequest,
) -> Result<g::RestApi, ServiceError> {
    let definition = definition(&input.body, input.fail_on_warnings)?;
    let base_path = BasePath::parse(parameter(&input.parameters, "basepath"))?;
    let types = parameter(&input.parameters, "endpointConfigurationTypes").map(|types| {
        let kinds = types.split(',').map(|kind| {
            g::EndpointType::parse(kind.trim())
                .ok_or_else(|| bad_request(format!("Invalid endpoint configuration type: {kind}")))
        });
        kinds.collect::<Result<Vec<_>, _>>()
    });
    let id = new_id(&service, None)?;
    let mut info = Arc::new(g::RestApi {
        id: Some(id.clone()),
        created_date: Some(whole_seconds(context.received_at)),
        endpoint_configuration: Some(g::EndpointConfiguration {
            types: types.transpose()?,
            ..g::EndpointConfiguration::default()
        }),
        ..g::RestApi::default()
    });
    apply::describe(&mut info, &definition);
    let mut info = Arc::unwrap_or_clone(info);
    // A title is not asked for in every document.
    info.name.get_or_insert_with(|| "Unnamed".to_owned());
    complete(&mut info)?;
    let mut api = with_root(info);
    let warnings = apply::apply(&mut api, definition, base_path)?;
    let mut shown = g::RestApi::clone(&api.info);
    shown.warnings = Some(warnings).filter(|warnings| !warnings.is_empty());
    service
        .change(&context, |inventory| {
            inventory.apis.insert(id, Arc::new(api));
            Ok(shown)
        })
        .await
}

pub async fn put(
    service: State,
    context: RequestContext,
    input: g::PutRestApiRequest,
) -> Result<g::RestApi, ServiceError> {
    let definition = definition(&input.body, input.fail_on_warnings)?;
    let base_path = BasePath::parse(parameter(&input.parameters, "basepath"))?;
    let overwrites = input.mode == Some(g::PutMode::Overwrite);
    service
        .change_api(&context, &input.rest_api_id, |api| {
            if overwrites {
                apply::clear(api);
            }
            apply::describe(&mut api.info, &definition);
            let mut info = g::RestApi::clone(&api.info);
            complete(&mut info)?;
            api.info = Arc::new(info);
            let warnings = apply::apply(api, definition, base_path)?;
            let mut shown = g::RestApi::clone(&api.info);
            shown.warnings = Some(warnings).filter(|warnings| !warnings.is_empty());
            Ok(shown)
        })
        .await
}

pub async fn export(
    service: State,
    context: RequestContext,
    input: g::GetExportRequest,
) -> Result<g::ExportResponse, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let stage = api
        .stages
        .get(&input.stage_name)
        .ok_or_else(stages::unknown)?;
    let deployment = stage
        .deployment_id
        .as_deref()
        .and_then(|id| api.deployments.get(id));
    let deployment =
        deployment.ok_or_else(|| not_found("Invalid Deployment identifier specified"))?;
    let three = match input.export_type.as_str() {
        "oas30" => true,
        "swagger" => false,
        other => {
            return Err(bad_request(format!("No API exporter for type '{other}'")));
        }
    };
    let extensions = parameter(&input.parameters, "extensions").unwrap_or_default();
    let snapshot = &deployment.snapshot;
    let place = Place::of(&context);
    let host = format!(
        "{}.execute-api.{}.localhost",
        input.rest_api_id, context.region
    );
    let deployed = Deployed::new(place, &input.rest_api_id, stage, snapshot, None);
    let document = write::document(&deployed, &host, Wanted::new(three, extensions));
    let (kind, body, ending) = match input.accepts.as_deref() {
        Some("application/yaml") => {
            let yaml = serde_saphyr::to_string(&document).map_err(|error| {
                tracing::error!(%error, "an export cannot be written as YAML");
                ServiceError::internal()
            })?;
            ("application/yaml", yaml, "yaml")
        }
        None | Some("" | "*/*" | "application/json") => {
            let json = serde_json::to_string_pretty(&document).unwrap_or_default();
            ("application/json", json, "json")
        }
        Some(other) => {
            return Err(bad_request(format!(
                "Unsupported export format {other}. Must be one of: [application/json, application/yaml]"
            )));
        }
    };
    let name = format!(
        "{}_{}.{ending}",
        input.export_type,
        whole_seconds(context.received_at).iso8601_seconds()
    );
    Ok(g::ExportResponse {
        content_type: Some(kind.to_owned()),
        content_disposition: Some(format!("attachment; filename=\"{name}\"")),
        body: Some(Bytes::from(body)),
    })
}
