//! WebSocket APIs: the handshake with its `$connect` route, and who manages connections.
//!
//! [`session`] is a connection's life, [`handshake`] what it keeps of its beginning, [`hub`] knows those
//! that are open, [`orders`] is what they are told to do, [`events`] is what functions are told,
//! [`integrate`] calls what is behind a route, by way of [`mapping`], [`manage`] is `@connections`.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-overview.html>

mod events;
mod handshake;
mod hub;
mod integrate;
mod manage;
mod mapping;
mod orders;
mod session;

use std::sync::Arc;

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use proxy::answer;
use serde_json::{Value, json};
use service::{Body, RequestContext};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::authorize::Denied;
use super::exchange::{Authorized, Exchange};
use super::target::Target;
use crate::ApiGatewayV2;
pub use events::Happening;
pub use hub::Hub;
use integrate::integrate;
use session::Session;

/// Where management requests go, below the stage.
pub const CONNECTIONS: &str = "/@connections/";

/// What is known of a connection, in events and logs.
#[derive(Clone, Debug)]
pub struct Connected {
    pub id: String,
    pub at: Timestamp,
    pub happening: Happening,
    pub message_id: Option<String>,
}

/// Answers a request to a WebSocket API: a handshake, or one that manages a connection.
pub async fn answer_websocket(
    service: &Arc<ApiGatewayV2>,
    target: Target,
    context: RequestContext,
    mut parts: Parts,
    body: Body,
) -> Response<Body> {
    if target.path.starts_with(CONNECTIONS) {
        return manage::answer(service, &target, &parts, body).await;
    }
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let (Some(upgrade), Some(key)) = (upgrade, handshake_key(&parts)) else {
        return refuse(StatusCode::FORBIDDEN, "Forbidden");
    };
    let mut exchange = Exchange::new(target, context, parts);
    exchange.connected = Some(Connected {
        id: fresh_connection_id(),
        at: service.clock.now(),
        happening: Happening::Connect,
        message_id: None,
    });
    let routes = &exchange.target.compiled.routes;
    exchange.route = routes.get("$connect").cloned();
    let mut accepted = Response::new(answer::full(Bytes::new()));
    if exchange.route.is_some() {
        let said = connect(service, &mut exchange).await;
        exchange.set_status(
            said.as_ref()
                .map_or_else(Response::status, |_| StatusCode::OK),
        );
        service.plane.log(&exchange);
        match said {
            Ok(headers) => *accepted.headers_mut() = headers,
            Err(refusal) => return refusal,
        }
    }
    *accepted.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = accepted.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept.expect("base64 is ASCII"));
    let session = Session::open(service, exchange);
    tokio::spawn(session.run(upgrade));
    accepted
}

/// Asks the authorizer and the integration of `$connect`; headers for the handshake's answer.
async fn connect(
    service: &ApiGatewayV2,
    exchange: &mut Exchange,
) -> Result<HeaderMap, Response<Body>> {
    let plane = &service.plane;
    if !plane.admits(exchange) {
        return Err(refuse(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"));
    }
    let route = exchange.route.clone();
    let id = route
        .as_ref()
        .and_then(|route| route.authorizer_id.as_deref());
    let authorizer = exchange
        .target
        .compiled
        .authorizers
        .get(id.unwrap_or_default())
        .cloned();
    let kind = route
        .as_ref()
        .map_or("NONE", |route| route.authorization_type.as_str());
    match (kind, authorizer) {
        ("CUSTOM", Some(authorizer)) => match plane.ask(exchange, &authorizer).await {
            Ok(grant) => {
                exchange.authorized = Authorized::Lambda {
                    principal_id: grant.principal_id.clone(),
                    context: grant.context.clone(),
                };
            }
            Err(Denied::Unauthorized) => {
                return Err(refuse(StatusCode::UNAUTHORIZED, "Unauthorized"));
            }
            Err(Denied::Forbidden) => {
                let text = "User is not authorized to access this resource";
                return Err(refuse(StatusCode::FORBIDDEN, text));
            }
            Err(Denied::Failed(why)) => {
                let api = exchange.target.api.id();
                tracing::warn!(api, why, "an authorizer of $connect failed");
                exchange.facts.authorizer_error = Some(why);
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                return Err(refuse(status, "Internal server error"));
            }
        },
        ("CUSTOM", None) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            return Err(refuse(status, "Internal server error"));
        }
        ("AWS_IAM", _) => exchange.authorized = Authorized::Iam,
        _ => {}
    }
    let event = exchange.connect_event();
    match integrate(plane, exchange, &event, &Bytes::new()).await {
        Ok(said) if said.status.is_success() => {
            let mut headers = HeaderMap::new();
            if let Some(protocol) = said.headers.get(SEC_WEBSOCKET_PROTOCOL) {
                headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol.clone());
            }
            Ok(headers)
        }
        Ok(said) => {
            let mut response = Response::new(answer::full(said.body));
            *response.status_mut() = said.status;
            Err(response)
        }
        Err(why) => {
            let api = exchange.target.api.id();
            tracing::warn!(api, why, "$connect's integration gave no answer");
            exchange.facts.integration_error = Some(why);
            Err(refuse(StatusCode::BAD_GATEWAY, "Internal server error"))
        }
    }
}

/// The key of a handshake, if this is one.
fn handshake_key(parts: &Parts) -> Option<String> {
    let has = |name: http::HeaderName, word: &str| {
        let values = parts.headers.get_all(name).iter();
        let mut words = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|it| it.split(','));
        words.any(|own| own.trim().eq_ignore_ascii_case(word))
    };
    let is_handshake = parts.method == Method::GET
        && has(CONNECTION, "upgrade")
        && has(UPGRADE, "websocket")
        && has(SEC_WEBSOCKET_VERSION, "13");
    let key = parts.headers.get(SEC_WEBSOCKET_KEY)?.to_str().ok()?;
    let is_key = STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16);
    (is_handshake && is_key).then(|| key.to_owned())
}

/// As AWS's look: eleven bytes in base64.
fn fresh_connection_id() -> String {
    let bytes: [u8; 11] = rand::random();
    base64::engine::general_purpose::URL_SAFE.encode(bytes)
}

fn refuse(status: StatusCode, text: &str) -> Response<Body> {
    answer::message(status, text)
}

/// What a client is told when its message leads nowhere.
pub fn complaint(text: &str, connection: &str, request: &str) -> Value {
    json!({"message": text, "connectionId": connection, "requestId": request})
}
