//! AWS: functions with a payload from a template, and other services' APIs.
//!
//! The URI is `arn:aws:apigateway:<region>:<service>:path/<path>` or `…:action/<Action>`.

use base::{Arn, Region};
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method, Request};
use service::Principal;

use super::body::outgoing;
use super::http::{add_query, filled, put_headers};
use super::{Answered, lambda, within};
use crate::run::call::Call;
use crate::run::refusal::Refusal;
use crate::{ApiGateway, g};

/// A service's API, as an integration's URI names it.
#[derive(Debug, PartialEq, Eq)]
struct Target<'u> {
    region: &'u str,
    /// `bucket` of `bucket.s3`.
    subdomain: Option<&'u str>,
    service: &'u str,
    action: Option<&'u str>,
    path: &'u str,
}

fn target(arn: &Arn) -> Option<Target<'_>> {
    let (subdomain, service) = match arn.account.rsplit_once('.') {
        Some((subdomain, service)) => (Some(subdomain), service),
        None => (None, arn.account.as_str()),
    };
    let (action, path) = match arn.resource.strip_prefix("action/") {
        Some(action) => (Some(action), ""),
        None => (None, arn.resource.strip_prefix("path/")?),
    };
    Some(Target {
        region: &arn.region,
        subdomain,
        service,
        action,
        path,
    })
}

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
    let Some(target) = arn.as_ref().and_then(target) else {
        tracing::warn!(
            api = call.deployed.api_id,
            uri,
            "an integration's URI is none"
        );
        return Err(Refusal::configuration());
    };
    if target.service == "lambda" && target.path.contains("/functions/") {
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
    let bucket = target
        .subdomain
        .map(|bucket| format!("/{bucket}"))
        .unwrap_or_default();
    let mut path = format!("{bucket}/{}", target.path.trim_start_matches('/'));
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
    let name = role.resource.rsplit('/').next().unwrap_or_default();
    let session = "BackplaneAssumeRoleSession";
    Ok(Principal::Session {
        arn: Arn::global("sts", account, format!("assumed-role/{name}/{session}")),
        role_arn: role.clone(),
        session_id: format!("{}:{session}", role.resource),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_by_path_and_by_action() {
        let read = |text: &str| {
            let arn: Arn = text.parse().unwrap();
            target(&arn).map(|target| {
                let Target {
                    subdomain,
                    service,
                    action,
                    path,
                    ..
                } = target;
                format!("{subdomain:?} {service} {action:?} {path}")
            })
        };
        assert_eq!(
            read("arn:aws:apigateway:us-east-1:sqs:path/000000000000/q").as_deref(),
            Some("None sqs None 000000000000/q")
        );
        assert_eq!(
            read("arn:aws:apigateway:us-east-1:dynamodb:action/PutItem").as_deref(),
            Some("None dynamodb Some(\"PutItem\") ")
        );
        assert_eq!(
            read("arn:aws:apigateway:us-east-1:b.s3:path/k").as_deref(),
            Some("Some(\"b\") s3 None k")
        );
        assert_eq!(read("arn:aws:apigateway:us-east-1:s3:other"), None);
    }
}
