//! CreateAuthorizer, GetAuthorizer, GetAuthorizers, UpdateAuthorizer, DeleteAuthorizer,
//! ResetAuthorizersCache.

use service::RequestContext;
use wire::Value;

use super::{Answer, State, get_child, list_children, nothing, text};
use crate::change::{find, fresh_id};
use crate::domain::validation;
use crate::records::{Authorizer, HTTP, Stage};
use crate::{error, shape};

pub async fn create(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let api = shape::take_text(&mut members, "ApiId");
    let mut authorizer: Authorizer = shape::record(members)?;
    authorizer.authorizer_id = fresh_id(6);
    let mut change = state.change(&context, &api).await?;
    validation::authorizer(&change.api, &authorizer)?;
    let authorizer = change.put(authorizer)?;
    change.commit().await?;
    Ok(shape::shown(&*authorizer))
}

pub async fn get(state: State, context: RequestContext, input: Value) -> Answer {
    let (api, id) = (text(&input, "ApiId"), text(&input, "AuthorizerId"));
    get_child::<Authorizer>(&state, &context, api, id)
}

pub async fn list(state: State, context: RequestContext, input: Value) -> Answer {
    list_children::<Authorizer>(&state, &context, &input, "")
}

pub async fn update(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let api = shape::take_text(&mut members, "ApiId");
    let id = shape::take_text(&mut members, "AuthorizerId");
    let mut change = state.change(&context, &api).await?;
    let before = find::<Authorizer>(&change.api, &id)?;
    let authorizer: Authorizer = shape::changed(&*before, members, &["JwtConfiguration"])?;
    validation::authorizer(&change.api, &authorizer)?;
    let authorizer = change.put(authorizer)?;
    let api = change.commit().await?;
    state.plane.forget_grants(api.id(), None);
    Ok(shape::shown(&*authorizer))
}

pub async fn delete(state: State, context: RequestContext, input: Value) -> Answer {
    let mut change = state.change(&context, text(&input, "ApiId")).await?;
    let authorizer = find::<Authorizer>(&change.api, text(&input, "AuthorizerId"))?;
    let id = &authorizer.authorizer_id;
    let mut routes = change.api.routes.values();
    if routes.any(|route| route.authorizer_id.as_ref() == Some(id)) {
        return Err(error::conflict(format!(
            "Cannot delete Authorizer with ID {id}. It is in use by one or more Routes."
        )));
    }
    change.delete::<Authorizer>(id);
    change.commit().await?;
    Ok(nothing())
}

pub async fn reset_cache(state: State, context: RequestContext, input: Value) -> Answer {
    let api = state.api(&context, text(&input, "ApiId"))?;
    let stage = find::<Stage>(&api, text(&input, "StageName"))?;
    if api.record.protocol_type != HTTP {
        return Err(error::bad_request(
            "Resetting the authorizers' cache is supported for HTTP APIs only",
        ));
    }
    state.plane.forget_grants(api.id(), Some(&stage.stage_name));
    Ok(nothing())
}
