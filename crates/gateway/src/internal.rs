//! Paths that are ours and no service's: health, and what the `kagero` command asks a server.

use async_trait::async_trait;
use base::AccountId;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json};
use service::Body;

use crate::Gateway;
use crate::body::full;
use crate::listen::Connection;
use crate::route::query_parameter;

/// A page cannot set this header on another origin's request without a preflight, so its presence
/// shows that a command sent the request and not a browser.
const COMMAND_HEADER: HeaderName = HeaderName::from_static("x-kagero-command");

/// What the names of SNS's certificates begin with.
const CERTIFICATE: &str = "SimpleNotificationService-";

/// What the composition root answers about itself.
#[async_trait]
pub trait Admin: Send + Sync + 'static {
    /// The live environments, as `kagero ps` shows them.
    async fn environments(&self) -> Value;

    /// What waits to become an environment, as `kagero ps --spares` shows it.
    async fn spares(&self) -> Value;

    /// What this host offers for isolation, as `kagero doctor` shows it.
    async fn doctor(&self) -> Value;

    /// The known runtimes and the interpreters found for them.
    async fn runtimes(&self) -> Value;

    /// Removes all state of all services.
    async fn reset(&self) -> Result<(), String>;

    /// The latest usage records of a function, newest first.
    async fn usage(&self, account: AccountId, region: Option<&str>, function: &str) -> Value;

    /// The latest messages that would have left this machine (SMS, e-mail, pushes), newest first.
    async fn messages(&self) -> Value;

    /// The events after a number, once there is one; without a number, only where that is now.
    async fn events(&self, after: Option<u64>) -> Value;

    /// Publishes a recent event once more; the error says why not.
    async fn replay(&self, id: &str) -> Result<(), String>;

    /// The certificate that a signature's URL names, in PEM.
    async fn certificate(&self, name: &str) -> Option<String>;

    /// The zip a function was made from, by its SHA-256 in hexadecimal.
    async fn function_code(&self, sha256: &str) -> Option<bytes::Bytes>;
}

impl Gateway {
    /// Answers a path of ours; `None` if the path is not.
    pub(crate) async fn answer_internal(
        &self,
        request: &Request<Incoming>,
        connection: &Connection,
    ) -> Option<Response<Body>> {
        let path = request.uri().path();
        // Where SNS has them at AWS. No bucket has such a name.
        if let Some(name) = path
            .strip_prefix("/")
            .filter(|it| it.starts_with(CERTIFICATE))
        {
            let name = name.to_owned();
            return Some(self.certificate(&name).await);
        }
        if !path.starts_with("/_kagero/") && !path.starts_with("/_localstack/") {
            return None;
        }
        let get = request.method() == Method::GET || request.method() == Method::HEAD;
        Some(match path {
            "/_kagero/health" if get => json_answer(StatusCode::OK, &self.health()),
            "/_localstack/health" if get => json_answer(StatusCode::OK, &self.localstack_health()),
            "/_localstack/init" | "/_localstack/init/ready" if get => {
                json_answer(StatusCode::OK, &json!({"completed": true, "scripts": []}))
            }
            "/_localstack/info" if get => json_answer(StatusCode::OK, &localstack_info()),
            _ => match path.strip_prefix("/_kagero/lambda/code/") {
                Some(sha256) if get => self.code(sha256).await,
                _ => self.answer_command(request, connection).await,
            },
        })
    }

    /// What only this machine's own commands may ask.
    async fn answer_command(
        &self,
        request: &Request<Incoming>,
        connection: &Connection,
    ) -> Response<Body> {
        let local = connection.peer.is_some_and(|peer| peer.ip().is_loopback());
        let command = local
            && connection.identity.is_none()
            && request.headers().contains_key(COMMAND_HEADER);
        match (request.method().as_str(), request.uri().path()) {
            (
                "GET",
                "/_kagero/environments"
                | "/_kagero/spares"
                | "/_kagero/doctor"
                | "/_kagero/runtimes"
                | "/_kagero/messages"
                | "/_kagero/events"
                | "/_kagero/usage",
            )
            | ("POST", "/_kagero/reset" | "/_kagero/replay")
                if !command =>
            {
                json_answer(
                    StatusCode::FORBIDDEN,
                    &json!({"message": "This path answers the kagero command on the same machine \
                             only: send the header x-kagero-command from a loopback address."}),
                )
            }
            ("GET", "/_kagero/environments") => {
                json_answer(StatusCode::OK, &self.admin.environments().await)
            }
            ("GET", "/_kagero/spares") => json_answer(StatusCode::OK, &self.admin.spares().await),
            ("GET", "/_kagero/doctor") => json_answer(StatusCode::OK, &self.admin.doctor().await),
            ("GET", "/_kagero/runtimes") => {
                json_answer(StatusCode::OK, &self.admin.runtimes().await)
            }
            ("GET", "/_kagero/messages") => {
                json_answer(StatusCode::OK, &self.admin.messages().await)
            }
            ("GET", "/_kagero/events") => {
                let query = request.uri().query().unwrap_or_default();
                let after = query_parameter(query, "after").and_then(|it| it.parse().ok());
                json_answer(StatusCode::OK, &self.admin.events(after).await)
            }
            ("POST", "/_kagero/replay") => {
                let query = request.uri().query().unwrap_or_default();
                let id = query_parameter(query, "id").unwrap_or_default();
                match self.admin.replay(&id).await {
                    Ok(()) => json_answer(StatusCode::OK, &json!({"replayed": id})),
                    Err(why) => json_answer(StatusCode::NOT_FOUND, &json!({"message": why})),
                }
            }
            ("GET", "/_kagero/usage") => {
                let query = request.uri().query().unwrap_or_default();
                let parameter = |name: &str| query_parameter(query, name);
                let account = parameter("account").and_then(|account| account.parse().ok());
                let account = account.unwrap_or(AccountId::DEFAULT);
                let (region, function) = (parameter("region"), parameter("function"));
                let function = function.unwrap_or_default();
                let usage = self
                    .admin
                    .usage(account, region.as_deref(), &function)
                    .await;
                json_answer(StatusCode::OK, &usage)
            }
            ("POST", "/_kagero/reset") => match self.admin.reset().await {
                Ok(()) => json_answer(StatusCode::OK, &json!({"reset": true})),
                Err(why) => {
                    json_answer(StatusCode::INTERNAL_SERVER_ERROR, &json!({"message": why}))
                }
            },
            (method, path) => json_answer(
                StatusCode::NOT_FOUND,
                &json!({"message": format!("There is no {method} {path} on this server.")}),
            ),
        }
    }

    async fn certificate(&self, name: &str) -> Response<Body> {
        match self.admin.certificate(name).await {
            Some(pem) => {
                let mut response = Response::new(full(pem));
                let kind = http::HeaderValue::from_static("application/x-pem-file");
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
            None => json_answer(
                StatusCode::NOT_FOUND,
                &json!({"message": "There is no such certificate."}),
            ),
        }
    }

    async fn code(&self, sha256: &str) -> Response<Body> {
        match self.admin.function_code(sha256).await {
            Some(zip) => {
                let mut response = Response::new(full(zip));
                let kind = http::HeaderValue::from_static("application/zip");
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
            None => json_answer(
                StatusCode::NOT_FOUND,
                &json!({"message": "No function has this code any more."}),
            ),
        }
    }

    fn health(&self) -> Value {
        json!({
            "status": "running",
            "version": env!("CARGO_PKG_VERSION"),
            "services": self.service_states("running"),
        })
    }

    fn localstack_health(&self) -> Value {
        json!({
            "services": self.service_states("running"),
            "edition": "kagero",
            "version": env!("CARGO_PKG_VERSION"),
        })
    }

    fn service_states(&self, state: &str) -> Value {
        self.registry()
            .endpoints
            .iter()
            .map(|endpoint| (endpoint.signing_name().to_owned(), Value::from(state)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

fn localstack_info() -> Value {
    json!({
        "edition": "kagero",
        "version": env!("CARGO_PKG_VERSION"),
        "is_license_activated": false,
    })
}

pub(crate) fn json_answer(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(full(value.to_string()));
    *response.status_mut() = status;
    let kind = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
