//! The Extensions API's HTTP form, and the subscription to telemetry beside it.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html>

use std::sync::Arc;

use ::http::header::{HeaderName, HeaderValue};
use ::http::{HeaderMap, Method, StatusCode};
use base::AccountId;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::agent::{EventKind, Phase};
use super::{Extensions, Refusal};
use crate::function::FunctionSpec;
use crate::logs::{LogTap, Platform};
use crate::runtime_api::{HttpAnswer, accepted, failure, json_answer};
use crate::telemetry::{Api, Subscription, Telemetry};

const NAME: &str = "lambda-extension-name";
const IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-identifier");
const EVENT_IDENTIFIER: HeaderName = HeaderName::from_static("lambda-extension-event-identifier");
const ERROR_TYPE: &str = "lambda-extension-function-error-type";
const FEATURES: &str = "lambda-extension-accept-feature";

/// What one environment has for its extensions.
pub(crate) struct ExtensionHost {
    pub(crate) extensions: Extensions,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) log: Arc<LogTap>,
    account: AccountId,
    function: String,
    version: String,
    handler: String,
    /// Whether it has several invocations at once, which nobody is told of one by one.
    has_several: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Register {
    #[serde(default)]
    events: Vec<String>,
    #[serde(default)]
    configuration_keys: Vec<String>,
}

impl ExtensionHost {
    pub(crate) fn new(
        function: &FunctionSpec,
        telemetry: Arc<Telemetry>,
        log: Arc<LogTap>,
    ) -> Self {
        Self {
            extensions: Extensions::default(),
            telemetry,
            log,
            account: function.key.account,
            function: function.key.name.clone(),
            version: function.key.version.clone(),
            handler: function.handler.clone(),
            has_several: function.managed.is_some(),
        }
    }

    /// Answers a call below `/2020-01-01/extension/`; `None` if there is no such path.
    pub(crate) async fn answer(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Option<HttpAnswer> {
        let answered = match (method, path) {
            (&Method::POST, "register") => self.register(headers, body),
            (&Method::GET, "event/next") => self.next(headers).await,
            (&Method::POST, "init/error") => self.report(headers, Phase::InitError),
            (&Method::POST, "exit/error") => self.report(headers, Phase::ExitError),
            _ => return None,
        };
        Some(answered.unwrap_or_else(|refusal| {
            failure(StatusCode::FORBIDDEN, refusal.error_type, &refusal.message)
        }))
    }

    fn register(&self, headers: &HeaderMap, body: &[u8]) -> Result<HttpAnswer, Refusal> {
        let name = text(headers, NAME).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| {
            let message = "Empty extension name".to_owned();
            refusal("Extension.InvalidExtensionName", message)
        })?;
        let request: Register = serde_json::from_slice(body)
            .map_err(|error| refusal("InvalidRequestFormat", error.to_string()))?;
        if !request.configuration_keys.is_empty() {
            let message = "configurationKeys are deprecated; use environment variables instead";
            return Err(refusal("InvalidRequestFormat", message.to_owned()));
        }
        let mut events = Vec::new();
        for event in &request.events {
            let kind = EventKind::parse(event).ok_or_else(|| {
                let message = format!("{event}: event type is not known");
                refusal("Extension.InvalidEventType", message)
            })?;
            if kind == EventKind::Invoke && self.has_several {
                let message = format!("{event}: event not supported on Lambda Managed Instances");
                return Err(refusal("Extension.InvalidEventType", message));
            }
            if !events.contains(&kind) {
                events.push(kind);
            }
        }
        let id = self.extensions.register(name, events)?;
        let mut document = json!({
            "functionName": self.function,
            "functionVersion": self.version,
            "handler": self.handler,
        });
        let features = text(headers, FEATURES).unwrap_or_default();
        if features.split(',').any(|one| one.trim() == "accountId") {
            document["accountId"] = self.account.as_str().into();
        }
        let mut answer = json_answer(StatusCode::OK, &document);
        if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
            answer.headers_mut().insert(IDENTIFIER, id);
        }
        Ok(answer)
    }

    async fn next(&self, headers: &HeaderMap) -> Result<HttpAnswer, Refusal> {
        let told = self.extensions.next(identifier(headers)?).await?;
        let mut answer = json_answer(StatusCode::OK, &told.document());
        if let Ok(id) = HeaderValue::from_str(&Uuid::new_v4().to_string()) {
            answer.headers_mut().insert(EVENT_IDENTIFIER, id);
        }
        Ok(answer)
    }

    fn report(&self, headers: &HeaderMap, to: Phase) -> Result<HttpAnswer, Refusal> {
        let id = identifier(headers)?;
        let error_type = text(headers, ERROR_TYPE).filter(|error| !error.is_empty());
        let error_type = error_type.ok_or_else(|| {
            let message = "Lambda-Extension-Function-Error-Type not found".to_owned();
            refusal("Extension.MissingHeader", message)
        })?;
        self.extensions.report(id, to, error_type)?;
        Ok(accepted())
    }

    /// Subscribes an extension to telemetry.
    pub(crate) fn subscribe(&self, api: Api, headers: &HeaderMap, body: &[u8]) -> HttpAnswer {
        self.try_subscribe(api, headers, body)
            .unwrap_or_else(|refusal| {
                let status = match refusal.error_type {
                    "ValidationError" => StatusCode::BAD_REQUEST,
                    _ => StatusCode::FORBIDDEN,
                };
                failure(status, refusal.error_type, &refusal.message)
            })
    }

    fn try_subscribe(
        &self,
        api: Api,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<HttpAnswer, Refusal> {
        let id = identifier(headers)?;
        let name = self.extensions.name_of(id).ok_or_else(|| {
            let message = format!("Unknown extension {id}");
            refusal("Extension.UnknownExtensionIdentifier", message)
        })?;
        let subscription =
            Subscription::parse(api, body).map_err(|wrong| refusal("ValidationError", wrong))?;
        let categories = subscription.categories.clone();
        if !self.telemetry.subscribe(&name, subscription) {
            let (kind, name) = match api {
                Api::Telemetry => ("Telemetry.SubscriptionClosed", "Telemetry"),
                Api::Logs => ("Logs.SubscriptionClosed", "Logs"),
            };
            return Err(refusal(kind, format!("{name} API subscription is closed")));
        }
        self.log.note(&Platform::Subscription {
            api,
            name,
            categories,
        });
        Ok(json_answer(StatusCode::OK, &json!("OK")))
    }
}

fn refusal(error_type: &'static str, message: String) -> Refusal {
    Refusal {
        error_type,
        message,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn identifier(headers: &HeaderMap) -> Result<Uuid, Refusal> {
    let Some(given) = headers.get(IDENTIFIER).filter(|given| !given.is_empty()) else {
        let message = "Missing Lambda-Extension-Identifier header".to_owned();
        return Err(refusal("Extension.MissingExtensionIdentifier", message));
    };
    let id = given.to_str().ok().and_then(|id| id.parse().ok());
    id.ok_or_else(|| {
        let message = "Invalid Lambda-Extension-Identifier".to_owned();
        refusal("Extension.InvalidExtensionIdentifier", message)
    })
}
