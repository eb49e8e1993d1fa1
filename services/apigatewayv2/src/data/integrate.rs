//! What is behind a route: a function, another server, or a service.

use std::time::{Duration, Instant};

use base::RequestId;
use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use proxy::answer::{self, RulesV1};
use proxy::client::{self, ClientError};
use proxy::invoke::{self, Call, execute_arn, function_arn, with_stage_variables};
use proxy::request::decoded_path;
use serde_json::Value;
use service::{Body, ServiceError};

use super::DataPlane;
use super::event::lambda_event;
use super::exchange::Exchange;
use super::http::{MOST, refuse, whole};
use crate::domain::expression::Sources;
use crate::domain::mapping::{Outgoing, apply_to_answer};
use crate::records::{Integration, Texts};

const RULES: RulesV1 = RulesV1 {
    needs_status: true,
    refuses_others: false,
    decodes: true,
};

/// Why an integration gave no answer; the reason is for the log.
pub enum Failure {
    /// What is behind cannot be reached, or is throttled.
    Unavailable(String),
    /// It took too long.
    Late(String),
    /// It failed, or what it said is no response.
    Broken(String),
    /// The mapping of a service integration gives no request.
    BadRequest(String),
}

impl DataPlane {
    /// Calls the route's integration and makes the client's answer of its.
    pub async fn integrate(&self, exchange: &mut Exchange, body: Bytes) -> Response<Body> {
        let route = exchange.route.as_deref();
        let found = route.and_then(|route| exchange.target.compiled.integration(route));
        let Some(integration) = found.cloned() else {
            exchange.facts.integration_error = Some("the route has no integration".to_owned());
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return refuse(exchange, status, "Internal Server Error");
        };
        let began = Instant::now();
        let answered = self.call(exchange, &integration, &body).await;
        exchange.facts.integration_latency = Some(began.elapsed());
        match answered {
            Ok(mut response) => {
                exchange.facts.integration_status = Some(response.status().as_u16());
                change_answer(exchange, &integration, &body, &mut response);
                whole(response)
            }
            Err(failure) => failed(exchange, failure),
        }
    }

    async fn call(
        &self,
        exchange: &Exchange,
        integration: &Integration,
        body: &Bytes,
    ) -> Result<Response<Bytes>, Failure> {
        if integration.connection_type.as_deref() == Some("VPC_LINK") {
            let why = "Kagero has no networks for VPC links to lead into".to_owned();
            return Err(Failure::Unavailable(why));
        }
        let patience = u64::try_from(integration.timeout_in_millis).unwrap_or(30_000);
        let patience = Duration::from_millis(patience);
        match (
            integration.integration_type.as_str(),
            &integration.integration_subtype,
        ) {
            ("AWS_PROXY", Some(subtype)) => {
                let call = self.call_service(exchange, integration, subtype, body);
                let answered = tokio::time::timeout(patience, call).await;
                answered.unwrap_or_else(|_| Err(late(patience)))
            }
            ("AWS_PROXY", None) => {
                let format = integration.payload_format_version.as_deref();
                let is_first = format == Some("1.0");
                let event = lambda_event(exchange, integration, body, is_first);
                let payload = self
                    .call_function(exchange, integration, &event, patience)
                    .await?;
                let answered = if is_first {
                    answer::v1(&payload, RULES)
                } else {
                    answer::v2(payload)
                };
                answered.map_err(|why| Failure::Broken(why.to_string()))
            }
            _ => self.forward(exchange, integration, body, patience).await,
        }
    }

    /// Runs the integration's function; what it answers.
    pub async fn call_function(
        &self,
        exchange: &Exchange,
        integration: &Integration,
        event: &Value,
        patience: Duration,
    ) -> Result<Bytes, Failure> {
        let api = &exchange.target.api;
        let uri = integration.integration_uri.as_deref().unwrap_or_default();
        let uri = with_stage_variables(uri, &exchange.stage_variables);
        let function = function_arn(&uri)
            .ok_or_else(|| Failure::Broken(format!("{uri} names no function")))?;
        let rest = source_of(exchange.route_key());
        let stage = &exchange.target.stage.stage_name;
        let call = Call {
            function,
            payload: event,
            source: execute_arn(&api.region, api.account, api.id(), stage, &rest),
            account: api.account,
            region: api.region.clone(),
            request_id: RequestId::random(),
            at: self.clock.now(),
            trace: exchange.trace.clone(),
        };
        let invoked = tokio::time::timeout(patience, invoke::invoke(&*self.invoker, call)).await;
        match invoked {
            // AWS says so of functions, and 504 of other servers.
            Err(_) => Err(Failure::Unavailable(format!(
                "the function took longer than {} ms",
                patience.as_millis()
            ))),
            Ok(Err(error)) => Err(not_invoked(&error)),
            Ok(Ok(invocation)) if invocation.function_error.is_some() => {
                let error: Value = serde_json::from_slice(&invocation.payload).unwrap_or_default();
                let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
                let (kind, message) = (text("errorType"), text("errorMessage"));
                Err(Failure::Broken(format!(
                    "The Lambda function returned the following error: {kind} {message}. Check \
                     your Lambda function code and try again."
                )))
            }
            Ok(Ok(invocation)) => Ok(invocation.payload),
        }
    }

    /// Sends the request on to another server.
    async fn forward(
        &self,
        exchange: &Exchange,
        integration: &Integration,
        body: &Bytes,
        patience: Duration,
    ) -> Result<Response<Bytes>, Failure> {
        let broken = |why: String| Failure::Broken(why);
        let uri = integration.integration_uri.as_deref().unwrap_or_default();
        let uri = with_stage_variables(uri, &exchange.stage_variables);
        let (base, path) = endpoint(&uri, exchange);
        let mut outgoing = Outgoing::new(exchange.headers.clone(), exchange.query(), &path);
        if let Some(mappings) = &integration.request_parameters {
            let context = |name: &str| exchange.context(name);
            outgoing.apply(mappings, &exchange.sources(body, &context));
        }
        let query = written(&outgoing.query);
        let uri: Uri = client::with_path(&base, &encoded(&outgoing.path), &query)
            .ok_or_else(|| broken(format!("{base} and {} make no URI", outgoing.path)))?;
        let method = match integration.integration_method.as_deref() {
            None | Some("ANY") => exchange.parts.method.clone(),
            Some(method) => Method::from_bytes(method.as_bytes())
                .map_err(|_| broken(format!("{method} is no method")))?,
        };
        let mut request = Request::new(body.clone());
        *request.uri_mut() = uri;
        *request.method_mut() = method;
        for name in ["x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"] {
            outgoing.headers.remove(name);
        }
        outgoing.headers.remove(HOST);
        let forwarded = format!(
            "for={};host={};proto=http",
            exchange.source_ip, exchange.domain_name
        );
        if let Ok(forwarded) = HeaderValue::try_from(forwarded) {
            outgoing.headers.append("forwarded", forwarded);
        }
        *request.headers_mut() = outgoing.headers;
        let answered = self.client.fetch(request, exchange.reach(), patience, MOST);
        let answered = answered.await;
        answered.map_err(|error| match error {
            ClientError::Late(_) => late(patience),
            ClientError::Unusable(why) => Failure::Unavailable(why),
            ClientError::TooLarge(_) => broken(error.to_string()),
        })
    }
}

fn failed(exchange: &mut Exchange, failure: Failure) -> Response<Body> {
    let (status, text, why) = match failure {
        Failure::Unavailable(why) => (503, "Service Unavailable", why),
        Failure::Late(why) => (504, "Gateway Timeout", why),
        Failure::Broken(why) => (500, "Internal Server Error", why),
        Failure::BadRequest(why) => (400, "Bad Request", why),
    };
    let (api, route) = (exchange.target.api.id(), exchange.route_key());
    tracing::warn!(api, route, why, "an integration gave no answer");
    exchange.facts.integration_error = Some(why);
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    refuse(exchange, status, text)
}

fn late(patience: Duration) -> Failure {
    Failure::Late(format!("no answer within {} ms", patience.as_millis()))
}

/// An invocation that did not begin.
fn not_invoked(error: &ServiceError) -> Failure {
    if error.status == StatusCode::TOO_MANY_REQUESTS {
        return Failure::Unavailable(error.to_string());
    }
    Failure::Broken(error.to_string())
}

/// `GET/pets/{id}` of `GET /pets/{id}`: how a function's policy names a route.
fn source_of(key: &str) -> String {
    match key.split_once(" /") {
        Some((method, path)) => format!("{method}/{path}"),
        None => key.to_owned(),
    }
}

/// Where a request goes: the URI with its variables put in; of `$default` the whole path goes on.
fn endpoint(uri: &str, exchange: &Exchange) -> (String, String) {
    let mut uri = uri.to_owned();
    for (name, value) in &exchange.path_parameters {
        let value = encoded(value.as_str().unwrap_or_default());
        for variable in [format!("{{{name}}}"), format!("{{{name}+}}")] {
            uri = uri.replace(&variable, &value);
        }
    }
    let is_default = exchange.route_key() == crate::records::DEFAULT_ROUTE;
    let path = if is_default {
        decoded_path(&exchange.target.path)
    } else {
        String::new()
    };
    (uri, path)
}

/// A path as a URI has it.
pub fn encoded(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let hex = |digit: u8| char::from(b"0123456789ABCDEF"[usize::from(digit)]);
            out.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    out
}

pub fn written(query: &[(String, String)]) -> String {
    let part = |text: &str| {
        encoded(text)
            .replace('+', "%2B")
            .replace('&', "%26")
            .replace('=', "%3D")
    };
    let pairs = query
        .iter()
        .map(|(name, value)| format!("{}={}", part(name), part(value)));
    pairs.collect::<Vec<_>>().join("&")
}

/// The mappings for the answer's status.
fn change_answer(
    exchange: &Exchange,
    integration: &Integration,
    body: &Bytes,
    response: &mut Response<Bytes>,
) {
    let mappings = integration.response_parameters.as_ref();
    let mappings: Option<&Texts> = mappings.and_then(|all| all.get(response.status().as_str()));
    let Some(mappings) = mappings else {
        return;
    };
    let context = |name: &str| exchange.context(name);
    let (headers, said) = (response.headers().clone(), response.body().clone());
    let sources = Sources {
        response: Some((&headers, &said)),
        ..exchange.sources(body, &context)
    };
    let (mut status, mut changed) = (response.status(), headers.clone());
    apply_to_answer(mappings, &sources, &mut status, &mut changed);
    *response.status_mut() = status;
    *response.headers_mut() = changed;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_name_routes() {
        assert_eq!(source_of("GET /pets/{id}"), "GET/pets/{id}");
        assert_eq!(source_of("ANY /"), "ANY/");
        assert_eq!(source_of("$default"), "$default");
    }

    #[test]
    fn queries_are_written_as_they_are_read() {
        let pairs = vec![("a b".to_owned(), "1&2=3+4".to_owned())];
        let read: Vec<_> = proxy::request::pairs(&written(&pairs)).collect();
        assert_eq!(read, pairs);
    }
}
