//! CreateDeployment, GetDeployment, GetDeployments, UpdateDeployment, DeleteDeployment.

use service::RequestContext;
use wire::Value;

use super::{Answer, State, nothing, paged_as, text};
use crate::change::{Change, find};
use crate::directory::Api;
use crate::records::{Deployment, Stage, WEBSOCKET};
use crate::{error, shape};

/// What it serves stays here.
fn shown(deployment: &Deployment) -> Value {
    shape::shown(&Deployment {
        snapshot: None,
        deployment_id: deployment.deployment_id.clone(),
        auto_deployed: deployment.auto_deployed,
        created_date: deployment.created_date,
        deployment_status: deployment.deployment_status.clone(),
        description: deployment.description.clone(),
    })
}

pub async fn create(state: State, context: RequestContext, input: Value) -> Answer {
    let mut change = state.change(&context, text(&input, "ApiId")).await?;
    if change.api.routes.is_empty() {
        return Err(error::bad_request(
            "At least one route is required before deploying the Api.",
        ));
    }
    check_targets(&change.api)?;
    let description = input.get("Description").and_then(Value::as_str);
    let deployment = change.deploy(description.map(str::to_owned), false)?;
    let name = text(&input, "StageName");
    if !name.is_empty() {
        deploy_to(&mut change, name, &deployment.deployment_id)?;
    }
    change.commit().await?;
    Ok(shown(&deployment))
}

/// Routes of a WebSocket API lead somewhere, or it is not deployed.
fn check_targets(api: &Api) -> Result<(), service::ServiceError> {
    if api.record.protocol_type != WEBSOCKET {
        return Ok(());
    }
    match api.routes.values().find(|route| route.target.is_none()) {
        Some(route) => Err(error::bad_request(format!(
            "No integration defined for route {}",
            route.route_key
        ))),
        None => Ok(()),
    }
}

fn deploy_to(change: &mut Change<'_>, name: &str, id: &str) -> Result<(), service::ServiceError> {
    let stage = find::<Stage>(&change.api, name)?;
    if stage.auto_deploy {
        return Err(error::bad_request(format!(
            "Deployment ID cannot be set for stage {name}, which deploys automatically"
        )));
    }
    change.set_deployment(&stage, id)?;
    Ok(())
}

pub async fn get(state: State, context: RequestContext, input: Value) -> Answer {
    let api = state.api(&context, text(&input, "ApiId"))?;
    let deployment = find::<Deployment>(&api, text(&input, "DeploymentId"))?;
    Ok(shown(&deployment))
}

pub async fn list(state: State, context: RequestContext, input: Value) -> Answer {
    let api = state.api(&context, text(&input, "ApiId"))?;
    let items = api.deployments.iter();
    let items = items.map(|(id, deployment)| (id.clone(), deployment));
    paged_as(&input, items, |deployment| shown(deployment))
}

pub async fn update(state: State, context: RequestContext, input: Value) -> Answer {
    let mut change = state.change(&context, text(&input, "ApiId")).await?;
    let before = find::<Deployment>(&change.api, text(&input, "DeploymentId"))?;
    let mut deployment = (*before).clone();
    if let Some(description) = input.get("Description").and_then(Value::as_str) {
        deployment.description = Some(description.to_owned());
    }
    let deployment = change.put(deployment)?;
    change.commit().await?;
    Ok(shown(&deployment))
}

pub async fn delete(state: State, context: RequestContext, input: Value) -> Answer {
    let mut change = state.change(&context, text(&input, "ApiId")).await?;
    let deployment = find::<Deployment>(&change.api, text(&input, "DeploymentId"))?;
    let id = &deployment.deployment_id;
    let mut stages = change.api.stages.values();
    if stages.any(|stage| stage.deployment_id.as_ref() == Some(id)) {
        return Err(error::bad_request(
            "Active stages pointing to this deployment must be moved or deleted",
        ));
    }
    change.delete::<Deployment>(id);
    change.commit().await?;
    Ok(nothing())
}
