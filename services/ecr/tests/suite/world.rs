//! A registry for one test, called as the gateway calls it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base::{AccountId, Clock, ManualClock, Region, Timestamp};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ecr::{Config, Ecr};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use oci::Digest;
use serde_json::{Value as Json, json};
use service::ports::{Credentials, IssuedCredential};
use service::{Body, HttpService, Origin, Principal, RequestContext, Service, ServiceError};
use store::{Blobs, FileBlobs, MemoryStore, Store};
use wire::Value;

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const HOST: &str = "000000000000.dkr.ecr.us-east-1.localhost:4566";

pub struct World {
    pub ecr: Arc<Ecr>,
    pub blobs: Arc<dyn Blobs>,
    pub time: ManualClock,
    store: Arc<dyn Store>,
    api: Arc<dyn Service>,
    http: Arc<dyn HttpService>,
    is_permissive: bool,
}

impl World {
    pub async fn new() -> Self {
        Self::with(true).await
    }

    /// Where tokens are checked.
    pub async fn enforcing() -> Self {
        Self::with(false).await
    }

    async fn with(is_permissive: bool) -> Self {
        let start = Timestamp::from_millis(1_800_000_000_000);
        let time = ManualClock::starting_at(start);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let blobs: Arc<dyn Blobs> = Arc::new(FileBlobs::temporary().unwrap());
        Self::on(store, blobs, time, is_permissive).await
    }

    async fn on(
        store: Arc<dyn Store>,
        blobs: Arc<dyn Blobs>,
        time: ManualClock,
        is_permissive: bool,
    ) -> Self {
        let ecr = ecr::service(Config {
            store: Arc::clone(&store),
            blobs: Arc::clone(&blobs),
            clock: time.clock(),
            credentials: (!is_permissive).then(|| Arc::new(Known) as Arc<dyn Credentials>),
            authority: "127.0.0.1:4566".to_owned(),
        })
        .await
        .unwrap();
        ecr.resume().await.unwrap();
        Self {
            api: ecr::endpoint(&ecr),
            http: ecr::distribution(&ecr),
            ecr,
            blobs,
            time,
            store,
            is_permissive,
        }
    }

    /// The same registry, opened again.
    pub async fn reopened(self) -> Self {
        Self::on(self.store, self.blobs, self.time, self.is_permissive).await
    }

    pub async fn call(&self, operation: &str, input: Json) -> Result<Json, ServiceError> {
        let input = value(input);
        let schema = self.api.schema();
        let known = schema.operation(operation).unwrap();
        wire::validate(schema, known, &input)
            .map_err(|error| ServiceError::bad_request(schema.validation.code, error.message))?;
        let answer = self.api.call(operation, context(), input).await?;
        Ok(json_of(answer))
    }

    /// The header that lets a user push and pull what the user may.
    pub async fn basic_of(&self, user: Option<&str>) -> String {
        let mut context = context();
        if let Some(arn) = user {
            context.principal = Principal::User {
                arn: arn.parse().unwrap(),
                user_id: "AIDA".to_owned(),
            };
        }
        let answer = self
            .api
            .call("GetAuthorizationToken", context, value(json!({})));
        let answer = json_of(answer.await.unwrap());
        let token = answer["authorizationData"][0]["authorizationToken"].clone();
        format!("Basic {}", token.as_str().unwrap())
    }

    pub async fn ok(&self, operation: &str, input: Json) -> Json {
        let answer = self.call(operation, input).await;
        answer.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// The error's code and message.
    pub async fn refused(&self, operation: &str, input: Json) -> (String, String) {
        match self.call(operation, input).await {
            Err(error) => (error.code.into_owned(), error.message),
            Ok(answer) => panic!("{operation} was not refused: {answer}"),
        }
    }

    pub async fn repository(&self, name: &str) {
        self.ok("CreateRepository", json!({"repositoryName": name}))
            .await;
    }

    pub async fn send(&self, request: Request<Body>) -> Response<Bytes> {
        let (head, body) = self.http.handle(context(), request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Response::from_parts(head, body)
    }

    pub async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        content: impl Into<Bytes>,
    ) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| *name == "host") {
            request = request.header("host", HOST);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body(content)).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Response<Bytes> {
        self.request("GET", path, &[], "").await
    }

    /// Pushes a blob in one piece.
    pub async fn push_blob(&self, repository: &str, content: &str) -> Digest {
        let digest = Digest::of(content.as_bytes());
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        let answer = self.request("POST", &path, &[], content.to_owned()).await;
        assert_eq!(answer.status(), 201, "{answer:?}");
        digest
    }

    /// Pushes an image of one layer with this content.
    pub async fn push_image(&self, repository: &str, content: &str, reference: &str) -> Digest {
        self.push_blob(repository, "{}").await;
        self.push_blob(repository, content).await;
        let manifest = manifest(content);
        let path = format!("/v2/{repository}/manifests/{reference}");
        let kind = [("content-type", OCI_MANIFEST)];
        let answer = self.request("PUT", &path, &kind, manifest.clone()).await;
        assert_eq!(answer.status(), 201, "{answer:?}");
        Digest::of(manifest.as_bytes())
    }

    pub fn later(&self, span: Duration) {
        self.time.advance(span);
    }
}

/// Whom IAM would know: a user who may only read, beside the account's root.
pub struct Known;

/// The user's ARN.
pub const READER: &str = "arn:aws:iam::000000000000:user/reader";

#[async_trait]
impl Credentials for Known {
    async fn find(&self, _: &str, _: Option<&str>) -> Option<IssuedCredential> {
        None
    }

    async fn of(&self, principal: &Principal) -> Option<IssuedCredential> {
        let reads = r#"{"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Resource": "arn:aws:ecr:*:*:repository/app",
            "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:ListImages"]}]}"#;
        let identity_policies = match principal {
            Principal::Root { .. } => Vec::new(),
            Principal::User { arn, .. } if arn.to_string() == READER => vec![reads.to_owned()],
            _ => return None,
        };
        Some(IssuedCredential {
            secret: String::new(),
            session_token: None,
            expires_at: None,
            principal: principal.clone(),
            account: AccountId::DEFAULT,
            identity_policies,
            boundaries: Vec::new(),
        })
    }
}

pub fn body(content: impl Into<Bytes>) -> Body {
    Full::new(content.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Of an image of one layer.
pub fn manifest(layer: &str) -> String {
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": part("{}", "application/vnd.oci.image.config.v1+json"),
        "layers": [part(layer, "application/vnd.oci.image.layer.v1.tar")],
    })
    .to_string()
}

pub fn part(content: &str, media_type: &str) -> Json {
    json!({
        "mediaType": media_type,
        "digest": Digest::of(content.as_bytes()).to_string(),
        "size": content.len(),
    })
}

/// The code of the one error of an answer.
pub fn code(answer: &Response<Bytes>) -> String {
    let errors: Json = serde_json::from_slice(answer.body()).unwrap();
    errors["errors"][0]["code"].as_str().unwrap().to_owned()
}

pub fn json_body(answer: &Response<Bytes>) -> Json {
    serde_json::from_slice(answer.body()).unwrap()
}

pub fn header<'a>(answer: &'a Response<Bytes>, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

fn context() -> RequestContext {
    let account = AccountId::DEFAULT;
    let mut context = RequestContext::internal(
        Principal::Root { account },
        account,
        Region::us_east_1(),
        Clock::system().now(),
    );
    context.origin = Origin::Http {
        peer: None,
        authority: Some("localhost:4566".to_owned()),
        user_agent: None,
        is_tls: false,
    };
    context
}

fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(it) => Value::Bool(it),
        Json::Number(it) => Value::Int(it.as_i64().unwrap()),
        Json::String(it) => Value::Str(it),
        Json::Array(items) => Value::List(items.into_iter().map(value).collect()),
        Json::Object(members) => {
            if let Some(Json::String(bytes)) = members.get("$blob") {
                return Value::Blob(STANDARD.decode(bytes).unwrap().into());
            }
            let members = members.into_iter();
            Value::Map(members.map(|(key, it)| (key, value(it))).collect())
        }
    }
}

fn json_of(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(it) => json!(it),
        Value::Int(it) => json!(it),
        Value::Float(it) => json!(it),
        Value::Str(it) => json!(it),
        Value::Blob(it) => json!(STANDARD.encode(it)),
        Value::Time(it) => json!(it.seconds()),
        Value::List(items) => items.into_iter().map(json_of).collect(),
        Value::Map(members) => members
            .into_iter()
            .filter(|(_, it)| *it != Value::Null)
            .map(|(key, it)| (key, json_of(it)))
            .collect(),
    }
}
