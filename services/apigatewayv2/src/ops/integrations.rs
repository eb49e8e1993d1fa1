//! CreateIntegration, GetIntegration, GetIntegrations, UpdateIntegration, DeleteIntegration.

use service::RequestContext;
use wire::Value;

use super::{Answer, State, get_child, list_children, nothing, text};
use crate::change::{find, fresh_id};
use crate::directory::Api;
use crate::domain::validation;
use crate::records::{HTTP, Integration, IntegrationResponse, WEBSOCKET};
use crate::{error, shape};

const MERGED: [&str; 3] = [
    "RequestParameters",
    "RequestTemplates",
    "ResponseParameters",
];

pub async fn create(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let api = shape::take_text(&mut members, "ApiId");
    let mut integration: Integration = shape::record(members)?;
    let mut change = state.change(&context, &api).await?;
    integration.integration_id = fresh_id(7);
    complete(&change.api, &mut integration);
    validation::integration(&change.api, &integration)?;
    let integration = change.put(integration)?;
    change.commit().await?;
    Ok(shape::shown(&*integration))
}

/// What an integration has where its maker says nothing.
pub fn complete(api: &Api, integration: &mut Integration) {
    let is_http = api.record.protocol_type == HTTP;
    if integration.timeout_in_millis == 0 {
        integration.timeout_in_millis = if is_http { 30_000 } else { 29_000 };
    }
    let connection = &mut integration.connection_type;
    connection.get_or_insert_with(|| "INTERNET".to_owned());
    if integration.integration_type == "HTTP_PROXY" && is_http {
        let format = &mut integration.payload_format_version;
        format.get_or_insert_with(|| "1.0".to_owned());
    }
    if integration.integration_type == "AWS_PROXY" && integration.integration_subtype.is_none() {
        integration.integration_method = Some("POST".to_owned());
    }
    if api.record.protocol_type == WEBSOCKET {
        let expression = &mut integration.integration_response_selection_expression;
        expression.get_or_insert_with(|| "${integration.response.statuscode}".to_owned());
        let behavior = &mut integration.passthrough_behavior;
        behavior.get_or_insert_with(|| "WHEN_NO_MATCH".to_owned());
    }
}

pub async fn get(state: State, context: RequestContext, input: Value) -> Answer {
    let (api, id) = (text(&input, "ApiId"), text(&input, "IntegrationId"));
    get_child::<Integration>(&state, &context, api, id)
}

pub async fn list(state: State, context: RequestContext, input: Value) -> Answer {
    list_children::<Integration>(&state, &context, &input, "")
}

pub async fn update(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let api = shape::take_text(&mut members, "ApiId");
    let id = shape::take_text(&mut members, "IntegrationId");
    let mut change = state.change(&context, &api).await?;
    let before = find::<Integration>(&change.api, &id)?;
    let integration: Integration = shape::changed(&*before, members, &MERGED)?;
    validation::integration(&change.api, &integration)?;
    let integration = change.put(integration)?;
    change.commit().await?;
    Ok(shape::shown(&*integration))
}

pub async fn delete(state: State, context: RequestContext, input: Value) -> Answer {
    let mut change = state.change(&context, text(&input, "ApiId")).await?;
    let integration = find::<Integration>(&change.api, text(&input, "IntegrationId"))?;
    let id = &integration.integration_id;
    let target = format!("integrations/{id}");
    let mut routes = change.api.routes.values();
    if routes.any(|route| route.target.as_deref() == Some(&target)) {
        return Err(error::conflict(format!(
            "Cannot delete Integration with ID {id}. It is in use by one or more Routes."
        )));
    }
    let prefix = format!("{id}/");
    let responses = change.api.integration_responses.keys();
    let responses: Vec<_> = responses
        .filter(|id| id.starts_with(&prefix))
        .cloned()
        .collect();
    for response in responses {
        change.delete::<IntegrationResponse>(&response);
    }
    change.delete::<Integration>(id);
    change.commit().await?;
    Ok(nothing())
}
