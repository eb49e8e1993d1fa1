//! CreateStage, GetStage, GetStages, UpdateStage, DeleteStage, DeleteAccessLogSettings,
//! DeleteRouteSettings.

use serde_json::Value as Json;
use service::{RequestContext, ServiceError};
use wire::Value;

use super::{Answer, State, get_child, list_children, nothing, text};
use crate::change::{Change, find};
use crate::domain::validation;
use crate::records::{Deployment, RouteSettings, Stage};
use crate::{error, shape};

pub async fn create(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let api = shape::take_text(&mut members, "ApiId");
    let mut stage: Stage = shape::record(members)?;
    let mut change = state.change(&context, &api).await?;
    if change.api.stages.contains_key(&stage.stage_name) {
        return Err(error::conflict("Stage already exists"));
    }
    if stage.auto_deploy && stage.deployment_id.is_some() {
        return Err(error::bad_request(
            "Deployment ID cannot be set for a stage that deploys automatically",
        ));
    }
    let now = state.clock.now();
    stage.created_date = now;
    stage.last_updated_date = now;
    stage.tags.get_or_insert_default();
    stage.default_route_settings = RouteSettings::of_new_stage(stage.default_route_settings);
    validation::stage(&change.api, &stage)?;
    let mut stage = change.put(stage)?;
    if stage.auto_deploy {
        let deployment = change.deploy(Some(AUTOMATIC.to_owned()), true)?;
        stage = change.set_deployment(&stage, &deployment.deployment_id)?;
    }
    change.commit().await?;
    Ok(shape::shown(&*stage))
}

const AUTOMATIC: &str = "Automatic deployment triggered by the creation of the stage";

pub async fn get(state: State, context: RequestContext, input: Value) -> Answer {
    let (api, name) = (text(&input, "ApiId"), text(&input, "StageName"));
    get_child::<Stage>(&state, &context, api, name)
}

pub async fn list(state: State, context: RequestContext, input: Value) -> Answer {
    list_children::<Stage>(&state, &context, &input, "")
}

pub async fn update(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let api = shape::take_text(&mut members, "ApiId");
    let name = shape::take_text(&mut members, "StageName");
    let mut change = state.change(&context, &api).await?;
    let before = find::<Stage>(&change.api, &name)?;
    let names_deployment = members.get("DeploymentId").is_some_and(Json::is_string);
    let merged = ["StageVariables", "RouteSettings", "DefaultRouteSettings"];
    let mut stage: Stage = shape::changed(&*before, members, &merged)?;
    if names_deployment && stage.auto_deploy {
        return Err(error::bad_request(
            "Deployment ID cannot be set for a stage that deploys automatically",
        ));
    }
    stage.last_updated_date = state.clock.now();
    validation::stage(&change.api, &stage)?;
    if before.auto_deploy && !stage.auto_deploy && !names_deployment {
        freeze(&mut change, &stage)?;
    }
    let mut stage = change.put(stage)?;
    if stage.auto_deploy && !before.auto_deploy {
        let deployment = change.deploy(Some(AUTOMATIC.to_owned()), true)?;
        stage = change.set_deployment(&stage, &deployment.deployment_id)?;
    }
    change.commit().await?;
    Ok(shape::shown(&*stage))
}

/// A deployment that followed the API keeps what it serves at this moment.
fn freeze(change: &mut Change<'_>, stage: &Stage) -> Result<(), ServiceError> {
    let id = stage.deployment_id.as_deref().unwrap_or_default();
    let Some(deployment) = change.api.deployments.get(id).cloned() else {
        return Ok(());
    };
    let is_followed = change
        .api
        .stages
        .values()
        .any(|other| other.stage_name != stage.stage_name && other.auto_deploy);
    let snapshot = Some(change.api.snapshot());
    change.put(Deployment {
        snapshot,
        ..(*deployment).clone()
    })?;
    // Other stages that follow the API must not stand still with it.
    if is_followed {
        let following: Vec<_> = change
            .api
            .stages
            .values()
            .filter(|it| it.auto_deploy && it.stage_name != stage.stage_name)
            .cloned()
            .collect();
        let next = change.deploy(Some(AUTOMATIC.to_owned()), true)?;
        for other in following {
            change.set_deployment(&other, &next.deployment_id)?;
        }
    }
    Ok(())
}

pub async fn delete(state: State, context: RequestContext, input: Value) -> Answer {
    let mut change = state.change(&context, text(&input, "ApiId")).await?;
    let stage = find::<Stage>(&change.api, text(&input, "StageName"))?;
    let is_mapped = state.directory.domains.read().values().any(|domain| {
        let mut mappings = domain.record.mappings.values();
        mappings.any(|it| it.api_id == change.api.id() && it.stage == stage.stage_name)
    });
    if is_mapped {
        return Err(error::bad_request(
            "Deleting a stage that has API mappings is not allowed: delete them first",
        ));
    }
    change.delete::<Stage>(&stage.stage_name);
    let api = change.commit().await?;
    state.plane.forget_grants(api.id(), Some(&stage.stage_name));
    Ok(nothing())
}

async fn change_stage(
    state: &State,
    context: &RequestContext,
    input: &Value,
    edit: impl FnOnce(&mut Stage) -> Result<(), ServiceError> + Send,
) -> Answer {
    let mut change = state.change(context, text(input, "ApiId")).await?;
    let before = find::<Stage>(&change.api, text(input, "StageName"))?;
    let mut stage = (*before).clone();
    edit(&mut stage)?;
    stage.last_updated_date = state.clock.now();
    change.put(stage)?;
    change.commit().await?;
    Ok(nothing())
}

pub async fn delete_access_log_settings(
    state: State,
    context: RequestContext,
    input: Value,
) -> Answer {
    let edit = |stage: &mut Stage| {
        stage.access_log_settings = None;
        Ok(())
    };
    change_stage(&state, &context, &input, edit).await
}

pub async fn delete_route_settings(state: State, context: RequestContext, input: Value) -> Answer {
    let key = text(&input, "RouteKey").to_owned();
    let edit = move |stage: &mut Stage| {
        let removed = stage.route_settings.remove(&key);
        removed
            .map(|_| ())
            .ok_or_else(|| error::not_found("route settings", &key))
    };
    change_stage(&state, &context, &input, edit).await
}
