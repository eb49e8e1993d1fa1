//! Functions' own addresses: a request becomes an event, and the result a response.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>

use std::sync::Arc;

use async_trait::async_trait;
use auth::policy::{self, Caller, Context, Decision, Policies};
use bytes::Bytes;
use exec::ResponseSink;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use proxy::address::{self, Kind};
use proxy::request::{self, Incoming};
use proxy::{answer, cors, event, signer};
use serde_json::{Value as Json, json};
use service::{Access, Body, Demand, HttpService, RequestContext, ServiceError};
use wire::Value;

use crate::Lambda;
use crate::domain::function_name::FunctionName;
use crate::domain::function_url::FunctionUrl;
use crate::domain::permission;
use crate::generated::{FunctionUrlAuthType, InvokeMode};
use crate::invoker::Call;
use crate::response_stream::Source;
use crate::target::Target;
use crate::url_stream;

/// Since October 2025 AWS wants both.
const ACTIONS: [&str; 2] = ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"];

/// What the gateway calls for requests to functions' addresses. In permissive mode
/// (`is_permissive`) functions' own policies are not asked.
pub fn endpoint(lambda: &Arc<Lambda>, is_permissive: bool) -> Arc<dyn HttpService> {
    Arc::new(Urls {
        lambda: Arc::clone(lambda),
        enforces_policies: !is_permissive,
    })
}

struct Urls {
    lambda: Arc<Lambda>,
    enforces_policies: bool,
}

impl Urls {
    fn find(&self, parts: &Parts) -> Option<(FunctionName, FunctionUrl)> {
        let address = address::of(&parts.headers, &parts.uri)?;
        let id = address.id.to_ascii_lowercase();
        self.lambda.functions.with_url(&id)
    }

    /// Whether the function's own policy lets everyone in. Of those who signed the gateway has
    /// judged, by their policies and the function's.
    fn lets_in(
        &self,
        target: &Target,
        name: &FunctionName,
        url: &FunctionUrl,
        context: &RequestContext,
    ) -> bool {
        if !self.enforces_policies || needs_signature(url) {
            return true;
        }
        let Some(document) = target.policy() else {
            return false;
        };
        let caller = Caller::Anonymous;
        let mut keys = Context::new().with("aws:SourceIp", signer::source_ip(context));
        for (key, value) in conditions(url) {
            keys.insert(key, value);
        }
        keys.insert_caller(&caller);
        let resource = name.arn().to_string();
        ACTIONS.into_iter().all(|action| {
            let request = policy::Request {
                caller,
                action,
                resource: &resource,
                resource_account: name.place.account,
                context: &keys,
            };
            let policies = Policies {
                resource: Some(document),
                ..Policies::default()
            };
            policy::evaluate(&request, &policies) == Decision::Allowed
        })
    }

    async fn answer(
        &self,
        name: FunctionName,
        url: &FunctionUrl,
        context: &RequestContext,
        parts: &Parts,
        body: Body,
    ) -> Response<Body> {
        let Ok(target) = self.lambda.functions.resolve(&name) else {
            return not_found();
        };
        if !self.lets_in(&target, &name, url, context) {
            return forbidden();
        }
        let body = match request::collect(body, self.lambda.limits.payload).await {
            Ok(body) => body,
            Err(StatusCode::PAYLOAD_TOO_LARGE) => return too_large(self.lambda.limits.payload),
            Err(_) => return message(StatusCode::BAD_REQUEST, "Bad Request"),
        };
        let payload = payload(url, context, parts, &body);
        if payload.len() > self.lambda.limits.payload {
            return too_large(self.lambda.limits.payload);
        }
        let call = Call {
            name,
            payload,
            client_context: None,
            tenant: None,
            tail: false,
            sink: None,
        };
        if url.invoke_mode == InvokeMode::ResponseStream.as_str() {
            return self.streamed(target, call, context).await;
        }
        let function = call.name.arn();
        match self.lambda.entrance.run(&target, call, context).await {
            Ok(outcome) if outcome.function_error.is_none() => match answer::v2(outcome.payload) {
                Ok(response) => response.map(answer::full),
                Err(why) => {
                    tracing::warn!(%function, %why, "a function URL's result is no response");
                    bad_gateway()
                }
            },
            Ok(_) => bad_gateway(),
            Err(error) => refused(&error),
        }
    }

    /// The response goes out while the function writes it.
    async fn streamed(
        &self,
        target: Target,
        mut call: Call,
        context: &RequestContext,
    ) -> Response<Body> {
        let (sink, pieces) = ResponseSink::new(self.lambda.limits.streamed_response);
        call.sink = Some(sink);
        let function = call.name.arn();
        let version = Arc::clone(target.route());
        let (lambda, context) = (Arc::clone(&self.lambda), context.clone());
        let invocation = Box::pin(async move {
            let entrance = &lambda.entrance;
            entrance
                .run_version(&target, &version, call, &context)
                .await
        });
        let source = match Source::begin(invocation, pieces).await {
            Ok(source) => source,
            Err(error) => return refused(&error),
        };
        url_stream::response(source).await.unwrap_or_else(|why| {
            tracing::warn!(%function, %why, "a function URL has no response");
            bad_gateway()
        })
    }
}

#[async_trait]
impl HttpService for Urls {
    fn signing_name(&self) -> &'static str {
        "lambda"
    }

    fn has_address(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        address::of(headers, uri).is_some_and(|address| address.kind == Kind::FunctionUrl)
    }

    fn access(&self, request: &Parts) -> Access {
        let found = self.find(request);
        Access {
            action: ACTIONS[0].to_owned(),
            resource: found.map_or_else(String::new, |(name, _)| name.arn().to_string()),
        }
    }

    fn demands(&self, request: &Parts) -> Vec<Demand> {
        let Some((name, url)) = self.find(request) else {
            return vec![self.access(request).into()];
        };
        let target = self.lambda.functions.resolve(&name).ok();
        let statements = target.as_ref().map(Target::statements).unwrap_or_default();
        let policy = (!statements.is_empty()).then(|| permission::policy(statements));
        let demand = |action: &str| Demand {
            access: Access {
                action: action.to_owned(),
                resource: name.arn().to_string(),
            },
            conditions: conditions(&url),
            resource_policy: policy.clone(),
        };
        ACTIONS.into_iter().map(demand).collect()
    }

    fn admits_anonymous(&self, request: &Parts) -> bool {
        // Nobody is asked to sign for what is not there.
        self.find(request)
            .is_none_or(|(_, url)| !needs_signature(&url) || is_preflight(&url, request))
    }

    async fn handle(&self, context: RequestContext, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let Some((name, url)) = self.find(&parts) else {
            return not_found();
        };
        let is_preflight = is_preflight(&url, &parts);
        let mut response = if is_preflight {
            Response::new(answer::full(Bytes::new()))
        } else {
            self.answer(name, &url, &context, &parts, body).await
        };
        if let Some(cors) = &url.cors {
            cors::apply(
                &cors.rules(),
                &parts.headers,
                is_preflight,
                response.headers_mut(),
            );
        }
        response
    }

    fn error_response(&self, _: &RequestContext, _: &ServiceError) -> Response<Body> {
        forbidden()
    }

    async fn call(
        &self,
        operation: &str,
        _: RequestContext,
        _: Value,
    ) -> Result<Value, ServiceError> {
        Err(ServiceError::not_implemented("Lambda", operation))
    }
}

fn conditions(url: &FunctionUrl) -> Vec<(&'static str, String)> {
    vec![
        ("lambda:FunctionUrlAuthType", url.auth_type.clone()),
        ("lambda:InvokedViaFunctionUrl", "true".to_owned()),
    ]
}

fn needs_signature(url: &FunctionUrl) -> bool {
    url.auth_type != FunctionUrlAuthType::None.as_str()
}

/// Whether the address's rules answer this request, and not the function.
fn is_preflight(url: &FunctionUrl, parts: &Parts) -> bool {
    url.cors.is_some() && cors::is_preflight(&parts.method, &parts.headers)
}

/// Payload format 2.0.
/// <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-request-payload>
fn payload(url: &FunctionUrl, context: &RequestContext, parts: &Parts, body: &[u8]) -> Bytes {
    let authority = address::authority(&parts.headers, &parts.uri).unwrap_or_default();
    let domain = address::host(authority).to_ascii_lowercase();
    let path = address::of(&parts.headers, &parts.uri).map_or("/", |address| address.path);
    let signed_by = |context: &RequestContext| signer::iam(&context.principal, context.account);
    let signer = needs_signature(url).then(|| json!({"iam": signed_by(context)}));
    let account = context.account.to_string();
    let source_ip = signer::source_ip(context);
    let mut headers = parts.headers.clone();
    let (port, is_tls) = (signer::port(context, authority), signer::is_tls(context));
    request::add_forwarded(&mut headers, &source_ip, port, is_tls);
    request::trace(&mut headers, context.received_at);
    let incoming = Incoming {
        method: parts.method.as_str(),
        path,
        query: parts.uri.query().unwrap_or_default(),
        version: parts.version,
        headers: &headers,
        body,
        source_ip: &source_ip,
        domain_name: &domain,
        request_id: &context.request_id.to_string(),
        at: context.received_at,
    };
    let place = event::Place {
        account_id: if signer.is_some() {
            &account
        } else {
            "anonymous"
        },
        api_id: &url.id,
        stage: "$default",
        path_parameters: None,
        stage_variables: None,
        authorizer: signer,
    };
    let mut event = event::v2(&incoming, &place, "$default");
    event["requestContext"]["domainPrefix"] = json!(url.id);
    Bytes::from(event.to_string())
}

fn answered(status: StatusCode, body: &Json) -> Response<Body> {
    let mut response = Response::new(answer::full(body.to_string()));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn message(status: StatusCode, text: &str) -> Response<Body> {
    answered(status, &json!({ "Message": text }))
}

fn forbidden() -> Response<Body> {
    message(StatusCode::FORBIDDEN, "Forbidden")
}

fn not_found() -> Response<Body> {
    message(StatusCode::NOT_FOUND, "Not Found")
}

fn too_large(limit: usize) -> Response<Body> {
    let text =
        format!("Request must be smaller than {limit} bytes for the InvokeFunction operation");
    message(StatusCode::PAYLOAD_TOO_LARGE, &text)
}

/// What the function did is in its log, and not for the client.
fn bad_gateway() -> Response<Body> {
    let mut response = Response::new(answer::full("Internal Server Error"));
    *response.status_mut() = StatusCode::BAD_GATEWAY;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// An invocation that did not begin: throttled above all.
fn refused(error: &ServiceError) -> Response<Body> {
    let mut body = json!({ "message": error.message });
    for (name, value) in &error.members {
        if let Some(text) = value.as_str() {
            body[*name] = json!(text);
        }
    }
    answered(error.status, &body)
}
