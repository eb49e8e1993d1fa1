//! CreateIntegrationResponse, GetIntegrationResponse, GetIntegrationResponses,
//! UpdateIntegrationResponse, DeleteIntegrationResponse, and the same of RouteResponse: both are of
//! WebSocket APIs.

use service::RequestContext;
use wire::Value;

use super::{Answer, State, get_child, list_children, nothing, text};
use crate::change::{find, fresh_id};
use crate::directory::Child;
use crate::records::{Integration, IntegrationResponse, Route, RouteResponse, WEBSOCKET};
use crate::{error, shape};

/// A response, of an integration or of a route.
pub trait Response: Child {
    type Parent: Child;
    /// The input's member with the parent's id, and the one with the response's.
    const PARENT_ID: &'static str;
    const ID: &'static str;
    const MERGED: &'static [&'static str];
    fn key(&self) -> &str;
    fn parent(&self) -> &str;
    fn with_ids(self, parent: String, id: String) -> Self;
}

impl Response for IntegrationResponse {
    type Parent = Integration;
    const PARENT_ID: &'static str = "IntegrationId";
    const ID: &'static str = "IntegrationResponseId";
    const MERGED: &'static [&'static str] = &["ResponseParameters", "ResponseTemplates"];

    fn key(&self) -> &str {
        &self.integration_response_key
    }

    fn parent(&self) -> &str {
        &self.parent
    }

    fn with_ids(self, parent: String, integration_response_id: String) -> Self {
        Self {
            parent,
            integration_response_id,
            ..self
        }
    }
}

impl Response for RouteResponse {
    type Parent = Route;
    const PARENT_ID: &'static str = "RouteId";
    const ID: &'static str = "RouteResponseId";
    const MERGED: &'static [&'static str] = &["ResponseParameters", "ResponseModels"];

    fn key(&self) -> &str {
        &self.route_response_key
    }

    fn parent(&self) -> &str {
        &self.parent
    }

    fn with_ids(self, parent: String, route_response_id: String) -> Self {
        Self {
            parent,
            route_response_id,
            ..self
        }
    }
}

fn id<T: Response>(input: &Value) -> String {
    format!("{}/{}", text(input, T::PARENT_ID), text(input, T::ID))
}

pub async fn create<T: Response>(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let api = shape::take_text(&mut members, "ApiId");
    let parent = shape::take_text(&mut members, T::PARENT_ID);
    let mut change = state.change(&context, &api).await?;
    if change.api.record.protocol_type != WEBSOCKET {
        return Err(error::bad_request(format!(
            "{}s are supported for WebSocket APIs only",
            T::KIND
        )));
    }
    find::<T::Parent>(&change.api, &parent)?;
    let response: T = shape::record(members)?;
    let mut others = T::all(&change.api).values();
    if others.any(|other| other.parent() == parent && other.key() == response.key()) {
        return Err(error::conflict(format!(
            "{} with key {} already exists",
            T::KIND,
            response.key()
        )));
    }
    let response = change.put(response.with_ids(parent, fresh_id(7)))?;
    change.commit().await?;
    Ok(shape::shown(&*response))
}

pub async fn get<T: Response>(state: State, context: RequestContext, input: Value) -> Answer {
    get_child::<T>(&state, &context, text(&input, "ApiId"), &id::<T>(&input))
}

pub async fn list<T: Response>(state: State, context: RequestContext, input: Value) -> Answer {
    let parent = text(&input, T::PARENT_ID);
    let api = state.api(&context, text(&input, "ApiId"))?;
    find::<T::Parent>(&api, parent)?;
    let prefix = format!("{parent}/");
    list_children::<T>(&state, &context, &input, &prefix)
}

pub async fn update<T: Response>(state: State, context: RequestContext, input: Value) -> Answer {
    let id = id::<T>(&input);
    let mut members = shape::members(input);
    let api = shape::take_text(&mut members, "ApiId");
    members.remove(T::PARENT_ID);
    members.remove(T::ID);
    let mut change = state.change(&context, &api).await?;
    let before = find::<T>(&change.api, &id)?;
    let response: T = shape::changed(&*before, members, T::MERGED)?;
    let response = change.put(response)?;
    change.commit().await?;
    Ok(shape::shown(&*response))
}

pub async fn delete<T: Response>(state: State, context: RequestContext, input: Value) -> Answer {
    let mut change = state.change(&context, text(&input, "ApiId")).await?;
    let id = id::<T>(&input);
    find::<T>(&change.api, &id)?;
    change.delete::<T>(&id);
    change.commit().await?;
    Ok(nothing())
}
