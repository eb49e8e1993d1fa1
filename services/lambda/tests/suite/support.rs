//! A world of services for one test, called as the gateway calls them.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{AccountId, Clock, Region};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ecr::Ecr;
use exec::{Exec, ExecConfig, ExecPorts, Images, InterpreterSearch, UsageRecord, UsageSink};
use http_body_util::{BodyExt as _, Full};
use lambda::{Config, Lambda, Limits};
use parking_lot::Mutex;
use s3::S3;
use serde_json::{Value as Json, json};
use service::ports::{ApiCaller, ImageRegistry, LogLine, LogSink, LogStream, StreamSignals};
use service::{Body, HttpService as _, Origin, Principal, RequestContext, Service, ServiceError};
use store::{Blobs, EmbeddedStore, FileBlobs, MemoryStore, Store, StoreError};
use wire::Value;

pub const ROLE: &str = "arn:aws:iam::000000000000:role/lambda-role";

pub struct World {
    pub ecr: Arc<Ecr>,
    pub lambda: Arc<Lambda>,
    pub exec: Arc<Exec>,
    services: Arc<Services>,
    folder: Folder,
}

/// Kept when a world ends, so that another can begin where it stopped.
#[derive(Clone)]
pub struct Folder(Arc<tempfile::TempDir>);

impl Folder {
    pub fn new() -> Self {
        Self(Arc::new(tempfile::tempdir().unwrap()))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// How a world differs from the usual one.
pub struct Settings {
    pub is_permissive: bool,
    pub is_durable: bool,
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            is_permissive: true,
            is_durable: false,
            limits: Limits::default(),
        }
    }
}

impl World {
    pub async fn new() -> Self {
        Self::with(Settings::default()).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self::on(Folder::new(), settings).await
    }

    pub async fn on(folder: Folder, settings: Settings) -> Self {
        // Shown where a test fails. Another test may have been first.
        let _ = tracing_subscriber::fmt()
            .with_test_writer()
            .with_max_level(tracing::Level::WARN)
            .try_init();
        let root = folder.path();
        let (store, blobs): (Arc<dyn Store>, Arc<dyn Blobs>) = if settings.is_durable {
            (
                Arc::new(opened(|| EmbeddedStore::open(root.join("store"))).await),
                Arc::new(opened(|| FileBlobs::open(root.join("blobs"))).await),
            )
        } else {
            (
                Arc::new(MemoryStore::new()),
                Arc::new(FileBlobs::temporary().unwrap()),
            )
        };
        let clock = Clock::system();
        let services = Arc::new(Services::default());
        // Not where the last world had its environments: it may still be removing their control
        // groups.
        let folder_of_exec = tempfile::tempdir_in(root).unwrap().keep();
        let exec = execution(&folder_of_exec, &clock);
        let dynamodb = dynamodb::service(dynamodb::Config {
            store: Arc::clone(&store),
            clock: clock.clone(),
            authority: "localhost:4566".to_owned(),
            api: Arc::clone(&services) as Arc<dyn ApiCaller>,
            throttles: false,
        })
        .await
        .unwrap();
        let ecr = ecr::service(ecr::Config {
            store: Arc::clone(&store),
            blobs: Arc::clone(&blobs),
            clock: clock.clone(),
            credentials: None,
            authority: "localhost:4566".to_owned(),
        })
        .await
        .unwrap();
        let config = Config {
            registry: Arc::clone(&ecr) as Arc<dyn ImageRegistry>,
            registry_credentials: None,
            store: Arc::clone(&store),
            blobs: Arc::clone(&blobs),
            images: Images::new(root.join("images")).unwrap(),
            exec: Arc::clone(&exec),
            streams: Arc::clone(&dynamodb) as Arc<dyn StreamSignals>,
            clock: clock.clone(),
            is_permissive: settings.is_permissive,
            hot_reload: true,
            limits: settings.limits,
            authority: "localhost:4566".to_owned(),
        };
        let lambda = lambda::service(config, Arc::clone(&services) as Arc<dyn ApiCaller>)
            .await
            .unwrap();
        let identity = iam::Identity::open(Arc::clone(&store), clock.clone())
            .await
            .unwrap();
        let s3 = s3::service(
            s3::Config {
                store: Arc::clone(&store),
                blobs,
                clock: clock.clone(),
                is_permissive: true,
                encryption_key: None,
            },
            s3::Ports {
                api: Arc::clone(&services) as Arc<dyn ApiCaller>,
                credentials: None,
            },
        );
        let known = Known {
            ecr: ecr::endpoint(&ecr),
            lambda: lambda::endpoint(&lambda),
            dynamodb: dynamodb::endpoint(&dynamodb),
            streams: dynamodb::streams_endpoint(&dynamodb),
            iam: iam::service(&identity),
            sts: iam::sts_service(&identity),
            sqs: sqs::service(sqs::Config::default(), store, clock)
                .await
                .unwrap(),
            s3,
        };
        *services.known.lock() = Some(Arc::new(known));
        lambda.resume().await.unwrap();
        Self {
            ecr,
            lambda,
            exec,
            services,
            folder,
        }
    }

    /// Ends this world in order, and gives what the next may begin on.
    pub async fn end(self) -> Folder {
        self.lambda.end().await;
        self.exec.shutdown().await;
        // They hold each other.
        self.services.known.lock().take();
        self.folder.clone()
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// Calls an operation of Lambda.
    pub async fn call(&self, operation: &str, input: Json) -> Result<Json, ServiceError> {
        self.call_service("lambda", operation, input).await
    }

    /// The same as another account.
    pub async fn call_as(
        &self,
        account: AccountId,
        operation: &str,
        input: Json,
    ) -> Result<Json, ServiceError> {
        let mut context = context();
        context.account = account;
        context.principal = Principal::Root { account };
        self.call_in(context, operation, input).await
    }

    /// The same in circumstances of the test's own.
    pub async fn call_in(
        &self,
        context: RequestContext,
        operation: &str,
        input: Json,
    ) -> Result<Json, ServiceError> {
        let answer = self
            .services
            .call("lambda", operation, context, value(input))
            .await?;
        Ok(json_of(answer))
    }

    pub async fn call_service(
        &self,
        service: &str,
        operation: &str,
        input: Json,
    ) -> Result<Json, ServiceError> {
        let answer = self
            .services
            .call(service, operation, context(), value(input))
            .await?;
        Ok(json_of(answer))
    }

    pub async fn ok(&self, operation: &str, input: Json) -> Json {
        self.call(operation, input)
            .await
            .unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// The error's code and message.
    pub async fn refused(&self, operation: &str, input: Json) -> (String, String) {
        let error = self.error(operation, input).await;
        (error.code.into_owned(), error.message)
    }

    pub async fn error(&self, operation: &str, input: Json) -> ServiceError {
        match self.call(operation, input).await {
            Err(error) => error,
            Ok(answer) => panic!("{operation} was not refused: {answer}"),
        }
    }

    /// Creates a Python function of one file.
    pub async fn create(&self, name: &str, source: &str) -> Json {
        self.ok("CreateFunction", new_function(name, source)).await
    }

    /// Invokes and waits. `None` if this host has no Python, which is said.
    pub async fn invoke(&self, name: &str, event: Json) -> Option<Json> {
        let input = json!({"FunctionName": name, "Payload": blob(event.to_string())});
        match self.call("Invoke", input).await {
            Ok(answer) => Some(answer),
            Err(error) if error.code == "InvalidRuntimeException" => {
                eprintln!("skipped: {}", error.message);
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Invokes with a trace header of the caller's.
    pub async fn invoke_traced(&self, name: &str, trace: &str) -> Result<Json, ServiceError> {
        let context = RequestContext {
            trace: Some(trace.to_owned()),
            ..context()
        };
        let input = value(json!({"FunctionName": name, "Payload": blob("{}")}));
        let answer = self.services.call("lambda", "Invoke", context, input).await;
        answer.map(json_of)
    }

    pub async fn bucket(&self, name: &str) {
        let request = http::Request::put(format!("/{name}"))
            .body(Body::new(Full::default().map_err(Into::into)))
            .unwrap();
        let known = self.services.known.lock().clone().unwrap();
        let answer = known.s3.handle(context(), request).await;
        assert_eq!(answer.status(), 200);
    }

    /// The name of a bucket's first object.
    pub async fn first_key(&self, bucket: &str) -> Option<String> {
        let request = http::Request::get(format!("/{bucket}?list-type=2"))
            .body(Body::new(Full::default().map_err(Into::into)))
            .unwrap();
        let known = self.services.known.lock().clone().unwrap();
        let answer = known.s3.handle(context(), request).await;
        let page = answer.into_body().collect().await.unwrap().to_bytes();
        let page = String::from_utf8_lossy(&page).into_owned();
        let (_, rest) = page.split_once("<Key>")?;
        Some(rest.split_once("</Key>")?.0.to_owned())
    }

    pub async fn queue(&self, name: &str, attributes: Json) -> String {
        let input = json!({"QueueName": name, "Attributes": attributes});
        self.call_service("sqs", "CreateQueue", input)
            .await
            .unwrap();
        format!("arn:aws:sqs:us-east-1:000000000000:{name}")
    }
}

/// The last world may still be letting go of its folder.
async fn opened<T>(open: impl Fn() -> Result<T, StoreError>) -> T {
    eventually(async || match open() {
        Err(StoreError::Locked { .. }) => None,
        opened => Some(opened.unwrap()),
    })
    .await
}

pub fn context() -> RequestContext {
    let principal = Principal::Root {
        account: AccountId::DEFAULT,
    };
    let now = Clock::system().now();
    let mut context =
        RequestContext::internal(principal, AccountId::DEFAULT, Region::us_east_1(), now);
    context.origin = Origin::Http {
        peer: None,
        authority: Some("127.0.0.1:4599".to_owned()),
        user_agent: None,
        is_tls: false,
    };
    context
}

fn execution(folder: &Path, clock: &Clock) -> Arc<Exec> {
    let mut config = ExecConfig::new(folder);
    config.interpreters = InterpreterSearch::from_variables(|name| std::env::var_os(name));
    // Nothing here is a burst, and worlds live on until the process ends.
    config.sandbox.reserve = 0;
    let ports = ExecPorts {
        clock: clock.clone(),
        logs: Arc::new(Nobody),
        usage: Arc::new(Nobody),
        gateway: None,
    };
    Exec::new(config, ports).unwrap()
}

/// The input of CreateFunction for a Python function of one file.
pub fn new_function(name: &str, source: &str) -> Json {
    json!({
        "FunctionName": name,
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "index.handler",
        "Timeout": 20,
        "Code": {"ZipFile": blob(package(&[("index.py", source)]))},
    })
}

/// An input with more members.
pub fn with(mut input: Json, more: Json) -> Json {
    if let (Some(members), Json::Object(more)) = (input.as_object_mut(), more) {
        members.extend(more);
    }
    input
}

pub const ECHO: &str = "def handler(event, context):\n    return event\n";

pub fn package(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Bytes in the JSON of an input.
pub fn blob(bytes: impl AsRef<[u8]>) -> Json {
    json!({"$blob": STANDARD.encode(bytes)})
}

/// Asks until the answer is there, for at most ten seconds.
pub async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..1_000 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not happen within ten seconds");
}

/// The services, which know each other by this port.
#[derive(Default)]
struct Services {
    known: Mutex<Option<Arc<Known>>>,
}

struct Known {
    ecr: Arc<dyn Service>,
    lambda: Arc<dyn Service>,
    dynamodb: Arc<dyn Service>,
    streams: Arc<dyn Service>,
    iam: Arc<dyn Service>,
    sts: Arc<dyn Service>,
    sqs: Arc<dyn Service>,
    s3: S3,
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
        let known = self.known.lock().clone().unwrap();
        let service = match service {
            "ecr" => &known.ecr,
            "lambda" => &known.lambda,
            "dynamodb" => &known.dynamodb,
            "dynamodbstreams" => &known.streams,
            "iam" => &known.iam,
            "sts" => &known.sts,
            "sqs" => &known.sqs,
            "s3" => return known.s3.call(operation, context, input).await,
            // Nobody listens to the event bus here.
            "events" => return Ok(Value::Map(Vec::new())),
            other => panic!("there is no {other}"),
        };
        let schema = service.schema();
        if let Some(known) = schema.operation(operation) {
            wire::validate(schema, known, &input).map_err(|error| {
                ServiceError::bad_request(schema.validation.code, error.to_string())
            })?;
        }
        service.call(operation, context, input).await
    }
}

/// Takes what nobody looks at.
struct Nobody;

impl LogSink for Nobody {
    fn append(&self, _: &Arc<LogStream>, _: Vec<LogLine>) {}
}

impl UsageSink for Nobody {
    fn record(&self, _: UsageRecord) {}
}

pub fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().unwrap()),
        },
        Json::String(text) => Value::Str(text),
        Json::Array(items) => Value::List(items.into_iter().map(value).collect()),
        Json::Object(members) => {
            if let Some(Json::String(encoded)) = members.get("$blob") {
                return Value::Blob(STANDARD.decode(encoded).unwrap().into());
            }
            let members = members.into_iter().map(|(name, json)| (name, value(json)));
            Value::Map(members.collect())
        }
    }
}

/// Bytes are shown as text.
pub fn json_of(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => json!(truth),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Str(text) => json!(text),
        Value::Blob(bytes) => json!(String::from_utf8_lossy(&bytes)),
        Value::Time(at) => json!(at.millis()),
        Value::List(items) => items.into_iter().map(json_of).collect(),
        Value::Map(members) => {
            let members = members
                .into_iter()
                .map(|(name, value)| (name, json_of(value)));
            members.collect()
        }
    }
}

/// The payload of an answer, as JSON.
pub fn payload(answer: &Json) -> Json {
    serde_json::from_str(answer["Payload"].as_str().unwrap()).unwrap()
}
