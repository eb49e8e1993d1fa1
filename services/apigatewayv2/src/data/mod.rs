//! The data plane: requests to APIs.
//!
//! A request's road: [`target`] finds the API, its stage and what that serves; [`http`] chooses the
//! route, or [`websocket`] makes a connection; [`authorize`] asks who it is; [`integrate`] calls what
//! is behind the route, or [`aws_services`]; [`exchange`] is what is known of it meanwhile, for expressions and logs.

mod authorize;
mod aws_services;
mod event;
mod exchange;
mod http;
mod integrate;
mod jwks;
mod target;
mod websocket;

use std::sync::Arc;

use ::http::request::Parts;
use ::http::{HeaderMap, Request, Response, StatusCode, Uri};
use async_trait::async_trait;
use base::Clock;
use proxy::authorizer::Cache;
use proxy::client::Client;
use proxy::throttle::Buckets;
use proxy::{address, answer, cors, invoke};
use service::ports::{ApiCaller, Invoker, LogSink};
use service::{Access, Body, HttpService, RequestContext, ServiceError};
use wire::Value;

use crate::ApiGatewayV2;
use crate::records::WEBSOCKET;
use jwks::Issuers;
use target::Target;
use websocket::Hub;

/// What requests need, beside the APIs.
pub struct DataPlane {
    clock: Clock,
    invoker: Arc<dyn Invoker>,
    api: Arc<dyn ApiCaller>,
    logs: Arc<dyn LogSink>,
    client: Client,
    /// Whether callers are held to policies.
    enforces_policies: bool,
    /// By API, stage and route.
    buckets: Buckets<(String, String, String)>,
    grants: Cache,
    issuers: Issuers,
    /// Open WebSockets.
    hub: Hub,
}

impl DataPlane {
    pub fn new(
        clock: Clock,
        invoker: Arc<dyn Invoker>,
        api: Arc<dyn ApiCaller>,
        logs: Arc<dyn LogSink>,
        client: Client,
        enforces_policies: bool,
    ) -> Self {
        Self {
            issuers: Issuers::new(client.clone()),
            clock,
            invoker,
            api,
            logs,
            client,
            enforces_policies,
            buckets: Buckets::default(),
            grants: Cache::default(),
            hub: Hub::default(),
        }
    }

    /// Forgets what authorizers said, for a stage or for all of an API.
    pub fn forget_grants(&self, api: &str, stage: Option<&str>) {
        self.grants.forget(api, stage);
    }

    /// An API is gone.
    pub fn forget(&self, api: &str) {
        self.forget_grants(api, None);
        self.hub.close(Some(api));
    }

    /// Ends every connection.
    pub fn end(&self) {
        self.hub.close(None);
    }
}

/// What the gateway calls for requests to APIs.
pub fn endpoint(service: &Arc<ApiGatewayV2>) -> Arc<dyn HttpService> {
    Arc::new(Front(Arc::clone(service)))
}

struct Front(Arc<ApiGatewayV2>);

impl Front {
    fn target(&self, headers: &HeaderMap, uri: &Uri) -> Option<Target> {
        Target::find(&self.0.directory, headers, uri)
    }
}

#[async_trait]
impl HttpService for Front {
    fn signing_name(&self) -> &'static str {
        "execute-api"
    }

    fn has_address(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        if let Some(address) = address::of(headers, uri) {
            let id = address.id.to_ascii_lowercase();
            return address.kind == address::Kind::Api && self.0.directory.api(&id).is_some();
        }
        let authority = address::authority(headers, uri).unwrap_or_default();
        self.0.directory.domain(address::host(authority)).is_some()
    }

    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-control-access-using-iam-policies-to-invoke-api.html>
    fn access(&self, request: &Parts) -> Access {
        let target = self.target(&request.headers, &request.uri);
        let mut action = "execute-api:Invoke";
        let resource = target.map_or_else(String::new, |target| {
            let is_websocket = target.api.record.protocol_type == WEBSOCKET;
            // Routes are found by the decoded path: what is judged is the same.
            let path = proxy::request::decoded_path(&target.path);
            let mut rest = format!("{}/{}", request.method, path.trim_start_matches('/'));
            if is_websocket && target.path.starts_with(websocket::CONNECTIONS) {
                action = "execute-api:ManageConnections";
            } else if is_websocket {
                "$connect".clone_into(&mut rest);
            }
            let api = &target.api;
            let stage = &target.stage.stage_name;
            invoke::execute_arn(&api.region, api.account, api.id(), stage, &rest).to_string()
        });
        Access {
            action: action.to_owned(),
            resource,
        }
    }

    fn admits_anonymous(&self, request: &Parts) -> bool {
        let Some(target) = self.target(&request.headers, &request.uri) else {
            // Nobody is asked to sign for what is not there.
            return true;
        };
        if target.api.record.protocol_type == WEBSOCKET {
            let connect = target.compiled.routes.get("$connect");
            let is_signed = connect.is_some_and(|route| route.authorization_type == "AWS_IAM");
            return !is_signed && !target.path.starts_with(websocket::CONNECTIONS);
        }
        if !target.compiled.needs_signatures {
            return true;
        }
        if target.compiled.cors.is_some() && cors::is_preflight(&request.method, &request.headers) {
            return true;
        }
        let router = &target.compiled.router;
        let found = router.find(request.method.as_str(), &target.path);
        found.is_none_or(|found| found.route.authorization_type != "AWS_IAM")
    }

    async fn handle(&self, context: RequestContext, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        match self.target(&parts.headers, &parts.uri) {
            None => answer::message(StatusCode::NOT_FOUND, "Not Found"),
            Some(target) if target.api.record.protocol_type == WEBSOCKET => {
                websocket::answer_websocket(&self.0, target, context, parts, body).await
            }
            Some(target) => self.0.plane.answer_http(target, context, parts, body).await,
        }
    }

    fn error_response(&self, _: &RequestContext, error: &ServiceError) -> Response<Body> {
        if error.status == StatusCode::PAYLOAD_TOO_LARGE {
            return answer::message(error.status, "Request Entity Too Large");
        }
        answer::message(StatusCode::FORBIDDEN, "Forbidden")
    }

    async fn call(
        &self,
        operation: &str,
        _: RequestContext,
        _: Value,
    ) -> Result<Value, ServiceError> {
        Err(ServiceError::not_implemented("API Gateway", operation))
    }
}
