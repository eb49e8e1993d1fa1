//! An API Gateway whose functions answer with what they get.

use std::sync::Arc;

use apigateway::{ApiGateway, ApiGatewayService, Config, Invocations};
use async_trait::async_trait;
use base::{AccountId, Clock, ManualClock, Region, Timestamp};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use parking_lot::Mutex;
use service::ports::{ApiCaller, Invocation, InvokeRequest, Invoker, LogLine, LogSink, LogStream};
use service::{HttpService as _, Principal, Reach, RequestContext, Service as _, ServiceError};
use store::{MemoryStore, Store};
use wire::Value;

pub struct World {
    pub time: ManualClock,
    store: Arc<dyn Store>,
    pub service: Arc<ApiGateway>,
    /// Of calls and requests.
    pub reach: Mutex<Reach>,
}

struct Functions;

#[async_trait]
impl Invoker for Functions {
    /// The function `echo` answers with its event as the body, all others with their event.
    async fn invoke(&self, request: InvokeRequest) -> Result<Invocation, ServiceError> {
        let payload = if request.function.resource == "function:echo" {
            let event = String::from_utf8(request.payload.to_vec()).unwrap();
            Bytes::from(serde_json::json!({ "statusCode": 200, "body": event }).to_string())
        } else {
            request.payload
        };
        Ok(Invocation {
            payload,
            function_error: None,
            executed_version: "$LATEST".to_owned(),
        })
    }

    async fn invoke_async(&self, _: InvokeRequest) -> Result<(), ServiceError> {
        Ok(())
    }
}

struct Nobody;

#[async_trait]
impl ApiCaller for Nobody {
    async fn call(
        &self,
        service: &str,
        operation: &str,
        _: RequestContext,
        _: Value,
    ) -> Result<Value, ServiceError> {
        Err(ServiceError::not_implemented(service, operation))
    }
}

impl LogSink for Nobody {
    fn append(&self, _: &Arc<LogStream>, _: Vec<LogLine>) {}
}

impl World {
    pub async fn new() -> Self {
        let start = Timestamp::parse_iso8601("2026-11-23T20:00:00Z").unwrap();
        let time = ManualClock::starting_at(start);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let service = open(&store, time.clock()).await;
        Self {
            time,
            store,
            service,
            reach: Mutex::default(),
        }
    }

    /// Opens the service once more on its records.
    pub async fn restart(self) -> Self {
        self.service.end().await;
        let service = open(&self.store, self.time.clock()).await;
        Self { service, ..self }
    }

    fn context(&self) -> RequestContext {
        let account = AccountId::DEFAULT;
        let principal = Principal::Root { account };
        let now = self.time.clock().now();
        RequestContext::internal(principal, account, Region::us_east_1(), now)
            .within(*self.reach.lock())
    }

    pub async fn call(
        &self,
        operation: &str,
        members: &[(&str, Value)],
    ) -> Result<Value, ServiceError> {
        let service = ApiGatewayService(Arc::clone(&self.service));
        service
            .call(operation, self.context(), structure(members))
            .await
    }

    /// A call that succeeds, and the text of one member of what it answers.
    pub async fn made(&self, operation: &str, members: &[(&str, Value)], member: &str) -> String {
        let made = self.call(operation, members).await.unwrap();
        let member = made.get(member).and_then(Value::as_str);
        member.unwrap_or_default().to_owned()
    }

    /// An API whose resource `/{id}` has a method, deployed as `s`; its id.
    pub async fn deployed(&self, integration: &[(&str, Value)]) -> String {
        let made = self
            .call("CreateRestApi", &[("name", text("api"))])
            .await
            .unwrap();
        let member = |name: &str| made.get(name).cloned().unwrap();
        let (id, root) = (member("id"), member("rootResourceId"));
        let api = ("restApiId", id.clone());
        let part = [api.clone(), ("parentId", root), ("pathPart", text("{id}"))];
        let resource = text(&self.made("CreateResource", &part, "id").await);
        let place = [
            api.clone(),
            ("resourceId", resource),
            ("httpMethod", text("GET")),
        ];
        let method = [&place[..], &[("authorizationType", text("NONE"))]].concat();
        self.call("PutMethod", &method).await.unwrap();
        self.call("PutIntegration", &[&place[..], integration].concat())
            .await
            .unwrap();
        let stage = [api, ("stageName", text("s"))];
        self.call("CreateDeployment", &stage).await.unwrap();
        id.as_str().unwrap().to_owned()
    }

    /// A request by the path form; status and body.
    pub async fn request(&self, request: Request<Bytes>) -> (u16, String) {
        let endpoint = Invocations(Arc::clone(&self.service));
        let body = |bytes: Bytes| {
            Full::new(bytes)
                .map_err(|never| match never {})
                .boxed_unsync()
        };
        let answer: Response<_> = endpoint.handle(self.context(), request.map(body)).await;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let request = Request::get(path).body(Bytes::new()).unwrap();
        self.request(request).await
    }
}

async fn open(store: &Arc<dyn Store>, clock: Clock) -> Arc<ApiGateway> {
    let service = apigateway::service(Config {
        client: proxy::client::Client::new(),
        store: Arc::clone(store),
        clock,
        api: Arc::new(Nobody),
        invoker: Arc::new(Functions),
        logs: Arc::new(Nobody),
        enforces_policies: false,
    });
    let service = service.await.unwrap();
    service.resume();
    service
}

pub fn text(text: &str) -> Value {
    Value::Str(text.to_owned())
}

pub fn structure(members: &[(&str, Value)]) -> Value {
    let member = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
    Value::Map(members.iter().map(member).collect())
}

/// The URI of a function in integrations.
pub fn function(name: &str) -> Value {
    let arn = format!("arn:aws:lambda:us-east-1:000000000000:function:{name}");
    text(&format!(
        "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    ))
}

/// An integration that proxies to a function.
pub fn proxy(name: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("type", text("AWS_PROXY")),
        ("integrationHttpMethod", text("POST")),
        ("uri", function(name)),
    ]
}

pub fn patch(op: &str, path: &str, value: Option<&str>) -> Value {
    let mut members = vec![("op", text(op)), ("path", text(path))];
    if let Some(value) = value {
        members.push(("value", text(value)));
    }
    structure(&members)
}
