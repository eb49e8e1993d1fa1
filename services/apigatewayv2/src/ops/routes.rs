//! CreateRoute, GetRoute, GetRoutes, UpdateRoute, DeleteRoute, DeleteRouteRequestParameter.

use service::RequestContext;
use wire::Value;

use super::{Answer, State, get_child, list_children, nothing, text};
use crate::change::{find, fresh_id};
use crate::domain::validation;
use crate::records::{Route, RouteResponse};
use crate::{error, shape};

pub async fn create(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let api = shape::take_text(&mut members, "ApiId");
    let mut route: Route = shape::record(members)?;
    route.route_id = fresh_id(7);
    if route.authorization_type.is_empty() {
        "NONE".clone_into(&mut route.authorization_type);
    }
    let mut change = state.change(&context, &api).await?;
    validation::route(&change.api, &route)?;
    let route = change.put(route)?;
    change.commit().await?;
    Ok(shape::shown(&*route))
}

pub async fn get(state: State, context: RequestContext, input: Value) -> Answer {
    let (api, id) = (text(&input, "ApiId"), text(&input, "RouteId"));
    get_child::<Route>(&state, &context, api, id)
}

pub async fn list(state: State, context: RequestContext, input: Value) -> Answer {
    list_children::<Route>(&state, &context, &input, "")
}

pub async fn update(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let api = shape::take_text(&mut members, "ApiId");
    let id = shape::take_text(&mut members, "RouteId");
    let mut change = state.change(&context, &api).await?;
    let before = find::<Route>(&change.api, &id)?;
    let mut route: Route =
        shape::changed(&*before, members, &["RequestModels", "RequestParameters"])?;
    if !matches!(route.authorization_type.as_str(), "JWT" | "CUSTOM") {
        route.authorizer_id = None;
        route.authorization_scopes = None;
    }
    validation::route(&change.api, &route)?;
    let route = change.put(route)?;
    change.commit().await?;
    Ok(shape::shown(&*route))
}

pub async fn delete(state: State, context: RequestContext, input: Value) -> Answer {
    let mut change = state.change(&context, text(&input, "ApiId")).await?;
    let route = find::<Route>(&change.api, text(&input, "RouteId"))?;
    let prefix = format!("{}/", route.route_id);
    let responses = change.api.route_responses.keys();
    let responses: Vec<_> = responses
        .filter(|id| id.starts_with(&prefix))
        .cloned()
        .collect();
    for response in responses {
        change.delete::<RouteResponse>(&response);
    }
    change.delete::<Route>(&route.route_id);
    change.commit().await?;
    Ok(nothing())
}

pub async fn delete_request_parameter(
    state: State,
    context: RequestContext,
    input: Value,
) -> Answer {
    let mut change = state.change(&context, text(&input, "ApiId")).await?;
    let before = find::<Route>(&change.api, text(&input, "RouteId"))?;
    let key = text(&input, "RequestParameterKey");
    let mut route = (*before).clone();
    let removed = route
        .request_parameters
        .as_mut()
        .and_then(|all| all.remove(key));
    removed.ok_or_else(|| error::not_found("request parameter", key))?;
    change.put(route)?;
    change.commit().await?;
    Ok(nothing())
}
