//! How the gateway reaches deployed APIs.

use std::sync::Arc;

use async_trait::async_trait;
use base::RequestId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use proxy::{access_log, address, answer, request, signer};
use service::{Access, Body, Demand, HttpService, Origin, RequestContext, ServiceError};
use wire::Value;

use crate::ApiGateway;
use crate::generated::GatewayResponseType as Kind;
use crate::run::call::{Call, Log};
use crate::run::compression::Unreadable;
use crate::run::find::{Found, Lost};
use crate::run::refusal::{self, Refusal};
use crate::run::router::Matched;
use crate::run::{self, compression, context};

/// What the gateway calls for requests to APIs.
pub struct Invocations(pub Arc<ApiGateway>);

const APIGW_ID: HeaderName = HeaderName::from_static("x-amz-apigw-id");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
/// AWS's payload limit.
const MAX_BODY: usize = 10 << 20;
/// No canary is chosen by this.
const NO_CANARY: f64 = 101.0;

impl Invocations {
    /// The method that a request is for.
    fn method(&self, parts: &Parts, dice: f64) -> Result<(Found, Option<(Matched, String)>), Lost> {
        let found = self.0.find(parts, dice)?;
        let matched = found.deployed.router.find(&found.path).and_then(|matched| {
            let key = method_key(&matched, parts.method.as_str())?;
            Some((matched, key))
        });
        Ok((found, matched))
    }

    fn needs_signature(&self, parts: &Parts) -> bool {
        matches!(self.method(parts, NO_CANARY), Ok((_, Some((matched, key)))) if is_signed(&matched, &key))
    }

    async fn respond(&self, call: &mut Call) -> Response<Bytes> {
        match run::answer(&self.0, call).await {
            Ok(response) => response,
            Err(refusal) => refusal.response(call),
        }
    }

    /// A line of the stage's access log, where it has one.
    fn log(&self, call: &Call, response: &Response<Bytes>) {
        let Some(settings) = &call.deployed.stage.access_log_settings else {
            return;
        };
        let (Some(format), Some(group)) = (&settings.format, &settings.destination_arn) else {
            return;
        };
        let stream = group
            .parse()
            .ok()
            .and_then(|group| access_log::stream(&group, &call.deployed.stage_name));
        let Some(stream) = stream else {
            return;
        };
        let mut told = context::of(call);
        told["status"] = response.status().as_u16().into();
        told["responseLength"] = response.body().len().into();
        let now = self.0.clock.now();
        told["responseLatency"] = u64::try_from(now.since(call.at).as_millis())
            .unwrap_or_default()
            .into();
        let line = access_log::line(format, |name| context::value(&told, name));
        access_log::write(&*self.0.logs, &stream, now, line);
    }
}

fn is_signed(matched: &Matched, key: &str) -> bool {
    let methods = matched.resource.resource_methods.as_ref();
    let method = methods.and_then(|methods| methods.get(key));
    method.is_some_and(|method| method.authorization_type.as_deref() == Some("AWS_IAM"))
}

/// The name under which a resource has a method.
pub fn method_key(matched: &Matched, method: &str) -> Option<String> {
    let methods = matched.resource.resource_methods.as_ref()?;
    let key = if methods.contains_key(method) {
        method
    } else {
        "ANY"
    };
    methods.contains_key(key).then(|| key.to_owned())
}

#[async_trait]
impl HttpService for Invocations {
    fn signing_name(&self) -> &'static str {
        "execute-api"
    }

    fn has_address(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        self.0.has_address(headers, uri)
    }

    fn access(&self, request: &Parts) -> Access {
        let resource = self.0.find(request, NO_CANARY).map(|found| {
            let arn = found
                .deployed
                .method_arn(request.method.as_str(), &found.path);
            arn.to_string()
        });
        Access {
            action: "execute-api:Invoke".to_owned(),
            resource: resource.unwrap_or_default(),
        }
    }

    fn demands(&self, request: &Parts) -> Vec<Demand> {
        let found = self.0.find(request, NO_CANARY);
        let policy = found
            .ok()
            .and_then(|found| found.deployed.snapshot.info.policy.clone());
        vec![Demand {
            access: self.access(request),
            conditions: Vec::new(),
            resource_policy: policy,
        }]
    }

    fn admits_anonymous(&self, request: &Parts) -> bool {
        !self.needs_signature(request)
    }

    async fn handle(&self, context: RequestContext, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let was_signed = self.needs_signature(&parts);
        let dice = rand::random::<f64>() * 100.0;
        let (found, matched) = match self.method(&parts, dice) {
            Ok(found) => found,
            Err(lost) => {
                let id = address::of(&parts.headers, &parts.uri).map_or("", |address| address.id);
                let response = match lost {
                    Lost::NoApi => refusal::no_api(id),
                    Lost::NoStage => refusal::forbidden(),
                };
                return response.map(answer::full);
            }
        };
        let mut call = call(
            found,
            matched.as_ref(),
            &parts,
            &context,
            self.0.clock.now(),
        );
        let body = request::collect(body, MAX_BODY).await;
        let refused = match (&matched, body) {
            (None, _) => Some(Refusal::missing_token()),
            (_, Err(StatusCode::PAYLOAD_TOO_LARGE)) => {
                Some(Refusal::new(Kind::RequestTooLarge, "Request Too Long"))
            }
            (_, Err(_)) => Some(Refusal::new(Kind::Default4xx, "Bad Request")),
            (Some((matched, key)), Ok(body)) => {
                let expanded = expanded(&mut call, body);
                let is_signed = is_signed(matched, key);
                if is_signed {
                    call.principal = Some(context.principal.clone());
                }
                let unsigned = (is_signed && !was_signed).then(Refusal::missing_token);
                unsigned.or(expanded.err())
            }
        };
        let mut response = match refused {
            Some(refusal) => refusal.response(&call),
            None => self.respond(&mut call).await,
        };
        remap(response.headers_mut());
        if let Some(minimum) = call.deployed.snapshot.info.minimum_compression_size {
            compression::compress(&call.headers, minimum, &mut response);
        }
        if let Ok(id) = HeaderValue::from_str(&call.extended_request_id) {
            response.headers_mut().insert(APIGW_ID, id);
        }
        self.log(&call, &response);
        response.map(answer::full)
    }

    fn error_response(&self, _: &RequestContext, error: &ServiceError) -> Response<Body> {
        let kind = match &*error.code {
            "AccessDenied" | "AccessDeniedException" => Kind::AccessDenied,
            "ExpiredToken" | "ExpiredTokenException" => Kind::ExpiredToken,
            "MissingAuthenticationToken" | "MissingAuthenticationTokenException" => {
                return Refusal::missing_token().without_api().map(answer::full);
            }
            _ => Kind::InvalidSignature,
        };
        let refusal = Refusal::new(kind, error.message.clone());
        refusal.without_api().map(answer::full)
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

/// Takes the body in; where the API has compression, as it was before it was compressed.
fn expanded(call: &mut Call, body: Bytes) -> Result<(), Refusal> {
    call.body = body;
    if call
        .deployed
        .snapshot
        .info
        .minimum_compression_size
        .is_none()
    {
        return Ok(());
    }
    let body = compression::expand(&mut call.headers, call.body.clone(), MAX_BODY);
    call.body = body.map_err(|why| match why {
        Unreadable::Coding => Refusal::new(Kind::UnsupportedMediaType, "Unsupported Media Type"),
        Unreadable::Broken => Refusal::new(Kind::Default4xx, "Bad Request"),
        Unreadable::TooLarge => Refusal::new(Kind::RequestTooLarge, "Request Too Long"),
    })?;
    Ok(())
}

/// Headers that are the front end's own, and so get to clients under another name.
///
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>
fn remap(headers: &mut HeaderMap) {
    const REMAPPED: [&str; 8] = [
        "authorization",
        "date",
        "expect",
        "host",
        "proxy-authenticate",
        "server",
        "user-agent",
        "www-authenticate",
    ];
    for name in REMAPPED {
        let values: Vec<HeaderValue> = headers.get_all(name).iter().cloned().collect();
        headers.remove(name);
        let Ok(new) = HeaderName::try_from(format!("x-amzn-remapped-{name}")) else {
            continue;
        };
        for value in values {
            headers.append(new.clone(), value);
        }
    }
}

/// All that is known before the body is read.
fn call(
    found: Found,
    matched: Option<&(Matched, String)>,
    parts: &Parts,
    context: &RequestContext,
    now: base::Timestamp,
) -> Call {
    let source_ip = match &context.origin {
        Origin::Http {
            peer: Some(peer), ..
        } => peer.ip().to_string(),
        _ => "127.0.0.1".to_owned(),
    };
    let authority = address::authority(&parts.headers, &parts.uri).unwrap_or_default();
    let host = address::host(authority);
    let (port, is_tls) = (signer::port(context, authority), signer::is_tls(context));
    let mut headers = parts.headers.clone();
    request::add_forwarded(&mut headers, &source_ip, port, is_tls);
    let trace = context
        .trace
        .clone()
        .unwrap_or_else(|| new_trace(context.request_id, now));
    if let Ok(trace) = HeaderValue::from_str(&trace) {
        headers.insert(TRACE_ID, trace);
    }
    let nothing = Arc::default();
    Call {
        resource: Arc::clone(matched.map_or(&nothing, |(matched, _)| &matched.resource)),
        method_key: matched.map(|(_, key)| key.clone()).unwrap_or_default(),
        http_method: parts.method.as_str().to_owned(),
        path_parameters: matched
            .map(|(matched, _)| matched.parameters.clone())
            .unwrap_or_default(),
        deployed: found.deployed,
        path: found.path,
        event_path: found.event_path,
        full_path: found.full_path,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        version: parts.version,
        headers,
        body: Bytes::new(),
        source_ip,
        domain_name: host.to_ascii_lowercase(),
        request_id: context.request_id,
        extended_request_id: extended_id(),
        at: now,
        trace: Some(trace),
        principal: None,
        authorizer: None,
        authorizer_latency: 0,
        api_key: None,
        reach: found.reach.and(context.reach),
        is_test: false,
        log: Log::default(),
    }
}

pub fn extended_id() -> String {
    STANDARD.encode(rand::random::<[u8; 11]>())
}

fn new_trace(id: RequestId, now: base::Timestamp) -> String {
    let hex: String = id
        .to_string()
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(24)
        .collect();
    format!("Root=1-{:08x}-{hex}", now.seconds())
}
