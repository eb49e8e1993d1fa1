//! A service with its store, and stand-ins for the services it reaches by port.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use base::{AccountId, Clock, ManualClock, Region, Timestamp};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use parking_lot::Mutex;
use s3::{Config, Ports, S3};
use service::ports::{ApiCaller, InvokeRequest};
use service::{HttpService as _, Origin, Principal, RequestContext, ServiceError};
use store::{FileBlobs, MemoryStore, Store};
use tokio::sync::{Semaphore, mpsc};
use wire::Value;

pub const REGION: &str = "ap-northeast-1";

pub struct World {
    pub s3: Arc<S3>,
    pub api: Arc<Services>,
    pub functions: Arc<Functions>,
    pub events: Arc<Bus>,
    pub store: MemoryStore,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The text of the first element of this name.
    pub fn element(&self, name: &str) -> Option<&str> {
        self.elements(name).into_iter().next()
    }

    /// The texts of the elements of this name.
    pub fn elements(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let parts = self.text().split(&open).skip(1);
        parts
            .map(|part| part.split(&close).next().unwrap())
            .collect()
    }

    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.status.is_success(), "{} {}", self.status, self.text());
        self
    }

    #[track_caller]
    pub fn fails(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.element("Code"), Some(code), "{}", self.text());
        self
    }

    pub fn etag(&self) -> String {
        self.header("etag").unwrap().to_owned()
    }
}

/// When every request comes. Whether that was long ago is for the test's own clock to say.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_466_144_123);

pub fn context(region: &str, account: &str) -> RequestContext {
    let account: AccountId = account.parse().unwrap();
    let mut context = RequestContext::internal(
        Principal::Root { account },
        account,
        region.parse::<Region>().unwrap(),
        NOW,
    );
    context.origin = Origin::Http {
        peer: Some("192.0.2.7:50000".parse().unwrap()),
        authority: Some("localhost:4566".to_owned()),
        user_agent: None,
        is_tls: false,
    };
    context
}

impl World {
    /// Time stands still.
    pub fn new() -> Self {
        Self::at(&ManualClock::starting_at(NOW))
    }

    pub fn at(clock: &ManualClock) -> Self {
        let blobs = Arc::new(FileBlobs::temporary().unwrap());
        Self::on(MemoryStore::new(), blobs, clock.clock())
    }

    /// A service on what another left behind.
    pub fn on(store: MemoryStore, blobs: Arc<FileBlobs>, clock: Clock) -> Self {
        Self::with_key(store, blobs, clock, None)
    }

    /// The same, which encrypts at rest with a key.
    pub fn with_key(
        store: MemoryStore,
        blobs: Arc<FileBlobs>,
        clock: Clock,
        encryption_key: Option<[u8; 32]>,
    ) -> Self {
        let api = Arc::new(Services::default());
        let config = Config {
            store: Arc::new(store.clone()),
            blobs,
            clock,
            is_permissive: true,
            encryption_key,
        };
        let ports = Ports {
            api: Arc::clone(&api) as _,
            credentials: None,
        };
        let s3 = Arc::new(s3::service(config, ports));
        Self {
            s3,
            functions: Arc::clone(&api.functions),
            events: Arc::clone(&api.events),
            api,
            store,
        }
    }

    /// With a bucket `b`.
    pub async fn with_bucket() -> Self {
        let world = Self::new();
        world.make_bucket("b-1").await;
        world
    }

    pub async fn make_bucket(&self, name: &str) {
        let configuration = format!(
            "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint>\
             </CreateBucketConfiguration>"
        );
        self.send("PUT", &format!("/{name}"), &[], configuration)
            .await
            .ok();
    }

    pub async fn send(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        self.send_as(context(REGION, "000000000000"), method, uri, headers, body)
            .await
    }

    pub async fn send_as(
        &self,
        context: RequestContext,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let body = body.into();
        let mut request = Request::builder().method(method).uri(uri);
        if !headers.iter().any(|(name, _)| *name == "content-length") {
            request = request.header("content-length", body.len());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = Full::new(body)
            .map_err(|never| match never {})
            .boxed_unsync();
        let answer = self.s3.handle(context, request.body(body).unwrap()).await;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub async fn get(&self, uri: &str) -> Answer {
        self.send("GET", uri, &[], "").await
    }

    pub async fn put(&self, uri: &str, body: impl Into<Bytes>) -> Answer {
        self.send("PUT", uri, &[], body).await.ok()
    }

    /// How many records the store holds in a table.
    pub async fn records(&self, table: &str) -> usize {
        let prefix = store::Key::of(table);
        let scan = store::Scan::prefix(prefix);
        store::Reader::scan(&self.store, scan).await.unwrap().len()
    }

    /// A commit of nothing, so that lazily written records are there to be counted.
    pub async fn settle(&self) {
        self.store.commit(store::Batch::new()).await.unwrap();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
    }
}

/// The other services' APIs: queues by name, functions by ARN, and any topic.
pub struct Services {
    pub topic_policy: Mutex<Option<String>>,
    pub queues: Mutex<HashSet<String>>,
    pub known_functions: Mutex<HashSet<String>>,
    functions: Arc<Functions>,
    events: Arc<Bus>,
    sent: mpsc::UnboundedSender<(String, String)>,
    pub messages: tokio::sync::Mutex<mpsc::UnboundedReceiver<(String, String)>>,
}

impl Default for Services {
    fn default() -> Self {
        let (sent, messages) = mpsc::unbounded_channel();
        Self {
            topic_policy: Mutex::default(),
            queues: Mutex::default(),
            known_functions: Mutex::default(),
            functions: Arc::default(),
            events: Arc::default(),
            sent,
            messages: tokio::sync::Mutex::new(messages),
        }
    }
}

impl Services {
    /// The next message that was sent: its queue's URL, or its topic's ARN, and its body.
    pub async fn message(&self) -> (String, serde_json::Value) {
        let (url, body) = self.messages.lock().await.recv().await.unwrap();
        (url, serde_json::from_str(&body).unwrap())
    }
}

fn text<'a>(input: &'a Value, name: &str) -> &'a str {
    input.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[async_trait]
impl ApiCaller for Services {
    async fn call(
        &self,
        service: &str,
        operation: &str,
        context: RequestContext,
        input: Value,
    ) -> Result<Value, ServiceError> {
        match (service, operation) {
            ("lambda", "Invoke") if text(&input, "InvocationType") == "DryRun" => {
                if self
                    .known_functions
                    .lock()
                    .contains(text(&input, "FunctionName"))
                {
                    return Ok(Value::Map(Vec::new()));
                }
                Err(ServiceError::new(
                    "ResourceNotFoundException",
                    StatusCode::NOT_FOUND,
                    "Function not found",
                ))
            }
            ("lambda", "Invoke") => {
                let Some(Value::Blob(payload)) = input.get("Payload") else {
                    panic!("an event has a payload");
                };
                let request = InvokeRequest {
                    function: text(&input, "FunctionName").parse().unwrap(),
                    payload: payload.clone(),
                    context,
                };
                self.functions.invoke(request).await?;
                Ok(Value::Map(Vec::new()))
            }
            ("events", "PutEvents") => {
                let entries = input.get("Entries").and_then(Value::as_list).unwrap();
                self.events.published.lock().push(Published {
                    entry: entries[0].clone(),
                    trace: context.trace,
                });
                self.events.arrived.notify_one();
                Ok(Value::Map(Vec::new()))
            }
            ("sqs", "GetQueueUrl") => {
                let name = text(&input, "QueueName");
                if self.queues.lock().contains(name) {
                    let url = format!("http://localhost/000000000000/{name}");
                    return Ok(Value::Map(vec![("QueueUrl".to_owned(), Value::Str(url))]));
                }
                Err(ServiceError::bad_request(
                    "QueueDoesNotExist",
                    "no such queue",
                ))
            }
            ("sqs", "SendMessage") => {
                let message = (text(&input, "QueueUrl"), text(&input, "MessageBody"));
                self.sent
                    .send((message.0.to_owned(), message.1.to_owned()))
                    .unwrap();
                Ok(Value::Map(Vec::new()))
            }
            ("sns", "Publish") => {
                let message = (text(&input, "TopicArn"), text(&input, "Message"));
                self.sent
                    .send((message.0.to_owned(), message.1.to_owned()))
                    .unwrap();
                Ok(Value::Map(Vec::new()))
            }
            ("sns", "GetTopicAttributes") => {
                let policy = self.topic_policy.lock().clone().map(Value::Str);
                let attributes = Value::of_members([policy.map(|policy| ("Policy", policy))]);
                Ok(Value::of_members([Some(("Attributes", attributes))]))
            }
            other => panic!("unexpected call of {other:?}"),
        }
    }
}

/// Functions that are invoked: each invocation is recorded, after it was let through.
pub struct Functions {
    /// How many invocations are refused first.
    pub refusals: AtomicUsize,
    /// Gates of functions that are slow, by name.
    pub gates: Mutex<HashMap<String, Arc<Semaphore>>>,
    invoked: mpsc::UnboundedSender<InvokeRequest>,
    invocations: tokio::sync::Mutex<mpsc::UnboundedReceiver<InvokeRequest>>,
}

impl Default for Functions {
    fn default() -> Self {
        let (invoked, invocations) = mpsc::unbounded_channel();
        Self {
            refusals: AtomicUsize::new(0),
            gates: Mutex::default(),
            invoked,
            invocations: tokio::sync::Mutex::new(invocations),
        }
    }
}

impl Functions {
    /// The next invocation: the function and the first record of its event.
    pub async fn invocation(&self) -> (InvokeRequest, serde_json::Value) {
        let request = self.invocations.lock().await.recv().await.unwrap();
        let mut event: serde_json::Value = serde_json::from_slice(&request.payload).unwrap();
        let record = event["Records"][0].take();
        (request, record)
    }

    pub async fn is_idle(&self) -> bool {
        self.invocations.lock().await.try_recv().is_err()
    }

    async fn invoke(&self, request: InvokeRequest) -> Result<(), ServiceError> {
        let refuse = |left: usize| left.checked_sub(1);
        if self
            .refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse)
            .is_ok()
        {
            return Err(ServiceError::internal());
        }
        let name = request.function.resource.clone();
        let gate = self.gates.lock().get(&name).cloned();
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
        self.invoked.send(request).unwrap();
        Ok(())
    }
}

#[derive(Default)]
pub struct Bus {
    pub published: Mutex<Vec<Published>>,
    pub arrived: tokio::sync::Notify,
}

/// An entry of PutEvents.
pub struct Published {
    entry: Value,
    pub trace: Option<String>,
}

impl Published {
    pub fn text(&self, member: &str) -> &str {
        text(&self.entry, member)
    }

    pub fn resource(&self) -> Option<&str> {
        let resources = self.entry.get("Resources").and_then(Value::as_list)?;
        resources[0].as_str()
    }
}
