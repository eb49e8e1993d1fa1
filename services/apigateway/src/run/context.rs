//! `$context`, and `requestContext` of events: what an API tells of a request.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html>

use proxy::event::{self, BodyForm, Place, Resource};
use serde_json::{Map, Value as Json, json};

use crate::run::call::{Call, header_name};

/// What an authorizer said, its values as texts.
pub fn authorizer(call: &Call) -> Option<Json> {
    let grant = call.authorizer.as_ref()?;
    let mut members = Map::new();
    for (name, value) in &grant.context {
        let text = match value {
            Json::String(text) => text.clone(),
            Json::Null => continue,
            other => other.to_string(),
        };
        members.insert(name.clone(), Json::String(text));
    }
    members.insert("principalId".to_owned(), json!(grant.principal_id));
    members.insert(
        "integrationLatency".to_owned(),
        json!(call.authorizer_latency),
    );
    Some(Json::Object(members))
}

/// Calls `make` with what events are made of.
pub fn with_event<T>(
    call: &Call,
    body: BodyForm<'_>,
    make: impl FnOnce(&proxy::request::Incoming<'_>, &Place<'_>, &Resource<'_>) -> T,
) -> T {
    let account = call.deployed.place.account.to_string();
    let request_id = call.request_id.to_string();
    let parameters: Map<String, Json> = call
        .path_parameters
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let variables = call.deployed.variables_json();
    let place = Place {
        account_id: &account,
        api_id: &call.deployed.api_id,
        stage: &call.deployed.stage_name,
        path_parameters: Some(parameters).filter(|parameters| !parameters.is_empty()),
        stage_variables: Some(variables).filter(|variables| !variables.is_empty()),
        authorizer: authorizer(call),
    };
    let resource = Resource {
        version: None,
        path: call.resource.path.as_deref().unwrap_or("/"),
        id: call.resource.id.as_deref(),
        full_path: &call.full_path,
        extended_request_id: &call.extended_request_id,
        identity: call.identity(),
        body,
    };
    make(&call.incoming(&request_id), &place, &resource)
}

/// `requestContext` of events; REST APIs tell the deployment as well.
pub fn request_context(call: &Call) -> Json {
    let mut context = with_event(call, BodyForm::Base64, event::context_v1);
    complete(&mut context, call);
    context
}

fn complete(context: &mut Json, call: &Call) {
    context["deploymentId"] = json!(call.deployed.deployment_id);
    if call.deployed.stage.canary_settings.is_some() {
        context["isCanaryRequest"] = json!(call.deployed.is_canary);
    }
}

/// A function's event, with the body in that form.
pub fn proxy_event(call: &Call, body: BodyForm<'_>) -> Json {
    let mut event = with_event(call, body, event::v1);
    complete(&mut event["requestContext"], call);
    retitle(&mut event);
    event
}

/// The headers of an event under the names by which functions look for them.
pub fn retitle(event: &mut Json) {
    for member in ["headers", "multiValueHeaders"] {
        if let Some(headers) = event.get_mut(member).and_then(Json::as_object_mut) {
            let titled = std::mem::take(headers).into_iter();
            *headers = titled
                .map(|(name, value)| (header_name(&name), value))
                .collect();
        }
    }
}

/// `$context` for templates: as events have it, and what only templates know.
pub fn of(call: &Call) -> Json {
    let mut context = request_context(call);
    if let Some(trace) = &call.trace {
        context["xrayTraceId"] = json!(trace);
    }
    context
}

/// The value of a path such as `identity.sourceIp`, as a text.
pub fn value(context: &Json, path: &str) -> Option<String> {
    let mut at = context;
    for part in path.split('.') {
        at = at.get(part)?;
    }
    match at {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
