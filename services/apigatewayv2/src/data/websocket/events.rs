//! What functions are told of a connection.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html>

use proxy::event::add_values_v1;
use proxy::request::access_log_time;
use serde_json::{Value, json};

use super::super::exchange::{Authorized, Exchange};

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

    /// `requestContext` of events, `$context` of templates.
    pub fn websocket_context(&self) -> Value {
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
