//! `@connections`: what a backend does with a client's connection.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html>

use std::sync::Arc;
use std::time::Duration;

use http::header::HeaderValue;
use http::request::Parts;
use http::{Method, Response, StatusCode};
use proxy::request::decoded_path;
use proxy::{answer, request};
use serde_json::json;
use service::Body;

use super::super::target::Target;
use super::CONNECTIONS;
use super::orders::Ended;
use super::session::MOST_OF_A_MESSAGE;
use crate::ApiGatewayV2;

/// How long a client may be too slow for a message.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn answer(
    service: &Arc<ApiGatewayV2>,
    target: &Target,
    parts: &Parts,
    body: Body,
) -> Response<Body> {
    let id = target.path.strip_prefix(CONNECTIONS).unwrap_or_default();
    let id = decoded_path(id);
    let (api, stage) = (target.api.id(), target.stage.stage_name.as_str());
    let found = service.plane.hub.find(&id, api, stage);
    match parts.method {
        Method::POST => {
            let message = match request::collect(body, MOST_OF_A_MESSAGE).await {
                Ok(message) => message,
                Err(StatusCode::PAYLOAD_TOO_LARGE) => {
                    let text = "Payload too large";
                    return error(
                        StatusCode::PAYLOAD_TOO_LARGE,
                        "PayloadTooLargeException",
                        text,
                    );
                }
                Err(status) => return error(status, "BadRequestException", "Bad Request"),
            };
            let Some(handle) = found else {
                return gone();
            };
            match tokio::time::timeout(PATIENCE, handle.orders.send(message)).await {
                Ok(Ok(())) => empty(StatusCode::OK),
                Ok(Err(Ended)) => gone(),
                Err(_) => error(
                    StatusCode::TOO_MANY_REQUESTS,
                    "LimitExceededException",
                    "The client does not take what was sent before",
                ),
            }
        }
        Method::GET => {
            let Some(handle) = found else {
                return gone();
            };
            let body = json!({
                "connectedAt": handle.connected_at.iso8601_millis(),
                "identity": {"sourceIp": handle.source_ip, "userAgent": handle.user_agent},
                "lastActiveAt": handle.last_active().iso8601_millis(),
            });
            let mut response = Response::new(answer::full(body.to_string()));
            let kind = HeaderValue::from_static("application/json");
            response
                .headers_mut()
                .insert(http::header::CONTENT_TYPE, kind);
            response
        }
        Method::DELETE => {
            let Some(handle) = found else {
                return gone();
            };
            match handle.orders.close(1000, "Connection Closed Normally") {
                Ok(()) => empty(StatusCode::NO_CONTENT),
                Err(Ended) => gone(),
            }
        }
        _ => error(StatusCode::FORBIDDEN, "ForbiddenException", "Forbidden"),
    }
}

fn gone() -> Response<Body> {
    error(StatusCode::GONE, "GoneException", "Gone")
}

fn error(status: StatusCode, code: &'static str, text: &str) -> Response<Body> {
    let mut response = answer::message(status, text);
    let code = HeaderValue::from_static(code);
    response.headers_mut().insert("x-amzn-errortype", code);
    response
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(answer::full(""));
    *response.status_mut() = status;
    response
}
