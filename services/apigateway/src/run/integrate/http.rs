//! HTTP and HTTP_PROXY: requests to other servers.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use proxy::client::{ClientError, with_path};

use super::body::{Outgoing, outgoing};
use super::{Answered, MAX_ANSWER, within};
use crate::generated::GatewayResponseType as Kind;
use crate::run::call::Call;
use crate::run::context;
use crate::run::mapping::{self, Parameters};
use crate::run::refusal::Refusal;
use crate::{ApiGateway, g};

/// Of a path's segments; a greedy variable keeps its slashes.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b'@')
    .remove(b',')
    .remove(b'+');

/// The client's request, with what is mapped put over it, and the server's answer as it is.
pub async fn proxy(
    service: &ApiGateway,
    call: &Call,
    integration: &g::Integration,
) -> Result<Response<Bytes>, Refusal> {
    let told = context::of(call);
    let parameters = mapping::request_parameters(call, &told);
    let mut headers = call.headers.clone();
    headers.remove(HOST);
    put_headers(&mut headers, &parameters);
    let mut query = call.query.clone();
    add_query(&mut query, &parameters);
    let uri = uri(call, integration, &parameters, &query)?;
    let request = request(call, integration, uri, headers, call.body.clone())?;
    let answer = send(service, call, integration, request).await?;
    Ok(answer)
}

/// Only what is mapped, and the body through a template; the answer selects a response.
pub async fn run(
    service: &ApiGateway,
    call: &Call,
    integration: &g::Integration,
) -> Result<Answered, Refusal> {
    let Outgoing {
        body,
        parameters,
        response_override,
        kind,
        ..
    } = outgoing(call, integration)?;
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Ok(kind) = HeaderValue::from_str(&kind)
        && !body.is_empty()
    {
        headers.insert(CONTENT_TYPE, kind);
    }
    put_headers(&mut headers, &parameters);
    let mut query = String::new();
    add_query(&mut query, &parameters);
    let uri = uri(call, integration, &parameters, &query)?;
    let request = request(call, integration, uri, headers, body)?;
    let (parts, body) = send(service, call, integration, request)
        .await?
        .into_parts();
    Ok(Answered {
        selector: parts.status.as_u16().to_string(),
        headers: parts.headers,
        body,
        overrides: response_override,
    })
}

pub fn put_headers(headers: &mut HeaderMap, parameters: &Parameters) {
    for (name, values) in &parameters.headers {
        let Ok(name) = HeaderName::try_from(name.as_str()) else {
            continue;
        };
        headers.remove(&name);
        for value in values {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.append(name.clone(), value);
            }
        }
    }
}

/// Mapped parameters take the place of the client's of the same name.
pub fn add_query(query: &mut String, parameters: &Parameters) {
    let is_mapped = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default();
        !parameters
            .query
            .contains_key(&proxy::request::decoded(name))
    };
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter(is_mapped)
        .map(str::to_owned)
        .collect();
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    for (name, values) in &parameters.query {
        for value in values {
            pairs.push(format!("{}={}", encode(name), encode(value)));
        }
    }
    *query = pairs.join("&");
}

/// A URI with its variables put in: stage variables, and `{name}` of mapped path parameters. One
/// that is not mapped has the request's own of that name.
pub fn filled(call: &Call, uri: &str, parameters: &Parameters) -> String {
    let mut uri = call.deployed.with_variables(uri);
    for (name, value) in parameters.path.iter().chain(&call.path_parameters) {
        for braced in [format!("{{{name}}}"), format!("{{{name}+}}")] {
            if uri.contains(&braced) {
                let encoded = utf8_percent_encode(value, SEGMENT).to_string();
                uri = uri.replace(&braced, &encoded);
            }
        }
    }
    uri
}

fn uri(
    call: &Call,
    integration: &g::Integration,
    parameters: &Parameters,
    query: &str,
) -> Result<Uri, Refusal> {
    let text = filled(
        call,
        integration.uri.as_deref().unwrap_or_default(),
        parameters,
    );
    let text = if text.contains("://") {
        text
    } else {
        format!("https://{text}")
    };
    with_path(&text, "", query).ok_or_else(|| {
        tracing::warn!(
            api = call.deployed.api_id,
            uri = text,
            "an integration's URI is none"
        );
        call.log.line(|| {
            "Execution failed due to configuration error: Invalid endpoint address".to_owned()
        });
        Refusal::configuration()
    })
}

fn request(
    call: &Call,
    integration: &g::Integration,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Request<Bytes>, Refusal> {
    let method = match integration.http_method.as_deref() {
        None | Some("ANY") => &call.http_method,
        Some(method) => method,
    };
    let method = Method::try_from(method).map_err(|_| Refusal::configuration())?;
    call.log.line(|| format!("Sending request to {uri}"));
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

async fn send(
    service: &ApiGateway,
    call: &Call,
    integration: &g::Integration,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, Refusal> {
    let limit = within(integration);
    let exchange = async {
        let sent = service.client.send(request, call.reach, limit);
        let (parts, body) = sent.await?.into_parts();
        let body = proxy::request::collect(body, MAX_ANSWER).await;
        let body = body.map_err(|status| match status {
            StatusCode::PAYLOAD_TOO_LARGE => ClientError::TooLarge(MAX_ANSWER),
            _ => ClientError::Unusable("the answer broke off".to_owned()),
        })?;
        Ok(Response::from_parts(parts, body))
    };
    let sent = tokio::time::timeout(limit, exchange).await;
    let sent = sent.unwrap_or(Err(ClientError::Late(limit)));
    sent.map_err(|error| {
        tracing::warn!(api = call.deployed.api_id, %error, "an API's HTTP endpoint did not answer");
        call.log.line(|| format!("Execution failed: {error}"));
        match error {
            ClientError::Late(_) => Refusal::timed_out(),
            ClientError::TooLarge(_) => Refusal::bad_gateway(),
            ClientError::Unusable(_) => Refusal::new(
                Kind::IntegrationFailure,
                "Network error communicating with endpoint",
            ),
        }
    })
}
