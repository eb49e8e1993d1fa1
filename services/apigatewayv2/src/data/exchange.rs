//! One request and what has become of it: what expressions and access logs may name.

use std::sync::Arc;
use std::time::Duration;

use base::{AccountId, RequestId, Timestamp};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use proxy::request::{self, Incoming, access_log_time};
use proxy::{address, signer};
use serde_json::{Map, Value};
use service::{Principal, Reach, RequestContext};

use super::target::Target;
use super::websocket::Connected;
use crate::domain::expression::Sources;
use crate::records::{Route, Texts, WEBSOCKET};

/// A request on its way.
#[derive(Clone)]
pub struct Exchange {
    pub target: Target,
    pub parts: Parts,
    /// As they came, with what the front door adds.
    pub headers: HeaderMap,
    pub route: Option<Arc<Route>>,
    pub path_parameters: Map<String, Value>,
    pub stage_variables: Map<String, Value>,
    pub source_ip: String,
    pub domain_name: String,
    pub request_id: RequestId,
    pub at: Timestamp,
    pub trace: Option<String>,
    pub principal: Principal,
    pub caller_account: AccountId,
    pub authorized: Authorized,
    pub facts: Facts,
    /// Of a WebSocket API: the connection it is about.
    pub connected: Option<Connected>,
    /// The caller's; what counts is [`Self::reach`].
    pub caller_reach: Reach,
}

/// Who the caller is, by the route's own authorization.
#[derive(Clone, Debug, Default)]
pub enum Authorized {
    #[default]
    Anyone,
    /// Signed; the principal says who.
    Iam,
    Jwt {
        claims: Map<String, Value>,
        scopes: Option<Vec<String>>,
    },
    Lambda {
        principal_id: String,
        context: Map<String, Value>,
    },
}

/// What a log line tells of how it went.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub status: u16,
    pub response_length: Option<u64>,
    pub response_latency: Duration,
    pub integration_status: Option<u16>,
    pub integration_latency: Option<Duration>,
    pub integration_error: Option<String>,
    pub authorizer_error: Option<String>,
    pub error_message: Option<String>,
    pub error_type: Option<&'static str>,
}

impl Exchange {
    pub fn new(target: Target, context: RequestContext, parts: Parts) -> Self {
        let authority = address::authority(&parts.headers, &parts.uri).unwrap_or_default();
        let domain_name = address::host(authority).to_ascii_lowercase();
        let source_ip = signer::source_ip(&context);
        let mut headers = parts.headers.clone();
        let (port, is_tls) = (signer::port(&context, authority), signer::is_tls(&context));
        request::add_forwarded(&mut headers, &source_ip, port, is_tls);
        let trace = request::trace(&mut headers, context.received_at);
        if !headers.contains_key(http::header::HOST)
            && let Ok(host) = HeaderValue::from_str(authority)
        {
            headers.insert(http::header::HOST, host);
        }
        Self {
            stage_variables: values(&target.stage.stage_variables),
            target,
            parts,
            headers,
            route: None,
            path_parameters: Map::new(),
            source_ip,
            domain_name,
            request_id: context.request_id,
            at: context.received_at,
            trace: Some(trace),
            principal: context.principal,
            caller_account: context.account,
            authorized: Authorized::Anyone,
            facts: Facts::default(),
            connected: None,
            caller_reach: context.reach,
        }
    }

    /// How far requests go that are sent for it: no further than the caller's, nor than those of
    /// whoever made the API.
    pub fn reach(&self) -> Reach {
        self.caller_reach.and(self.target.api.record.reach)
    }

    pub fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    pub fn route_key(&self) -> &str {
        self.route.as_ref().map_or("", |route| &route.route_key)
    }

    /// The request as events tell it.
    pub fn incoming<'a>(&'a self, path: &'a str, id: &'a str, body: &'a [u8]) -> Incoming<'a> {
        Incoming {
            method: self.parts.method.as_str(),
            path,
            query: self.query(),
            version: self.parts.version,
            headers: &self.headers,
            body,
            source_ip: &self.source_ip,
            domain_name: &self.domain_name,
            request_id: id,
            at: self.at,
        }
    }

    /// What expressions are about.
    pub fn sources<'a>(
        &'a self,
        body: &'a [u8],
        context: &'a dyn Fn(&str) -> Option<String>,
    ) -> Sources<'a> {
        Sources {
            headers: &self.headers,
            query: self.query(),
            path: &self.target.path,
            path_parameters: &self.path_parameters,
            body,
            stage_variables: &self.stage_variables,
            context,
            response: None,
        }
    }

    /// Notes why the client gets an error.
    pub fn failed(&mut self, kind: &'static str, message: impl Into<String>) {
        self.facts.error_type = Some(kind);
        self.facts.error_message = Some(message.into());
    }

    /// `$context.<name>`.
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html>
    pub fn context(&self, name: &str) -> Option<String> {
        let facts = &self.facts;
        let agent = || {
            let agent = self.headers.get(http::header::USER_AGENT);
            agent.map(|agent| request::lossy(agent.as_bytes()))
        };
        let millis = |span: Duration| span.as_millis().to_string();
        let text = |text: &str| Some(text.to_owned());
        match name {
            "accountId" => Some(self.target.api.account.to_string()),
            "apiId" => text(self.target.api.id()),
            "stage" => text(&self.target.stage.stage_name),
            "domainName" => text(&self.domain_name),
            "domainPrefix" => text(self.domain_name.split('.').next().unwrap_or_default()),
            "requestId" | "extendedRequestId" => Some(self.request_id.to_string()),
            "httpMethod" => text(self.parts.method.as_str()),
            "path" => text(&self.target.full_path),
            "protocol" => Some(format!("{:?}", self.parts.version)),
            "requestTime" => Some(access_log_time(self.at)),
            "requestTimeEpoch" => Some(self.at.millis().to_string()),
            "routeKey" => Some(self.route_key().to_owned()).filter(|key| !key.is_empty()),
            "identity.sourceIp" => text(&self.source_ip),
            "identity.userAgent" => agent(),
            "status" => (facts.status > 0).then(|| facts.status.to_string()),
            "responseLength" | "dataProcessed" => facts.response_length.map(|it| it.to_string()),
            "responseLatency" => Some(millis(facts.response_latency)),
            "integrationStatus" | "integration.status" | "integration.integrationStatus" => {
                facts.integration_status.map(|status| status.to_string())
            }
            "integrationLatency" | "integration.latency" => facts.integration_latency.map(millis),
            "integrationErrorMessage" | "integration.error" => facts.integration_error.clone(),
            "authorizer.error" => facts.authorizer_error.clone(),
            "error.message" => facts.error_message.clone(),
            "error.messageString" => facts.error_message.as_ref().map(|it| format!("{it:?}")),
            "error.responseType" => facts.error_type.map(str::to_owned),
            _ => self.of_connection(name).or_else(|| self.identity(name)),
        }
    }

    /// What a context variable tells of a WebSocket.
    fn of_connection(&self, name: &str) -> Option<String> {
        let connected = self.connected.as_ref()?;
        match name {
            "connectionId" => Some(connected.id.clone()),
            "connectedAt" => Some(connected.at.millis().to_string()),
            "eventType" => Some(connected.happening.as_str().to_owned()),
            "messageId" => connected.message_id.clone(),
            "messageDirection" => Some("IN".to_owned()),
            _ => None,
        }
    }

    /// What a context variable tells of the caller.
    fn identity(&self, name: &str) -> Option<String> {
        let shown = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match (&self.authorized, name.split_once('.')?) {
            (Authorized::Iam, ("identity", what)) => {
                let signer = self.signer();
                let of = |member: &str| signer.get(member).map(shown);
                match what {
                    "accountId" | "userArn" => of(what),
                    "user" => of("userId"),
                    "caller" => of("callerId"),
                    _ => None,
                }
            }
            (Authorized::Jwt { claims, .. }, ("authorizer", what)) => {
                claims.get(what.strip_prefix("claims.")?).map(shown)
            }
            (Authorized::Lambda { principal_id, .. }, ("authorizer", "principalId")) => {
                Some(principal_id.clone())
            }
            (Authorized::Lambda { context, .. }, ("authorizer", what)) => {
                context.get(what).map(shown)
            }
            _ => None,
        }
    }

    /// Who signed, as events tell it.
    pub fn signer(&self) -> Value {
        signer::iam(&self.principal, self.caller_account)
    }

    pub fn is_websocket(&self) -> bool {
        self.target.api.record.protocol_type == WEBSOCKET
    }

    /// As events carry them: not at all where there are none.
    pub fn shown_path_parameters(&self) -> Option<Map<String, Value>> {
        Some(self.path_parameters.clone()).filter(|all| !all.is_empty())
    }

    pub fn shown_stage_variables(&self) -> Option<Map<String, Value>> {
        Some(self.stage_variables.clone()).filter(|all| !all.is_empty())
    }

    pub fn set_status(&mut self, status: StatusCode) {
        self.facts.status = status.as_u16();
    }
}

fn values(texts: &Texts) -> Map<String, Value> {
    let texts = texts.iter();
    texts
        .map(|(name, text)| (name.clone(), Value::String(text.clone())))
        .collect()
}
