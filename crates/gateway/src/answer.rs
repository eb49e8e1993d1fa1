//! One request from its head to its answer.

use std::time::Instant;

use auth::sigv4::SignedRequest;
use auth::{AuthError, ServiceStyle};
use base::RequestId;
use http::header::{ACCESS_CONTROL_REQUEST_HEADERS, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::json;
use service::{Body, Origin, RequestContext, ServiceError};

use crate::access_log::Entry;
use crate::authenticate::Caller;
use crate::body::full;
use crate::cors::{self, Verdict};
use crate::host;
use crate::internal::json_answer;
use crate::listen::Connection;
use crate::registry::{Endpoint, Registry};
use crate::route::{self, Route, Unrouted};
use crate::{AuthMode, Gateway};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

impl Gateway {
    /// Answers one request. Nothing a client sends makes this fail.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        connection: &Connection,
    ) -> Response<Body> {
        let mut entry = Entry {
            request_id: RequestId::random(),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            began: Instant::now(),
            service: None,
            operation: None,
            account: None,
        };
        let origin = cors::judge(request.headers(), &self.config.cors_origins);
        let rebound = self.rebound_host(&request, connection);
        let asked_headers = request
            .headers()
            .get(ACCESS_CONTROL_REQUEST_HEADERS)
            .cloned();
        let mut response = match (&origin, &rebound) {
            (Verdict::Refused, _) => refuse_origin(&request),
            (_, Some(host)) => refuse_host(host),
            _ => self.answer_allowed(request, connection, &mut entry).await,
        };
        if let Verdict::Allowed(origin) = origin {
            cors::allow(response.headers_mut(), origin, asked_headers.as_ref());
        }
        let id = HeaderValue::try_from(entry.request_id.to_string()).expect("a UUID is ASCII");
        response.headers_mut().entry(REQUEST_ID).or_insert(id);
        entry.write_later(response.status());
        response
    }

    /// The host name of a request that a page may have sent through a name of its own (DNS
    /// rebinding). Browsers send no `Origin` with a GET to a page's own host, so the name itself
    /// is all that tells; where signatures are checked, such a page can prove nothing.
    fn rebound_host(&self, request: &Request<Incoming>, connection: &Connection) -> Option<String> {
        let local = connection.peer.is_some_and(|peer| peer.ip().is_loopback());
        if self.config.auth == AuthMode::Enforce || !local || connection.identity.is_some() {
            return None;
        }
        let host = request.headers().get(http::header::HOST);
        let authority = host
            .and_then(|value| value.to_str().ok())
            .or_else(|| request.uri().authority().map(http::uri::Authority::as_str))?;
        let name = host::name(authority);
        let allowed = cors::is_own_host(&name, &self.config.cors_origins);
        (!allowed).then_some(name)
    }

    async fn answer_allowed(
        &self,
        request: Request<Incoming>,
        connection: &Connection,
        entry: &mut Entry,
    ) -> Response<Body> {
        if let Some(response) = self.answer_internal(&request, connection).await {
            return response;
        }
        let (parts, body) = request.into_parts();
        if cors::is_preflight(&parts) {
            return empty(cors::PREFLIGHT_STATUS);
        }
        let registry = self.registry();
        let signed = self.parse_signature(&parts);
        let scope = signed
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map(SignedRequest::service);
        match route::find(&registry, &parts, scope) {
            Ok(route) => {
                entry.service = Some(route.endpoint.signing_name());
                self.answer_routed(&registry, route, signed, (parts, body), connection, entry)
                    .await
            }
            Err(Unrouted::InForm) => {
                self.answer_form(&registry, (parts, body), connection, entry)
                    .await
            }
            Err(Unrouted::UnknownService(name)) => not_implemented(&format!("the service {name}")),
        }
    }

    async fn answer_routed(
        &self,
        registry: &Registry,
        route: Route,
        signed: Result<Option<SignedRequest>, AuthError>,
        (parts, body): (Parts, Incoming),
        connection: &Connection,
        entry: &mut Entry,
    ) -> Response<Body> {
        let signing_name = route.endpoint.signing_name();
        let service = match route.endpoint {
            Endpoint::Modelled(service) => {
                return self
                    .answer_modelled(
                        registry,
                        &*service,
                        &route.host,
                        signed,
                        (parts, body),
                        connection,
                        entry,
                    )
                    .await;
            }
            Endpoint::Http(service) => service,
        };
        let identified = match &signed {
            Ok(signed) => {
                self.identify(
                    registry,
                    signing_name,
                    &parts,
                    signed.as_ref(),
                    &route.host,
                    connection,
                    None,
                )
                .await
            }
            Err(error) => Err(error.clone()),
        };
        match identified {
            Ok(caller) => {
                let context = self.context(&caller, &parts, connection, entry);
                let signed = signed.ok().flatten();
                self.stream(
                    &*service,
                    context,
                    &caller,
                    signed.as_ref(),
                    &route.host,
                    (parts, body),
                )
                .await
            }
            Err(error) => {
                let context = self.anonymous_context(&parts, connection, entry);
                let error = in_words(&error, ServiceStyle::S3);
                service.error_response(&context, &error)
            }
        }
    }

    /// What an operation will know of the call.
    pub(crate) fn context(
        &self,
        caller: &Caller,
        parts: &Parts,
        connection: &Connection,
        entry: &mut Entry,
    ) -> RequestContext {
        entry.account = Some(caller.account);
        RequestContext {
            request_id: entry.request_id,
            account: caller.account,
            region: caller.region.clone(),
            principal: caller.principal.clone(),
            origin: origin(parts, connection),
            received_at: self.clock.now(),
            trace: header(parts, &TRACE_ID),
        }
    }

    /// Of a call whose caller could not be told.
    pub(crate) fn anonymous_context(
        &self,
        parts: &Parts,
        connection: &Connection,
        entry: &Entry,
    ) -> RequestContext {
        let account = base::AccountId::DEFAULT;
        RequestContext {
            request_id: entry.request_id,
            account,
            region: self.config.default_region.clone(),
            principal: service::Principal::Root { account },
            origin: origin(parts, connection),
            received_at: self.clock.now(),
            trace: None,
        }
    }
}

fn origin(parts: &Parts, connection: &Connection) -> Origin {
    Origin::Http {
        peer: connection.peer,
        authority: route::authority(parts).map(str::to_owned),
        user_agent: header(parts, &http::header::USER_AGENT),
    }
}

fn header(parts: &Parts, name: &HeaderName) -> Option<String> {
    parts
        .headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}

/// An authentication error as the service would word it.
pub(crate) fn in_words(error: &AuthError, style: ServiceStyle) -> ServiceError {
    let parts = error.to_parts(style);
    ServiceError::new(parts.code, parts.status, parts.message)
}

fn refuse_origin(request: &Request<Incoming>) -> Response<Body> {
    let origin = request.headers().get(http::header::ORIGIN);
    let origin = origin
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    json_answer(
        StatusCode::FORBIDDEN,
        &json!({"message": format!(
            "Pages of {origin} may not call this server. To allow them, start it with \
             --cors-origins {origin}"
        )}),
    )
}

fn refuse_host(host: &str) -> Response<Body> {
    json_answer(
        StatusCode::FORBIDDEN,
        &json!({"message": format!(
            "This server does not go by the name {host}. To let it, start it with \
             --cors-origins http://{host}"
        )}),
    )
}

/// The request is for something that is not here. JSON clients read the body, all read the status.
pub(crate) fn not_implemented(what: &str) -> Response<Body> {
    json_answer(
        StatusCode::NOT_IMPLEMENTED,
        &json!({
            "__type": "NotImplementedException",
            "message": format!("Kagero does not implement {what} yet."),
        }),
    )
}

pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(bytes::Bytes::new()));
    *response.status_mut() = status;
    response
}
