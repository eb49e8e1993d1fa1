//! What functions are told of a connection, and what integrations make of it.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html>

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use proxy::answer::{self, RulesV1};
use proxy::client;
use proxy::event::add_values_v1;
use proxy::invoke::{function_arn, with_stage_variables};
use proxy::request::access_log_time;
use serde_json::{Value, json};

use super::super::DataPlane;
use super::super::exchange::{Authorized, Exchange};
use super::super::integrate::Failure;
use super::session::MOST_OF_A_MESSAGE;
use crate::domain::expression::walk;
use crate::records::Integration;

const RULES: RulesV1 = RulesV1 {
    needs_status: false,
    refuses_others: false,
    decodes: true,
};

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    Connect,
    Message,
    Disconnect,
}

impl Happening {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Message => "MESSAGE",
            Self::Disconnect => "DISCONNECT",
        }
    }
}

/// What an integration said.
pub struct Said {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Exchange {
    /// The event of a client that connects; authorizers get it as well.
    pub fn connect_event(&self) -> Value {
        let mut event = json!({
            "requestContext": self.websocket_context(),
            "isBase64Encoded": false,
        });
        self.add_request(&mut event);
        event
    }

    /// Headers and query of the handshake.
    fn add_request(&self, event: &mut Value) {
        let id = self.request_id.to_string();
        add_values_v1(event, &self.incoming(&self.target.full_path, &id, b""));
        // Without a query there is no word of it.
        if let Value::Object(members) = event {
            members.retain(|_, value| !value.is_null());
        }
        if let Some(variables) = self.shown_stage_variables() {
            event["stageVariables"] = Value::Object(variables);
        }
    }

    /// The event of a message.
    pub fn message_event(&self, body: &[u8]) -> Value {
        let (body, is_base64) = proxy::request::event_body(std::str::from_utf8(body).ok(), body);
        let mut event = json!({
            "requestContext": self.websocket_context(),
            "body": body,
            "isBase64Encoded": is_base64,
        });
        if let Some(variables) = self.shown_stage_variables() {
            event["stageVariables"] = Value::Object(variables);
        }
        event
    }

    /// The event of a connection that has ended.
    pub fn disconnect_event(&self, code: u16, reason: &str) -> Value {
        let mut event = json!({
            "requestContext": self.websocket_context(),
            "isBase64Encoded": false,
        });
        self.add_request(&mut event);
        event["requestContext"]["disconnectStatusCode"] = json!(code);
        event["requestContext"]["disconnectReason"] = json!(reason);
        event
    }

    fn websocket_context(&self) -> Value {
        let connected = self.connected.as_ref();
        let request_id = self.request_id.to_string();
        let mut context = json!({
            "routeKey": self.route_key(),
            "eventType": connected.map(|it| it.happening.as_str()),
            "extendedRequestId": request_id,
            "requestTime": access_log_time(self.at),
            "messageDirection": "IN",
            "stage": self.target.stage.stage_name,
            "connectedAt": connected.map(|it| it.at.millis()),
            "requestTimeEpoch": self.at.millis(),
            "identity": {"sourceIp": self.source_ip},
            "requestId": request_id,
            "domainName": self.domain_name,
            "connectionId": connected.map(|it| it.id.as_str()),
            "apiId": self.target.api.id(),
        });
        if let Some(agent) = self.context("identity.userAgent") {
            context["identity"]["userAgent"] = json!(agent);
        }
        if let Some(message) = connected.and_then(|it| it.message_id.as_deref()) {
            context["messageId"] = json!(message);
        }
        match &self.authorized {
            Authorized::Lambda {
                principal_id,
                context: said,
            } => {
                let mut said = said.clone();
                said.insert("principalId".to_owned(), json!(principal_id));
                context["authorizer"] = Value::Object(said);
            }
            Authorized::Iam => {
                let signer = self.signer();
                for name in ["accountId", "userArn"] {
                    context["identity"][name] = signer[name].clone();
                }
                context["identity"]["caller"] = signer["callerId"].clone();
                context["identity"]["user"] = signer["userId"].clone();
            }
            _ => {}
        }
        context
    }
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
    let uri = integration.integration_uri.as_deref().unwrap_or_default();
    match integration.integration_type.as_str() {
        "MOCK" => mock(&integration, body),
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
            Ok(Said {
                status: parts.status,
                headers: parts.headers,
                body,
            })
        }
        "AWS" if function_arn(uri).is_some() => {
            let payload = match exchange.connected.as_ref().map(|it| it.happening) {
                Some(Happening::Message) => serde_json::from_slice(body)
                    .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned())),
                _ => json!({}),
            };
            let said = plane
                .call_function(exchange, &integration, &payload, patience)
                .await;
            said.map(plain).map_err(reason)
        }
        "HTTP" | "HTTP_PROXY" => forward(plane, exchange, &integration, body, patience).await,
        other => Err(format!(
            "there is no integration of type {other} with {uri} here"
        )),
    }
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

/// A mock answers with the status that its template says.
fn mock(integration: &Integration, body: &Bytes) -> Result<Said, String> {
    let templates = integration.request_templates.iter().flatten();
    let mut texts = templates.map(|(_, text)| text);
    let status = texts.find_map(|text| {
        let template: Value = serde_json::from_str(text).ok()?;
        walk(&template, "statusCode")?.as_u64()
    });
    let status = u16::try_from(status.unwrap_or(200)).unwrap_or(500);
    let status = StatusCode::from_u16(status).map_err(|error| error.to_string())?;
    Ok(Said {
        status,
        ..plain(body.clone())
    })
}

async fn forward(
    plane: &DataPlane,
    exchange: &Exchange,
    integration: &Integration,
    body: &Bytes,
    patience: Duration,
) -> Result<Said, String> {
    let uri = integration.integration_uri.as_deref().unwrap_or_default();
    let uri = with_stage_variables(uri, &exchange.stage_variables);
    let uri = client::with_path(&uri, "", "").ok_or_else(|| format!("{uri} is no URI"))?;
    let method = integration.integration_method.as_deref().unwrap_or("POST");
    let method = Method::from_bytes(method.replace("ANY", "POST").as_bytes());
    let mut request = Request::new(body.clone());
    *request.uri_mut() = uri;
    *request.method_mut() = method.map_err(|error| error.to_string())?;
    let kind = http::HeaderValue::from_static("application/json");
    request
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, kind);
    for (key, text) in integration.request_parameters.iter().flatten() {
        let Some(name) = key.strip_prefix("integration.request.header.") else {
            continue;
        };
        let value = match text
            .strip_prefix('\'')
            .and_then(|text| text.strip_suffix('\''))
        {
            Some(fixed) => Some(fixed.to_owned()),
            None => text
                .strip_prefix("context.")
                .and_then(|name| exchange.context(name)),
        };
        let name = http::HeaderName::try_from(name).ok();
        let value = value.and_then(|value| http::HeaderValue::try_from(value).ok());
        if let (Some(name), Some(value)) = (name, value) {
            request.headers_mut().insert(name, value);
        }
    }
    let said = plane
        .client
        .fetch(request, patience, MOST_OF_A_MESSAGE)
        .await;
    let (parts, body) = said.map_err(|error| error.to_string())?.into_parts();
    Ok(Said {
        status: parts.status,
        headers: parts.headers,
        body,
    })
}
