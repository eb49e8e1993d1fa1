//! One request from its head to its answer.

use std::sync::Arc;
use std::time::Instant;

use auth::sigv4::SignedRequest;
use auth::{AuthError, ServiceStyle};
use base::RequestId;
use bytes::Bytes;
use http::header::{ACCESS_CONTROL_REQUEST_HEADERS, CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use service::{Anonymous, Body, CrossOrigin, HttpService, Origin, RequestContext, ServiceError};
use sha2::{Digest, Sha256};

use crate::access_log::Entry;
use crate::ambiguous;
use crate::authenticate::Caller;
use crate::body::full;
use crate::cors::{self, Verdict};
use crate::host::{self, HostHint};
use crate::internal::json_answer;
use crate::listen::Connection;
use crate::prompt_body::PromptBody;
use crate::registry::{Addressed, Endpoint, Registry};
use crate::route::{self, Route, Unrouted};
use crate::streamed::to_path_style;
use crate::{AuthMode, Gateway};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// The largest body, in bytes, that is kept in memory while its signature is checked, or by a service that
/// takes its bodies itself: an API's.
const MOST_KEPT: usize = 10 << 20;
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
        if let Some(status) = ambiguous::refusal(request.method(), request.headers()) {
            entry.write_later(status);
            return empty(status);
        }
        let registry = self.registry();
        let addressed = registry.addressed(request.headers(), request.uri());
        let origin = match addressed {
            Some(_) => Verdict::NotABrowser,
            None => cors::judge(request.headers(), &self.config.cors_origins),
        };
        let rebound = match &addressed {
            Some(addressed) if addressed.is_custom_domain => None,
            _ => self.rebound_host(&request, connection),
        };
        let ruled = match &origin {
            Verdict::NotABrowser => Ruled::default(),
            _ => self.rules_of_service(&request).await,
        };
        let is_preflight = cors::is_preflight(request.method(), request.headers());
        let asked_headers = request
            .headers()
            .get(ACCESS_CONTROL_REQUEST_HEADERS)
            .cloned();
        let mut response = match (&origin, &rebound, &ruled.rules, addressed) {
            (_, Some(host), ..) => refuse_host(host),
            (_, _, CrossOrigin::Allowed(_), _) if is_preflight => empty(StatusCode::OK),
            (_, _, CrossOrigin::Refused(error), _) if is_preflight => {
                self.refuse_preflight(&ruled, &request, connection, &entry, error)
            }
            (Verdict::Refused, _, CrossOrigin::Unruled | CrossOrigin::Refused(_), _) => {
                refuse_origin(&request)
            }
            (.., Some(addressed)) => {
                self.answer_addressed(&registry, addressed, request, connection, &mut entry)
                    .await
            }
            (.., None) => {
                self.answer_allowed(&registry, request, connection, &mut entry)
                    .await
            }
        };
        match (ruled.rules, origin) {
            (CrossOrigin::Allowed(headers), _) => response.headers_mut().extend(headers),
            (CrossOrigin::Unruled, Verdict::Allowed(origin)) => {
                cors::allow(response.headers_mut(), origin, asked_headers.as_ref());
            }
            _ => {}
        }
        let id = HeaderValue::try_from(entry.request_id.to_string()).expect("a UUID is ASCII");
        response.headers_mut().entry(REQUEST_ID).or_insert(id);
        entry.write_later(response.status());
        response
    }

    /// What the service that a page's request is for says about pages.
    async fn rules_of_service(&self, request: &Request<Incoming>) -> Ruled {
        let mut parts = head_of(request);
        let signed = self.parse_signature(&parts).ok().flatten();
        let scope = signed.as_ref().map(SignedRequest::service);
        let registry = self.registry();
        let Ok(Route {
            endpoint: Endpoint::Http(service),
            host,
        }) = route::find(&registry, &parts, scope)
        else {
            return Ruled::default();
        };
        to_path_style(&mut parts, &host);
        Ruled {
            rules: service.cross_origin(&parts).await,
            service: Some(service),
        }
    }

    fn refuse_preflight(
        &self,
        ruled: &Ruled,
        request: &Request<Incoming>,
        connection: &Connection,
        entry: &Entry,
        error: &ServiceError,
    ) -> Response<Body> {
        let context = self.anonymous_context(&head_of(request), connection, entry);
        match &ruled.service {
            Some(service) => service.error_response(&context, error),
            None => empty(error.status),
        }
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
        registry: &Registry,
        request: Request<Incoming>,
        connection: &Connection,
        entry: &mut Entry,
    ) -> Response<Body> {
        if let Some(response) = self.answer_internal(&request, connection).await {
            return response;
        }
        let (parts, body) = request.into_parts();
        if cors::is_preflight(&parts.method, &parts.headers) {
            return empty(cors::PREFLIGHT_STATUS);
        }
        let signed = self.parse_signature(&parts);
        let scope = signed
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map(SignedRequest::service);
        match route::find(registry, &parts, scope) {
            Ok(route) => {
                entry.service = Some(route.endpoint.signing_name());
                self.answer_routed(registry, route, signed, (parts, body), connection, entry)
                    .await
            }
            Err(Unrouted::InForm) => {
                self.answer_form(registry, (parts, body), connection, entry)
                    .await
            }
            Err(Unrouted::UnknownService(name)) => {
                let what = format!("the service {name}");
                if route::is_form(&parts) {
                    let api = FormApi::of(&name);
                    return not_implemented_form(&what, api, entry);
                }
                not_implemented(&what)
            }
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
        let body = PromptBody::new(body).boxed_unsync();
        self.answer_http(
            registry,
            &*service,
            &route.host,
            signed,
            (parts, body),
            connection,
            entry,
        )
        .await
    }

    /// A request for a function's own address, an API's, or a custom domain.
    async fn answer_addressed(
        &self,
        registry: &Registry,
        addressed: Addressed,
        request: Request<Incoming>,
        connection: &Connection,
        entry: &mut Entry,
    ) -> Response<Body> {
        let service = addressed.service;
        entry.service = Some(service.signing_name());
        let (parts, body) = request.into_parts();
        let signed = self.parse_signature(&parts);
        self.answer_http(
            registry,
            &*service,
            &HostHint::default(),
            signed,
            (parts, PromptBody::new(body).boxed_unsync()),
            connection,
            entry,
        )
        .await
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "all that is known of one request"
    )]
    async fn answer_http(
        &self,
        registry: &Registry,
        service: &dyn HttpService,
        host: &HostHint,
        signed: Result<Option<SignedRequest>, AuthError>,
        (mut parts, mut body): (Parts, Body),
        connection: &Connection,
        entry: &mut Entry,
    ) -> Response<Body> {
        let _room = connection
            .room_for(body.size_hint().upper(), MOST_KEPT)
            .await;
        if admits_anonymous(service, &parts, host) {
            let context = self.anonymous_context(&parts, connection, entry);
            to_path_style(&mut parts, host);
            parts.extensions.insert(Anonymous);
            return service
                .handle(context, Request::from_parts(parts, body))
                .await;
        }
        let hash = match self.hash_of_body(&parts, &signed, &mut body).await {
            Ok(hash) => hash,
            Err(error) => {
                let context = self.anonymous_context(&parts, connection, entry);
                return service.error_response(&context, &error);
            }
        };
        let identified = match &signed {
            Ok(signed) => {
                self.identify(
                    registry,
                    service.signing_name(),
                    &parts,
                    signed.as_ref(),
                    host,
                    connection,
                    hash,
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
                    service,
                    context,
                    &caller,
                    signed.as_ref(),
                    host,
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

    /// The hash that a signature covers without naming it, as all services but S3 let clients sign:
    /// the body is read first, within a bound.
    async fn hash_of_body(
        &self,
        parts: &Parts,
        signed: &Result<Option<SignedRequest>, AuthError>,
        body: &mut Body,
    ) -> Result<Option<[u8; 32]>, ServiceError> {
        let is_checked = self.config.auth == AuthMode::Enforce
            && matches!(signed, Ok(Some(signed)) if !signed.is_presigned())
            && !parts.headers.contains_key("x-amz-content-sha256");
        if !is_checked {
            return Ok(None);
        }
        let whole = std::mem::replace(body, full(Bytes::new()));
        let whole = proxy::request::collect(whole, MOST_KEPT).await;
        let whole = whole.map_err(|status| {
            let reason = status.canonical_reason().unwrap_or_default();
            ServiceError::new(reason, status, reason)
        })?;
        let hash = Sha256::digest(&whole).into();
        *body = full(whole);
        Ok(Some(hash))
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
            reach: connection.reach(),
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
            trace: header(parts, &TRACE_ID),
            reach: connection.reach(),
        }
    }
}

/// The service a page's request is for, and its rules.
struct Ruled {
    service: Option<Arc<dyn HttpService>>,
    rules: CrossOrigin,
}

impl Default for Ruled {
    fn default() -> Self {
        Self {
            service: None,
            rules: CrossOrigin::Unruled,
        }
    }
}

/// A request without its body.
fn head_of(request: &Request<Incoming>) -> Parts {
    head(request.method(), request.uri(), request.headers())
}

fn head(method: &Method, uri: &Uri, headers: &HeaderMap) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = method.clone();
    parts.uri = uri.clone();
    parts.headers = headers.clone();
    parts
}

/// Asks the service, about a virtual-host request in path style.
fn admits_anonymous(service: &dyn HttpService, parts: &Parts, host: &HostHint) -> bool {
    if host.bucket.is_none() {
        return service.admits_anonymous(parts);
    }
    let mut styled = head(&parts.method, &parts.uri, &parts.headers);
    to_path_style(&mut styled, host);
    service.admits_anonymous(&styled)
}

fn origin(parts: &Parts, connection: &Connection) -> Origin {
    Origin::Http {
        peer: connection.peer,
        authority: route::authority(parts).map(str::to_owned),
        user_agent: header(parts, &http::header::USER_AGENT),
        is_tls: connection.is_tls,
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

/// How an API that takes forms writes its errors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormApi {
    Query,
    Ec2,
}

impl FormApi {
    fn of(signing_name: &str) -> Self {
        match signing_name {
            "ec2" => Self::Ec2,
            _ => Self::Query,
        }
    }
}

/// As [`not_implemented`], for clients that read nothing but XML.
pub(crate) fn not_implemented_form(what: &str, api: FormApi, entry: &Entry) -> Response<Body> {
    let message = format!("Kagero does not implement {what} yet.");
    let id = entry.request_id.to_string();
    let listed = api == FormApi::Ec2;
    let xml = wire::encode_foreign_form_error("NotImplementedException", &message, &id, listed);
    let mut response = Response::new(full(xml));
    *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    let kind = HeaderValue::from_static("text/xml");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

pub(crate) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(full(bytes::Bytes::new()));
    *response.status_mut() = status;
    response
}
