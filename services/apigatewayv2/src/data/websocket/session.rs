//! One connection from its handshake to its end.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>

use std::sync::Arc;
use std::time::Duration;

use base::RequestId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::CapacityError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::exchange::{Exchange, Facts};
use super::super::target::Target;
use super::events::Happening;
use super::handshake::Handshake;
use super::hub::{Handle, Place};
use super::integrate::integrate;
use super::orders::Order;
use super::{Connected, complaint};
use crate::ApiGatewayV2;
use crate::domain::expression::in_body;
use crate::records::DEFAULT_ROUTE;

/// The largest message, and the largest frame, in bytes.
pub const MOST_OF_A_MESSAGE: usize = 128 * 1024;
const MOST_OF_A_FRAME: usize = 32 * 1024;
/// How long a connection may be idle, and how long it may live.
const IDLE: Duration = Duration::from_mins(10);
const LIFE: Duration = Duration::from_hours(2);
/// How long a client may take to make room for a message.
const TAKES: Duration = Duration::from_secs(30);
/// How long the end of a connection may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// What is read of a connection at once, and what is written of it at once unless one message is more:
/// most connections wait most of the time, and this is held by each of them.
const READ_AT_ONCE: usize = 1024;
const WRITTEN_AT_ONCE: usize = 4 * 1024;

pub struct Session {
    service: Arc<ApiGatewayV2>,
    /// From which every exchange is made.
    handshake: Box<Handshake>,
    id: String,
    handle: Arc<Handle>,
}

/// Why a connection ended.
struct End {
    code: u16,
    reason: String,
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

impl Session {
    /// Makes the connection known; its client has yet to hear that it may begin.
    pub fn open(service: &Arc<ApiGatewayV2>, exchange: Exchange) -> Self {
        let target = &exchange.target;
        let connected = exchange.connected.as_ref();
        let id = connected.map(|it| it.id.clone()).unwrap_or_default();
        let handle = Handle::new(
            target.api.id().to_owned(),
            target.stage.stage_name.clone(),
            connected.map(|it| it.at).unwrap_or_default(),
            exchange.source_ip.clone(),
            exchange.context("identity.userAgent").unwrap_or_default(),
        );
        service.plane.hub.add(id.clone(), Arc::clone(&handle));
        Self {
            service: Arc::clone(service),
            handshake: Box::new(Handshake::new(exchange)),
            id,
            handle,
        }
    }

    /// Serves the connection to its end, and then runs `$disconnect`.
    pub async fn run(self, upgrade: OnUpgrade) {
        let (end, socket) = match upgrade.await {
            Ok(upgraded) => {
                let config = WebSocketConfig::default()
                    .read_buffer_size(READ_AT_ONCE)
                    .write_buffer_size(WRITTEN_AT_ONCE)
                    .max_message_size(Some(MOST_OF_A_MESSAGE))
                    .max_frame_size(Some(MOST_OF_A_FRAME));
                let io = TokioIo::new(upgraded);
                let mut socket =
                    WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
                let end = self.serve(&mut socket).await;
                (end, Some(socket))
            }
            Err(error) => (end(1006, &error.to_string()), None),
        };
        self.handle.orders.end();
        self.service.plane.hub.remove(&self.id);
        // Boxed, as its call of the integration would make the task of each connection larger.
        let disconnected = Box::pin(self.disconnected(&end));
        tokio::join!(disconnected, Box::pin(part(socket)));
    }

    async fn serve(&self, socket: &mut Socket) -> End {
        let clock = self.service.clock.clone();
        let mut place = None;
        loop {
            let dies = self.handle.connected_at + LIFE;
            let deadline = dies.min(self.handle.last_active() + IDLE);
            tokio::select! {
                // What could not be handled is not read: the client waits, and nothing piles up here.
                found = self.handle.place(), if place.is_none() => place = Some(found),
                message = socket.next(), if place.is_some() => {
                    self.handle.active(clock.now());
                    match message {
                        Some(Ok(Message::Text(text))) => self.take(Bytes::from(text), place.take()),
                        Some(Ok(Message::Binary(bytes))) => self.take(bytes, place.take()),
                        Some(Ok(Message::Close(frame))) => {
                            let frame = frame.map(|it| (u16::from(it.code), it.reason.to_string()));
                            let (code, reason) = frame.unwrap_or((1005, String::new()));
                            return end(code, &reason);
                        }
                        Some(Ok(_)) => {
                            // tungstenite answers pings when it next writes.
                            if socket.flush().await.is_err() {
                                return end(1006, "");
                            }
                        }
                        Some(Err(error)) => return refuse(socket, &error).await,
                        None => return end(1006, ""),
                    }
                }
                order = self.handle.orders.next() => match order {
                    Order::Send(bytes) => {
                        self.handle.active(clock.now());
                        let message = match String::from_utf8(bytes.to_vec()) {
                            Ok(text) => Message::text(text),
                            Err(_) => Message::binary(bytes),
                        };
                        // A client that takes nothing must not hold its connection for ever.
                        let until = clock.now() + TAKES;
                        let is_sent = tokio::select! {
                            sent = socket.send(message) => sent.is_ok(),
                            () = clock.sleep_until(until) => false,
                        };
                        if !is_sent {
                            return end(1006, "");
                        }
                    }
                    Order::Close { code, reason } => return close(socket, code, reason).await,
                },
                () = clock.sleep_until(deadline) => {
                    let now = clock.now();
                    if now >= dies || now.since(self.handle.last_active()) >= IDLE {
                        return close(socket, 1001, "Going away").await;
                    }
                }
            }
        }
    }

    /// Handles a message beside others: AWS promises no order.
    fn take(&self, body: Bytes, place: Option<Place>) {
        let message = self.exchange_for(Happening::Message);
        let (service, handle) = (Arc::clone(&self.service), Arc::clone(&self.handle));
        let id = self.id.clone();
        tokio::spawn(async move {
            let _place = place;
            let answer = if let Some(mut exchange) = message {
                answer(&service, &mut exchange, &body).await
            } else {
                let request = RequestId::random().to_string();
                Some(complaint("Forbidden", &id, &request).to_string().into())
            };
            if let Some(answer) = answer {
                // A client that is gone hears nothing more.
                let _ = handle.orders.send(answer).await;
            }
        });
    }

    /// An exchange of this connection, with what its stage serves now. `None` if that is gone.
    fn exchange_for(&self, happening: Happening) -> Option<Exchange> {
        let before = self.handshake.bare();
        let api = self.service.directory.api(before.target.api.id())?;
        let stage = Arc::clone(api.stages.get(&before.target.stage.stage_name)?);
        let compiled = api.served(&stage)?;
        let connected = before.connected.as_ref()?;
        let now = self.service.clock.now();
        Some(Exchange {
            target: Target {
                api,
                stage,
                compiled,
                path: before.target.path.clone(),
                full_path: before.target.full_path.clone(),
            },
            connected: Some(Connected {
                happening,
                message_id: (happening == Happening::Message).then(message_id),
                ..connected.clone()
            }),
            route: None,
            request_id: RequestId::random(),
            at: now,
            facts: Facts::default(),
            ..self.handshake.exchange()
        })
    }

    /// `$disconnect` is tried once, and nobody waits for it.
    async fn disconnected(&self, end: &End) {
        let Some(mut exchange) = self.exchange_for(Happening::Disconnect) else {
            return;
        };
        exchange.route = exchange.target.compiled.routes.get("$disconnect").cloned();
        if exchange.route.is_none() {
            return;
        }
        let event = exchange.disconnect_event(end.code, &end.reason);
        let said = integrate(&self.service.plane, &exchange, &event, &Bytes::new()).await;
        note(&self.service, &mut exchange, &said.map(|said| said.status));
    }
}

/// Runs the route of a message; what the client is to hear.
async fn answer(service: &ApiGatewayV2, exchange: &mut Exchange, body: &Bytes) -> Option<Bytes> {
    let expression = &exchange.target.api.record.route_selection_expression;
    let routes = &exchange.target.compiled.routes;
    let key = selected(expression, body);
    let route = key
        .and_then(|key| routes.get(&key))
        .or_else(|| routes.get(DEFAULT_ROUTE));
    exchange.route = route
        .filter(|route| !is_of_connection(&route.route_key))
        .cloned();
    let connected = exchange.connected.as_ref();
    let id = connected.map(|it| it.id.clone()).unwrap_or_default();
    let complain = |exchange: &Exchange, text: &str| {
        let complaint = complaint(text, &id, &exchange.request_id.to_string());
        Some(Bytes::from(complaint.to_string()))
    };
    let Some(route) = exchange.route.clone() else {
        return complain(exchange, "Forbidden");
    };
    if !service.plane.admits(exchange) {
        return complain(exchange, "Too Many Requests");
    }
    let event = exchange.message_event(body);
    let said = integrate(&service.plane, exchange, &event, body).await;
    note(
        service,
        exchange,
        &said.as_ref().map(|said| said.status).map_err(Clone::clone),
    );
    let Ok(said) = said else {
        return complain(exchange, "Internal server error");
    };
    // Only routes with a response are two-way.
    let responses = exchange
        .target
        .compiled
        .route_responses
        .get(&route.route_id);
    let is_two_way = route.route_response_selection_expression.is_some()
        && responses.is_some_and(|all| !all.is_empty());
    (is_two_way && !said.body.is_empty()).then_some(said.body)
}

/// The stage's line about it, and ours about what failed.
fn note(service: &ApiGatewayV2, exchange: &mut Exchange, said: &Result<http::StatusCode, String>) {
    match said {
        Ok(status) => {
            exchange.facts.integration_status = Some(status.as_u16());
            exchange.set_status(*status);
        }
        Err(why) => {
            let (api, route) = (exchange.target.api.id(), exchange.route_key());
            tracing::warn!(api, route, why, "an integration gave no answer");
            exchange.facts.integration_error = Some(why.clone());
            exchange.facts.status = 500;
        }
    }
    service.plane.log(exchange);
}

/// Messages do not choose these.
fn is_of_connection(key: &str) -> bool {
    matches!(key, "$connect" | "$disconnect")
}

/// The route key that an expression selects: `$request.body.action`, or several in one text.
pub fn selected(expression: &str, body: &[u8]) -> Option<String> {
    if serde_json::from_slice::<Value>(body).is_err() {
        return None;
    }
    if let Some(path) = expression.strip_prefix("$request.body") {
        return in_body(body, path.trim_start_matches('.'));
    }
    let mut out = String::new();
    let mut rest = expression;
    while let Some(at) = rest.find("${request.body") {
        out.push_str(&rest[..at]);
        let after = &rest[at + "${request.body".len()..];
        let (path, after) = after.split_once('}')?;
        out.push_str(&in_body(body, path.trim_start_matches('.'))?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

fn message_id() -> String {
    let bytes: [u8; 11] = rand::random();
    STANDARD.encode(bytes)
}

fn end(code: u16, reason: &str) -> End {
    End {
        code,
        reason: reason.to_owned(),
    }
}

async fn close(socket: &mut Socket, code: u16, reason: &'static str) -> End {
    let frame = CloseFrame {
        code: CloseCode::from(code),
        reason: reason.into(),
    };
    // The client may be gone already.
    let _ = socket.close(Some(frame)).await;
    end(code, reason)
}

/// Ends a connection as both sides agree to end it: answers the client's close, or waits for its answer
/// to ours, as bytes that nobody has read would have the client told of a reset instead.
async fn part(socket: Option<Socket>) {
    let Some(mut socket) = socket else {
        return;
    };
    let farewell = async {
        // tungstenite keeps its answer to a close until the next write.
        let _ = socket.flush().await;
        while let Some(Ok(_)) = socket.next().await {}
    };
    // A client that says no more is left.
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}

/// Tells a client what was wrong with what it sent.
async fn refuse(socket: &mut Socket, error: &Error) -> End {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            close(socket, 1009, "Message is too long").await
        }
        Error::Protocol(_) => close(socket, 1002, "Protocol error").await,
        Error::Utf8(_) => close(socket, 1007, "Invalid frame payload data").await,
        _ => end(1006, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_are_selected_by_the_body() {
        let body = br#"{"action":"send","a":{"b":[7]}}"#;
        let of = |expression| selected(expression, body);
        assert_eq!(of("$request.body.action").as_deref(), Some("send"));
        assert_eq!(
            of("${request.body.action}/${request.body.a.b[0]}").as_deref(),
            Some("send/7")
        );
        assert_eq!(of("$request.body.none"), None);
        assert_eq!(selected("$request.body.action", b"not json"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_message_is_read_without_a_panic(expression in ".{0,40}", body: Vec<u8>) {
            let _ = selected(&expression, &body);
            let _ = selected(&format!("${{request.body{expression}"), b"{}");
        }
    }
}
