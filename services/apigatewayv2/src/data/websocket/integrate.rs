//! What is behind a route of a WebSocket API: a function, another server, a service, or nothing.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integrations.html>

use std::time::Duration;

use base::{Arn, Region};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use proxy::answer::{self, RulesV1};
use proxy::client;
use proxy::invoke::{function_arn, with_stage_variables};
use proxy::service_uri::{ServiceUri, role_session};
use serde_json::Value;
use service::{Principal, RequestContext};

use super::super::DataPlane;
use super::super::exchange::Exchange;
use super::super::integrate::{Failure, encoded, written};
use super::mapping::Subject;
use super::session::MOST_OF_A_MESSAGE;
use crate::domain::expression::walk;
use crate::records::Integration;

const RULES: RulesV1 = RulesV1 {
    needs_status: false,
    refuses_others: false,
    decodes: true,
};

/// What an integration said.
pub struct Said {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Calls the integration of the exchange's route. An error is the reason, for the log.
pub async fn integrate(
    plane: &DataPlane,
    exchange: &Exchange,
    event: &Value,
    body: &Bytes,
) -> Result<Said, String> {
    let route = exchange.route.as_deref();
    let found = route.and_then(|route| exchange.target.compiled.integration(route));
    let Some(integration) = found.cloned() else {
        return Err("the route has no integration".to_owned());
    };
    let patience = u64::try_from(integration.timeout_in_millis).unwrap_or(29_000);
    let patience = Duration::from_millis(patience);
    let request = Subject {
        exchange,
        body,
        said: None,
    };
    let said = match integration.integration_type.as_str() {
        "AWS_PROXY" => {
            let said = plane
                .call_function(exchange, &integration, event, patience)
                .await;
            let said = said.map_err(reason)?;
            if said.as_ref() == b"null" {
                return Ok(plain(Bytes::new()));
            }
            let said = answer::v1(&said, RULES).map_err(|why| why.to_string())?;
            let (parts, body) = said.into_parts();
            return Ok(Said {
                status: parts.status,
                headers: parts.headers,
                body,
            });
        }
        "HTTP_PROXY" => {
            return forward(plane, &request, &integration, body.clone(), patience).await;
        }
        "MOCK" => mock(&request, &integration)?,
        "AWS" => {
            let payload = request.request(&integration)?;
            call_aws(plane, &request, &integration, payload, patience).await?
        }
        "HTTP" => {
            let payload = request.request(&integration)?;
            forward(plane, &request, &integration, payload, patience).await?
        }
        other => return Err(format!("there is no integration of type {other}")),
    };
    let answered = Subject {
        said: Some(&said),
        ..request
    };
    let changed = answered.response(&integration)?;
    Ok(Said {
        body: changed.unwrap_or_else(|| said.body.clone()),
        ..said
    })
}

fn plain(body: Bytes) -> Said {
    Said {
        status: StatusCode::OK,
        headers: HeaderMap::new(),
        body,
    }
}

fn reason(failure: Failure) -> String {
    match failure {
        Failure::Unavailable(why)
        | Failure::Late(why)
        | Failure::Broken(why)
        | Failure::BadRequest(why) => why,
    }
}

/// A mock answers with the status that its template says, and with the message.
fn mock(subject: &Subject<'_>, integration: &Integration) -> Result<Said, String> {
    let body = Bytes::copy_from_slice(subject.body);
    let has_templates = integration
        .request_templates
        .iter()
        .flatten()
        .next()
        .is_some();
    if !has_templates {
        return Ok(plain(body));
    }
    let payload = subject.request(integration)?;
    let template: Value = serde_json::from_slice(&payload).unwrap_or_default();
    let status = walk(&template, "statusCode").and_then(Value::as_u64);
    let status = u16::try_from(status.unwrap_or(500)).unwrap_or(500);
    let status = StatusCode::from_u16(status).map_err(|error| error.to_string())?;
    Ok(Said {
        status,
        ..plain(body)
    })
}

/// A function with a payload of the template's, or another service's API.
async fn call_aws(
    plane: &DataPlane,
    subject: &Subject<'_>,
    integration: &Integration,
    payload: Bytes,
    patience: Duration,
) -> Result<Said, String> {
    let exchange = subject.exchange;
    let uri = integration.integration_uri.as_deref().unwrap_or_default();
    let uri = with_stage_variables(uri, &exchange.stage_variables);
    if function_arn(&uri).is_some() {
        let payload = if payload.is_empty() {
            serde_json::json!({})
        } else {
            serde_json::from_slice(&payload)
                .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&payload).into_owned()))
        };
        let said = plane
            .call_function(exchange, integration, &payload, patience)
            .await;
        return said.map(plain).map_err(reason);
    }
    let mut out = subject.parameters(integration);
    let uri = filled(&uri, &out.path);
    let arn: Option<Arn> = uri.parse().ok();
    let Some(target) = arn.as_ref().and_then(ServiceUri::of) else {
        return Err(format!("{uri} names no service"));
    };
    if plane.enforces_policies {
        // Calls from inside are not held to a role's policies.
        return Err("where policies count, AWS integrations reach functions only".to_owned());
    }
    let mut path = target.path();
    if !out.query.is_empty() {
        path.push(if path.contains('?') { '&' } else { '?' });
        path.push_str(&written(&out.query));
    }
    out.headers.remove(http::header::HOST);
    let json = HeaderValue::from_static("application/json");
    out.headers.entry(CONTENT_TYPE).or_insert(json);
    let method = integration.integration_method.as_deref().unwrap_or("POST");
    let request = Request::builder().method(method).uri(&path).body(payload);
    let mut request = request.map_err(|error| error.to_string())?;
    *request.headers_mut() = out.headers;
    let api = &exchange.target.api;
    let region: Result<Region, _> = target.region.parse();
    let region = region.map_err(|_| format!("{} is no region", target.region))?;
    let principal = match integration.credentials_arn.as_deref() {
        Some(role) => {
            let role: Arn = role.parse().map_err(|_| format!("{role} is no role"))?;
            role_session(&role, api.account)
        }
        None => Principal::Root {
            account: api.account,
        },
    };
    let context = RequestContext::internal(principal, api.account, region, plane.clock.now())
        .within(exchange.reach());
    let sent = plane
        .api
        .send(target.service, target.action, context, request);
    let said = tokio::time::timeout(patience, sent).await;
    let said = said.map_err(|_| format!("no answer within {} ms", patience.as_millis()))?;
    let (parts, body) = said.into_parts();
    Ok(Said {
        status: parts.status,
        headers: parts.headers,
        body,
    })
}

/// A URI with path parameters put in.
fn filled(uri: &str, parameters: &[(String, String)]) -> String {
    let mut uri = uri.to_owned();
    for (name, value) in parameters {
        let value = encoded(value).replace('/', "%2F");
        uri = uri.replace(&format!("{{{name}}}"), &value);
    }
    uri
}

async fn forward(
    plane: &DataPlane,
    subject: &Subject<'_>,
    integration: &Integration,
    body: Bytes,
    patience: Duration,
) -> Result<Said, String> {
    let uri = integration.integration_uri.as_deref().unwrap_or_default();
    let uri = with_stage_variables(uri, &subject.exchange.stage_variables);
    let out = subject.parameters(integration);
    let uri = client::with_path(&filled(&uri, &out.path), "", &written(&out.query))
        .ok_or_else(|| format!("{uri} is no URI"))?;
    let method = integration.integration_method.as_deref().unwrap_or("POST");
    let method = Method::from_bytes(method.replace("ANY", "POST").as_bytes());
    let mut request = Request::new(body);
    *request.uri_mut() = uri;
    *request.method_mut() = method.map_err(|error| error.to_string())?;
    *request.headers_mut() = out.headers;
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().entry(CONTENT_TYPE).or_insert(json);
    let said = plane
        .client
        .fetch(
            request,
            subject.exchange.reach(),
            patience,
            MOST_OF_A_MESSAGE,
        )
        .await;
    let (parts, body) = said.map_err(|error| error.to_string())?.into_parts();
    Ok(Said {
        status: parts.status,
        headers: parts.headers,
        body,
    })
}
