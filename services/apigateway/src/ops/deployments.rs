//! CreateDeployment, GetDeployment, GetDeployments, UpdateDeployment, DeleteDeployment.

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::rest_apis::whole_seconds;
use super::{NOTHING, State, filled, paged, stages};
use crate::domain::{ids, patch, patches};
use crate::error::{bad_request, not_found};
use crate::g;
use crate::records::{Api, Deployment};

fn unknown() -> ServiceError {
    not_found("Invalid Deployment identifier specified")
}

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateDeploymentRequest,
) -> Result<g::Deployment, ServiceError> {
    let now = whole_seconds(context.received_at);
    service
        .change_api(&context, &input.rest_api_id, |api| {
            check_complete(api)?;
            let id = ids::short();
            let shown = g::Deployment {
                id: Some(id.clone()),
                description: filled(input.description),
                created_date: Some(now),
                api_summary: None,
            };
            let deployment = Deployment {
                shown: shown.clone(),
                snapshot: Arc::new(api.snapshot()),
            };
            api.deployments.put(id.clone(), deployment);
            if let Some(name) = filled(input.stage_name) {
                if let Some(canary) = input.canary_settings {
                    // A canary is tried beside what the stage has.
                    let canary = g::CanarySettings {
                        percent_traffic: Some(canary.percent_traffic.unwrap_or(0.0)),
                        deployment_id: Some(id),
                        stage_variable_overrides: canary.stage_variable_overrides,
                        use_stage_cache: Some(canary.use_stage_cache.unwrap_or(false)),
                    };
                    stages::check_canary(&canary)?;
                    let stage = api.stages.get_mut(&name);
                    let stage = stage.ok_or_else(|| {
                        bad_request("Invalid canary settings: the stage does not exist")
                    })?;
                    stage.canary_settings = Some(canary);
                    stage.last_updated_date = Some(now);
                } else if let Some(stage) = api.stages.get_mut(&name) {
                    stage.deployment_id = Some(id);
                    stage.last_updated_date = Some(now);
                    if let Some(description) = filled(input.stage_description) {
                        stage.description = Some(description);
                    }
                    if let Some(variables) = input.variables {
                        stages::check_variables(&variables)?;
                        stage.variables = Some(variables);
                    }
                } else {
                    let stage = g::Stage {
                        deployment_id: Some(id),
                        stage_name: Some(name),
                        description: filled(input.stage_description),
                        cache_cluster_enabled: input.cache_cluster_enabled,
                        cache_cluster_size: input.cache_cluster_size,
                        variables: input.variables,
                        tracing_enabled: input.tracing_enabled,
                        ..g::Stage::default()
                    };
                    stages::add(api, stage, now)?;
                }
            }
            Ok(shown)
        })
        .await
}

/// What is deployed must have methods, each with an integration.
fn check_complete(api: &Api) -> Result<(), ServiceError> {
    let resources = api.resources.values();
    let mut methods = resources
        .flat_map(|resource| {
            resource
                .resource_methods
                .iter()
                .flat_map(|all| all.values())
        })
        .peekable();
    if methods.peek().is_none() {
        return Err(bad_request("The REST API doesn't contain any methods"));
    }
    if methods.any(|method| method.method_integration.is_none()) {
        return Err(bad_request("No integration defined for method"));
    }
    Ok(())
}

/// With a summary of its methods, where that is asked for.
fn shown(deployment: &Deployment, embed: Option<&[String]>) -> g::Deployment {
    let mut shown = deployment.shown.clone();
    if !embed
        .unwrap_or_default()
        .iter()
        .any(|what| what == "apisummary")
    {
        return shown;
    }
    let mut summary: BTreeMap<String, BTreeMap<String, g::MethodSnapshot>> = BTreeMap::new();
    for resource in deployment.snapshot.resources.values() {
        for (name, method) in resource.resource_methods.iter().flatten() {
            let path = resource.path.clone().unwrap_or_default();
            let snapshot = g::MethodSnapshot {
                authorization_type: method.authorization_type.clone(),
                api_key_required: method.api_key_required,
            };
            summary
                .entry(path)
                .or_default()
                .insert(name.clone(), snapshot);
        }
    }
    shown.api_summary = Some(summary);
    shown
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetDeploymentRequest,
) -> Result<g::Deployment, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let deployment = api
        .deployments
        .get(&input.deployment_id)
        .ok_or_else(unknown)?;
    Ok(shown(deployment, input.embed.as_deref()))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetDeploymentsRequest,
) -> Result<g::Deployments, ServiceError> {
    let api = service.api(&context, &input.rest_api_id)?;
    let deployments = api.deployments.iter();
    let deployments = deployments.map(|(id, deployment)| (id.to_owned(), shown(deployment, None)));
    let (items, position) = paged(deployments, input.position.as_deref(), input.limit)?;
    Ok(g::Deployments {
        position,
        items: Some(items),
    })
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateDeploymentRequest,
) -> Result<g::Deployment, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let deployment = api
                .deployments
                .get_mut(&input.deployment_id)
                .ok_or_else(unknown)?;
            let rules = patches::DEPLOYMENT;
            deployment.shown = patch::patched(&deployment.shown, input.patch_operations, rules)?;
            Ok(deployment.shown.clone())
        })
        .await
}

pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteDeploymentRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change_api(&context, &input.rest_api_id, |api| {
            let id = Some(input.deployment_id.as_str());
            let uses = |stage: &g::Stage| {
                let canary = stage.canary_settings.as_ref();
                stage.deployment_id.as_deref() == id
                    || canary.is_some_and(|canary| canary.deployment_id.as_deref() == id)
            };
            if !api.deployments.has(&input.deployment_id) {
                return Err(unknown());
            }
            if api.stages.values().any(|stage| uses(stage)) {
                return Err(bad_request(
                    "Active stages pointing to this deployment must be moved or deleted",
                ));
            }
            api.deployments.remove(&input.deployment_id);
            Ok(NOTHING)
        })
        .await
}
