//! AWS: functions with a payload from a template, and other services' APIs.
//!
//! The URI is `arn:aws:apigateway:<region>:<service>:path/<path>` or `…:action/<Action>`.

use base::{Arn, Region};
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request};
use proxy::service_uri::{ServiceUri, role_session};
use service::Principal;

use super::body::outgoing;
use super::http::{add_query, filled, put_headers};
use super::{Answered, lambda, within};
use crate::run::call::Call;
use crate::run::refusal::Refusal;
use crate::{ApiGateway, g};

pub async fn run(
    service: &ApiGateway,
    call: &Call,
    integration: &g::Integration,
) -> Result<Answered, Refusal> {
    let out = outgoing(call, integration)?;
    let uri = filled(
        call,
        integration.uri.as_deref().unwrap_or_default(),
        &out.parameters,
    );
    let arn: Option<Arn> = uri.parse().ok();
    let Some(target) = arn.as_ref().and_then(ServiceUri::of) else {
        tracing::warn!(
            api = call.deployed.api_id,
            uri,
            "an integration's URI is none"
        );
        return Err(Refusal::configuration());
    };
    if target.is_function() {
        return lambda::custom(service, call, integration, out).await;
    }
    if service.enforces_policies {
        // Calls from inside are not held to a role's policies.
        tracing::warn!(
            api = call.deployed.api_id,
            uri,
            "where policies count, AWS integrations reach functions only"
        );
        return Err(Refusal::configuration());
    }
    let mut query = String::new();
    add_query(&mut query, &out.parameters);
    let mut path = target.path();
    if !query.is_empty() {
        path.push(if path.contains('?') { '&' } else { '?' });
        path.push_str(&query);
    }
    let mut headers = HeaderMap::new();
    if !out.body.is_empty()
        && let Ok(kind) = HeaderValue::from_str(&out.kind)
    {
        headers.insert(CONTENT_TYPE, kind);
    }
    put_headers(&mut headers, &out.parameters);
    headers.remove(HOST);
    let method = integration.http_method.as_deref().unwrap_or("POST");
    let method = if method == "ANY" {
        &call.http_method
    } else {
        method
    };
    let request = Request::builder()
        .method(Method::try_from(method).map_err(|_| Refusal::configuration())?)
        .uri(&path);
    let mut request = request
        .body(out.body)
        .map_err(|_| Refusal::configuration())?;
    *request.headers_mut() = headers;
    let mut context = call.internal(principal(call, integration)?);
    context.region = target
        .region
        .parse::<Region>()
        .map_err(|_| Refusal::configuration())?;
    call.log.line(|| format!("Sending request to {uri}"));
    let sent = service
        .api
        .send(target.service, target.action, context, request);
    let answer = tokio::time::timeout(within(integration), sent).await;
    let (parts, body) = answer.map_err(|_| Refusal::timed_out())?.into_parts();
    Ok(Answered {
        selector: parts.status.as_u16().to_string(),
        headers: parts.headers,
        body,
        overrides: out.response_override,
    })
}

/// The session of the integration's role, or the caller where the role is `arn:aws:iam::*:user/*`.
fn principal(call: &Call, integration: &g::Integration) -> Result<Principal, Refusal> {
    let account = call.deployed.place.account;
    let credentials = integration.credentials.as_deref().unwrap_or_default();
    let credentials = call.deployed.with_variables(credentials);
    if credentials == "arn:aws:iam::*:user/*" {
        return Ok(call
            .principal
            .clone()
            .unwrap_or(Principal::Root { account }));
    }
    let role: Arn = credentials.parse().map_err(|_| Refusal::configuration())?;
    Ok(role_session(&role, account))
}
