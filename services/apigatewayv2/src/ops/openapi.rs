//! ImportApi, ReimportApi, ExportApi.

use std::collections::HashMap;

use bytes::Bytes;
use service::{RequestContext, ServiceError};
use wire::Value;

use super::apis::{check_free, complete, shown};
use super::{Answer, State, text};
use crate::change::{Change, find, fresh_id};
use crate::domain::openapi::{self, BasePath, Definition};
use crate::domain::validation;
use crate::ops::integrations;
use crate::records::{
    ApiRecord, Authorizer, HTTP, Integration, IntegrationResponse, Route, RouteResponse, Stage,
};
use crate::{error, shape};

fn definition(input: &Value) -> Result<Definition, ServiceError> {
    let base = match text(input, "Basepath") {
        "" | "ignore" => BasePath::Ignore,
        "prepend" => BasePath::Prepend,
        "split" => BasePath::Split,
        other => {
            return Err(error::bad_request(format!(
                "Invalid base path {other}: must be one of ignore, prepend, split"
            )));
        }
    };
    let definition = openapi::read(text(input, "Body"), base).map_err(error::bad_request)?;
    let fails = input.get("FailOnWarnings") == Some(&Value::Bool(true));
    if fails && !definition.warnings.is_empty() {
        let warnings = definition.warnings.join("; ");
        return Err(error::bad_request(format!(
            "Warnings found during import: {warnings}"
        )));
    }
    Ok(definition)
}

/// Puts the definition's parts into an API that has none.
fn fill(change: &mut Change<'_>, definition: Definition) -> Result<(), ServiceError> {
    let mut ids = HashMap::new();
    for authorizer in definition.authorizers {
        let scheme = authorizer.authorizer_id.clone();
        let authorizer = Authorizer {
            authorizer_id: fresh_id(6),
            ..authorizer
        };
        validation::authorizer(&change.api, &authorizer)?;
        ids.insert(scheme, authorizer.authorizer_id.clone());
        change.put(authorizer)?;
    }
    for (mut route, integration) in definition.routes {
        if let Some(mut integration) = integration {
            integration.integration_id = fresh_id(7);
            integrations::complete(&change.api, &mut integration);
            validation::integration(&change.api, &integration)?;
            route.target = Some(format!("integrations/{}", integration.integration_id));
            change.put(integration)?;
        }
        route.route_id = fresh_id(7);
        let id = route.authorizer_id.take();
        route.authorizer_id = id.and_then(|scheme| ids.get(&scheme).cloned());
        validation::route(&change.api, &route)?;
        change.put(route)?;
    }
    Ok(())
}

/// The API itself as the definition has it.
fn described(before: ApiRecord, definition: &Definition) -> ApiRecord {
    ApiRecord {
        name: definition.name.clone(),
        description: definition.description.clone(),
        version: definition.version.clone(),
        cors_configuration: definition.cors.clone(),
        tags: Some(definition.tags.clone()),
        warnings: Some(definition.warnings.clone()).filter(|all| !all.is_empty()),
        ..before
    }
}

pub async fn import(state: State, context: RequestContext, input: Value) -> Answer {
    let definition = definition(&input)?;
    let mut record = ApiRecord {
        protocol_type: HTTP.to_owned(),
        ..ApiRecord::default()
    };
    record.tags = Some(definition.tags.clone());
    complete(&state, &mut record)?;
    let record = described(record, &definition);
    validation::api(&record)?;
    let mut change = state.begin(&context, record.clone()).await;
    check_free(&state, &record.api_id)?;
    change.put_api(record)?;
    fill(&mut change, definition)?;
    let api = change.commit().await?;
    Ok(shown(&state, &context, &api))
}

/// Overwrites what the API has; its stages and deployments stay.
pub async fn reimport(state: State, context: RequestContext, input: Value) -> Answer {
    let definition = definition(&input)?;
    let mut change = state.change(&context, text(&input, "ApiId")).await?;
    if change.api.record.protocol_type != HTTP {
        return Err(error::bad_request(
            "Reimport is supported for HTTP APIs only",
        ));
    }
    let record = described(change.api.record.clone(), &definition);
    validation::api(&record)?;
    let api = change.api.clone();
    api.routes.keys().for_each(|id| change.delete::<Route>(id));
    for id in api.route_responses.keys() {
        change.delete::<RouteResponse>(id);
    }
    for id in api.integrations.keys() {
        change.delete::<Integration>(id);
    }
    for id in api.integration_responses.keys() {
        change.delete::<IntegrationResponse>(id);
    }
    for id in api.authorizers.keys() {
        change.delete::<Authorizer>(id);
    }
    change.put_api(record)?;
    fill(&mut change, definition)?;
    let api = change.commit().await?;
    state.plane.forget_grants(api.id(), None);
    Ok(shown(&state, &context, &api))
}

pub async fn export(state: State, context: RequestContext, input: Value) -> Answer {
    let api = state.api(&context, text(&input, "ApiId"))?;
    if api.record.protocol_type != HTTP {
        return Err(error::bad_request("Export is supported for HTTP APIs only"));
    }
    if text(&input, "Specification") != "OAS30" {
        return Err(error::bad_request(
            "Invalid specification: the only supported value is OAS30",
        ));
    }
    let version = text(&input, "ExportVersion");
    if !matches!(version, "" | "1.0") {
        return Err(error::bad_request("Invalid export version: must be 1.0"));
    }
    let served = match text(&input, "StageName") {
        "" => api.snapshot(),
        name => {
            let stage = find::<Stage>(&api, name)?;
            let id = stage.deployment_id.as_ref();
            let deployment = id.and_then(|id| api.deployments.get(id));
            let snapshot = deployment.and_then(|it| it.snapshot.clone());
            snapshot.unwrap_or_else(|| api.snapshot())
        }
    };
    let shown = shape::json_of(shown(&state, &context, &api));
    let endpoint = shown["ApiEndpoint"].as_str().unwrap_or_default();
    let extended = input.get("IncludeExtensions") != Some(&Value::Bool(false));
    let document = openapi::write(&api.record, endpoint, &served, extended);
    let body = match text(&input, "OutputType") {
        "JSON" => serde_json::to_string_pretty(&document).unwrap_or_default(),
        "YAML" => serde_yaml_ng::to_string(&document).unwrap_or_default(),
        _ => {
            return Err(error::bad_request(
                "Invalid output type: must be one of JSON, YAML",
            ));
        }
    };
    let body = Value::Blob(Bytes::from(body));
    Ok(Value::of_members([Some(("body", body))]))
}
