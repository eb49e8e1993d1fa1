//! APIs whose functions answer with what they got.

use std::sync::Arc;

use apigatewayv2::{ApiGatewayV2, ApiGatewayV2Service, Config};
use async_trait::async_trait;
use base::{AccountId, ManualClock, Region, Timestamp};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use serde_json::{Value as Json, json};
use service::ports::{ApiCaller, Invocation, InvokeRequest, Invoker, LogLine, LogSink, LogStream};
use service::{Body, Principal, Reach, RequestContext, Service, ServiceError};
use store::{MemoryStore, Store};
use wire::Value;

pub const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

pub struct World {
    pub time: ManualClock,
    pub outside: Arc<Outside>,
    store: Arc<dyn Store>,
    pub service: Arc<ApiGatewayV2>,
    /// Of calls and requests.
    pub reach: Mutex<Reach>,
}

/// Functions, other services and logs.
#[derive(Default)]
pub struct Outside {
    /// What functions answer, instead of their event.
    pub answer: Mutex<Option<Result<Json, ServiceError>>>,
    /// Events, and whose permission they came with.
    pub calls: Mutex<Vec<(Json, String)>>,
    pub lines: Mutex<Vec<String>>,
    /// While somebody holds this, functions do not end.
    pub ends: tokio::sync::Mutex<()>,
}

#[async_trait]
impl Invoker for Outside {
    async fn invoke(&self, request: InvokeRequest) -> Result<Invocation, ServiceError> {
        let event: Json = serde_json::from_slice(&request.payload).unwrap();
        let source = match &request.context.principal {
            Principal::Service { source_arn, .. } => source_arn.clone().unwrap().to_string(),
            other => panic!("{other:?}"),
        };
        self.calls.lock().push((event.clone(), source));
        let _ = self.ends.lock().await;
        let answer = self.answer.lock().clone().unwrap_or(Ok(event))?;
        let failed = answer.get("errorMessage").is_some();
        Ok(Invocation {
            payload: Bytes::from(answer.to_string()),
            function_error: failed.then_some("Unhandled"),
            executed_version: "$LATEST".to_owned(),
        })
    }

    async fn invoke_async(&self, _: InvokeRequest) -> Result<(), ServiceError> {
        Err(ServiceError::internal())
    }
}

#[async_trait]
impl ApiCaller for Outside {
    async fn call(
        &self,
        service: &str,
        operation: &str,
        _: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        let line = format!("{service} {operation} {input:?}");
        self.lines.lock().push(line);
        Ok(Value::Map(Vec::new()))
    }

    async fn send(
        &self,
        service: &str,
        action: Option<&str>,
        context: RequestContext,
        request: Request<Bytes>,
    ) -> Response<Bytes> {
        let who = match &context.principal {
            Principal::Session { arn, .. } => arn.to_string(),
            other => format!("{other:?}"),
        };
        let (parts, body) = request.into_parts();
        let (method, uri) = (parts.method, parts.uri);
        let header = |name| parts.headers.get(name).map(|it| it.to_str().unwrap());
        let body = String::from_utf8_lossy(&body);
        let said = json!({"service": service, "action": action, "who": who, "uri": uri.to_string(),
            "method": method.as_str(), "kind": header("content-type"), "x": header("x-from"),
            "body": body, "reach": context.reach});
        Response::new(Bytes::from(said.to_string()))
    }
}

impl LogSink for Outside {
    fn append(&self, stream: &Arc<LogStream>, lines: Vec<LogLine>) {
        let lines = lines
            .into_iter()
            .map(|line| format!("{} {}", stream.group, line.message));
        self.lines.lock().extend(lines);
    }
}

async fn open(
    store: &Arc<dyn Store>,
    time: &ManualClock,
    outside: &Arc<Outside>,
) -> Arc<ApiGatewayV2> {
    apigatewayv2::service(Config {
        client: proxy::client::Client::new(),
        store: Arc::clone(store),
        clock: time.clock(),
        invoker: Arc::clone(outside) as Arc<dyn Invoker>,
        api: Arc::clone(outside) as Arc<dyn ApiCaller>,
        logs: Arc::clone(outside) as Arc<dyn LogSink>,
        authority: "127.0.0.1:4566".to_owned(),
        enforces_policies: false,
    })
    .await
    .unwrap()
}

impl World {
    pub async fn new() -> Self {
        let time = ManualClock::starting_at(Timestamp::from_millis(1_700_000_000_000));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let outside = Arc::new(Outside::default());
        let service = open(&store, &time, &outside).await;
        Self {
            time,
            outside,
            store,
            service,
            reach: Mutex::default(),
        }
    }

    /// Another service on the same records.
    pub async fn restart(self) -> Self {
        let service = open(&self.store, &self.time, &self.outside).await;
        Self { service, ..self }
    }

    fn context(&self) -> RequestContext {
        let account = AccountId::DEFAULT;
        let principal = Principal::Root { account };
        let now = self.time.clock().now();
        RequestContext::internal(principal, account, Region::us_east_1(), now)
            .within(*self.reach.lock())
    }

    pub async fn call(&self, operation: &str, input: Json) -> Result<Json, ServiceError> {
        let service = ApiGatewayV2Service(Arc::clone(&self.service));
        let answer = service.call(operation, self.context(), value(input)).await;
        answer.map(json_of)
    }

    pub async fn ok(&self, operation: &str, input: Json) -> Json {
        let answer = self.call(operation, input).await;
        answer.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    pub async fn error(&self, operation: &str, input: Json) -> ServiceError {
        let answer = self.call(operation, input).await;
        answer.expect_err("an operation that must be refused")
    }

    /// An API with a function behind this route, and a stage that deploys by itself.
    pub async fn api(&self, key: &str, format: &str) -> String {
        let made = self
            .ok("CreateApi", json!({"Name": "a", "ProtocolType": "HTTP"}))
            .await;
        let id = made["ApiId"].as_str().unwrap().to_owned();
        let integration = self
            .ok(
                "CreateIntegration",
                json!({
                    "ApiId": id, "IntegrationType": "AWS_PROXY", "IntegrationUri": FUNCTION,
                    "PayloadFormatVersion": format,
                }),
            )
            .await;
        let target = format!(
            "integrations/{}",
            integration["IntegrationId"].as_str().unwrap()
        );
        self.ok(
            "CreateRoute",
            json!({"ApiId": id, "RouteKey": key, "Target": target}),
        )
        .await;
        let stage = json!({"ApiId": id, "StageName": "$default", "AutoDeploy": true});
        self.ok("CreateStage", stage).await;
        id
    }

    pub async fn send(
        &self,
        request: http::request::Builder,
        body: &'static str,
    ) -> (Response<()>, String) {
        let request: Request<Body> = request.body(proxy::answer::full(body)).unwrap();
        let front = apigatewayv2::endpoint(&self.service);
        let answer = front.handle(self.context(), request).await;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        (Response::from_parts(parts, ()), body)
    }

    /// The status of a GET, by the path that needs no name.
    pub async fn status(&self, api: &str, path: &str) -> u16 {
        let request = Request::get(format!("/_aws/execute-api/{api}{path}"));
        self.send(request, "").await.0.status().as_u16()
    }
}

pub fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap()),
        },
        Json::String(text) => Value::Str(text),
        Json::Array(items) => Value::List(items.into_iter().map(value).collect()),
        Json::Object(members) => {
            let members = members.into_iter().map(|(name, it)| (name, value(it)));
            Value::Map(members.collect())
        }
    }
}

pub fn json_of(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => truth.into(),
        Value::Int(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::Str(text) => text.into(),
        Value::Blob(bytes) => String::from_utf8(bytes.to_vec()).unwrap().into(),
        Value::Time(at) => at.iso8601_seconds().into(),
        Value::List(items) => items.into_iter().map(json_of).collect(),
        Value::Map(members) => members
            .into_iter()
            .map(|(name, value)| (name, json_of(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}
