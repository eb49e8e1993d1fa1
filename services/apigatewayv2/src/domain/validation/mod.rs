//! Rules that AWS checks before it keeps something.

mod authorizer;
mod integration;

use service::ServiceError;

use super::route_key;
use crate::directory::Api;
use crate::error::{bad_request, conflict, not_yet};
use crate::records::{ApiRecord, Cors, HTTP, Model, Route, Stage, WEBSOCKET};

pub use authorizer::authorizer;
pub use integration::integration;

/// What CORS rules may name.
const CORS_METHODS: [&str; 8] = [
    "*", "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH",
];

fn one_of(name: &str, value: &str, all: &[&str]) -> Result<(), ServiceError> {
    if all.contains(&value) {
        return Ok(());
    }
    Err(bad_request(format!(
        "Invalid {name} specified. Must be one of [{}]",
        all.join(", ")
    )))
}

pub fn api(record: &ApiRecord) -> Result<(), ServiceError> {
    one_of("protocol", &record.protocol_type, &[HTTP, WEBSOCKET])?;
    let is_http = record.protocol_type == HTTP;
    let expression = &record.route_selection_expression;
    if is_http && expression != "$request.method $request.path" {
        return Err(bad_request(
            "Route selection expression for HTTP protocol must be \"$request.method \
             $request.path\"",
        ));
    }
    if !is_http && !expression.contains("request.body") {
        return Err(bad_request(
            "Route selection expression for WEBSOCKET protocol must select from the request's \
             body, such as \"$request.body.action\"",
        ));
    }
    match &record.cors_configuration {
        Some(_) if !is_http => Err(bad_request(
            "CORS is only supported with HTTP protocol APIs",
        )),
        Some(cors) => check_cors(cors),
        None => Ok(()),
    }
}

fn check_cors(cors: &Cors) -> Result<(), ServiceError> {
    let has_any = |list: &Option<Vec<String>>| list.iter().flatten().any(|one| one == "*");
    if cors.allow_credentials == Some(true) && has_any(&cors.allow_origins) {
        return Err(bad_request(
            "Allow credentials can be true only when allow origins has no \"*\"",
        ));
    }
    for method in cors.allow_methods.iter().flatten() {
        one_of("CORS method", method, &CORS_METHODS)?;
    }
    for origin in cors.allow_origins.iter().flatten() {
        if origin != "*" && !origin.contains("://") {
            return Err(bad_request(format!(
                "Invalid format for origin {origin}: an origin has a scheme, such as https://"
            )));
        }
    }
    Ok(())
}

pub fn route(api: &Api, route: &Route) -> Result<(), ServiceError> {
    let is_websocket = api.record.protocol_type == WEBSOCKET;
    route_key::check(&route.route_key, is_websocket)?;
    let taken = api
        .routes
        .values()
        .any(|other| other.route_key == route.route_key && other.route_id != route.route_id);
    if taken {
        return Err(conflict(format!(
            "Route with key {} already exists for this API",
            route.route_key
        )));
    }
    let types: &[&str] = if is_websocket {
        &["NONE", "AWS_IAM", "CUSTOM"]
    } else {
        &["NONE", "AWS_IAM", "CUSTOM", "JWT"]
    };
    one_of("authorization type", &route.authorization_type, types)?;
    if is_websocket && route.authorization_type != "NONE" && route.route_key != "$connect" {
        return Err(bad_request(
            "Currently, authorization is restricted to the $connect route only",
        ));
    }
    check_absent(route, is_websocket)?;
    if let Some(target) = &route.target {
        let id = target.strip_prefix("integrations/").unwrap_or_default();
        if !api.integrations.contains_key(id) {
            return Err(bad_request(format!("Invalid target specified: {target}")));
        }
    }
    let needed = match route.authorization_type.as_str() {
        "JWT" => Some("JWT"),
        "CUSTOM" => Some("REQUEST"),
        _ => None,
    };
    if let Some(needed) = needed {
        let id = route.authorizer_id.as_deref().unwrap_or_default();
        let found = api.authorizers.get(id);
        if found.is_none_or(|it| it.authorizer_type != needed) {
            return Err(bad_request(format!(
                "Authorizer type or Authorizer ID is invalid: {} routes need an authorizer of type \
                 {needed}",
                route.authorization_type
            )));
        }
    }
    if route.authorization_type != "JWT"
        && route.authorization_scopes.iter().flatten().next().is_some()
    {
        return Err(bad_request(
            "Scopes are only supported with authorization type JWT",
        ));
    }
    Ok(())
}

/// What HTTP APIs do not have, and what WebSocket APIs do not have here.
fn check_absent(route: &Route, is_websocket: bool) -> Result<(), ServiceError> {
    let has_models = route.request_models.iter().flatten().next().is_some();
    let has_parameters = route.request_parameters.iter().flatten().next().is_some();
    for (is_asked, what) in [
        (route.api_key_required, "ApiKeyRequired"),
        (has_models, "RequestModels"),
        (has_parameters, "RequestParameters"),
    ] {
        if is_asked && is_websocket {
            return Err(not_yet(&format!("{what} of WebSocket APIs' routes")));
        }
        if is_asked {
            return Err(bad_request(format!(
                "{what} is not currently supported for HTTP APIs"
            )));
        }
    }
    Ok(())
}

pub fn stage(api: &Api, it: &Stage) -> Result<(), ServiceError> {
    let is_word = it.stage_name == "$default" && api.record.protocol_type == HTTP
        || !it.stage_name.is_empty()
            && it
                .stage_name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if !is_word {
        return Err(bad_request(
            "Stage name only allows a-zA-Z0-9_- and $default for HTTP APIs",
        ));
    }
    if it.client_certificate_id.is_some() {
        return Err(not_yet("client certificates of stages"));
    }
    if let Some(id) = &it.deployment_id
        && !api.deployments.contains_key(id)
    {
        return Err(bad_request(format!(
            "Deployment ID {id} does not exist in this API"
        )));
    }
    for (key, value) in &it.stage_variables {
        let is_name =
            !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let is_value = value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-._~:/?#&=,".contains(&b));
        if !is_name || !is_value {
            return Err(bad_request(format!(
                "Stage variable {key} has a name or a value with characters that are not allowed"
            )));
        }
    }
    let settings = it
        .route_settings
        .values()
        .chain([&it.default_route_settings]);
    for settings in settings {
        let rate = settings.throttling_rate_limit.unwrap_or_default();
        if settings.throttling_burst_limit.unwrap_or_default() < 0 || rate < 0.0 {
            return Err(bad_request("Throttling limits must not be negative"));
        }
        if let Some(level) = &settings.logging_level {
            one_of("logging level", level, &["ERROR", "INFO", "OFF"])?;
        }
    }
    for key in it.route_settings.keys() {
        if !api.routes.values().any(|route| route.route_key == *key) {
            return Err(crate::error::not_found("Route", &format!("for key {key}")));
        }
    }
    let log = it.access_log_settings.as_ref();
    let destination = log.and_then(|log| log.destination_arn.as_deref());
    if let Some(destination) = destination {
        let arn = destination.parse::<base::Arn>().ok();
        let is_group = arn
            .as_ref()
            .is_some_and(|arn| arn.service == "logs" && arn.resource.starts_with("log-group:"));
        if !is_group {
            return Err(bad_request(format!(
                "Invalid ARN specified in the request. ARNs must start with 'arn:': {destination} is no log group"
            )));
        }
        if log
            .and_then(|log| log.format.as_deref())
            .is_none_or(str::is_empty)
        {
            return Err(bad_request(
                "Access log format must be set together with its destination",
            ));
        }
    }
    Ok(())
}

pub fn model(api: &Api, it: &Model) -> Result<(), ServiceError> {
    let is_name = it.name.bytes().all(|b| b.is_ascii_alphanumeric());
    if !is_name {
        return Err(bad_request(format!(
            "Model name must be alphanumeric: {}",
            it.name
        )));
    }
    let taken = api
        .models
        .values()
        .any(|other| other.name == it.name && other.model_id != it.model_id);
    if taken {
        return Err(conflict(format!(
            "Model {} already exists for this API",
            it.name
        )));
    }
    if !it.schema.is_empty() && serde_json::from_str::<serde_json::Value>(&it.schema).is_err() {
        return Err(bad_request(format!(
            "Invalid model schema specified for {}",
            it.name
        )));
    }
    Ok(())
}
