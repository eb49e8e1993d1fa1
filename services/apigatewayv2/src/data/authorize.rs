//! Who may call a route: tokens, authorizers' functions, signatures.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control.html>

use std::sync::Arc;
use std::time::Duration;

use auth::policy::Context;
use base::RequestId;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use http::{Response, StatusCode};
use proxy::authorizer::{CacheKey, Grant};
use proxy::event::{self, Place, Resource};
use proxy::invoke::{self, Call, execute_arn, function_arn, with_stage_variables};
use proxy::request::decoded_path;
use serde_json::{Map, Value, json};
use service::{Body, Reach};

use super::DataPlane;
use super::exchange::{Authorized, Exchange};
use super::http::refuse;
use crate::domain::expression::evaluate;
use crate::domain::jwt::Token;
use crate::records::{Authorizer, JwtConfiguration, Route};

/// How long an authorizer's function may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a Lambda authorizer did not let a caller in.
pub enum Denied {
    /// There is no identity to ask about.
    Unauthorized,
    Forbidden,
    /// The authorizer failed: the reason is for the log.
    Failed(String),
}

impl DataPlane {
    /// Asks who the caller is, by the route's authorization; the answer is the client's if it may
    /// not call it.
    pub async fn authorize(&self, exchange: &mut Exchange) -> Result<(), Response<Body>> {
        let Some(route) = exchange.route.clone() else {
            return Ok(());
        };
        let authorizers = &exchange.target.compiled.authorizers;
        let id = route.authorizer_id.as_deref().unwrap_or_default();
        let authorizer = authorizers.get(id).cloned();
        match (route.authorization_type.as_str(), authorizer) {
            ("AWS_IAM", _) => {
                // The gateway has judged.
                exchange.authorized = Authorized::Iam;
                Ok(())
            }
            ("JWT", Some(authorizer)) => {
                let jwt = authorizer.jwt_configuration.clone().unwrap_or_default();
                self.check_token(exchange, &route, &authorizer, &jwt).await
            }
            ("CUSTOM", Some(authorizer)) => match self.ask(exchange, &authorizer).await {
                Ok(grant) => {
                    exchange.authorized = Authorized::Lambda {
                        principal_id: grant.principal_id.clone(),
                        context: grant.context.clone(),
                    };
                    Ok(())
                }
                Err(Denied::Unauthorized) => {
                    Err(refuse(exchange, StatusCode::UNAUTHORIZED, "Unauthorized"))
                }
                Err(Denied::Forbidden) => Err(refuse(exchange, StatusCode::FORBIDDEN, "Forbidden")),
                Err(Denied::Failed(why)) => {
                    let api = exchange.target.api.id();
                    tracing::warn!(
                        api,
                        authorizer = authorizer.name,
                        why,
                        "an authorizer failed"
                    );
                    exchange.facts.authorizer_error = Some(why);
                    let status = StatusCode::INTERNAL_SERVER_ERROR;
                    Err(refuse(exchange, status, "Internal Server Error"))
                }
            },
            ("JWT" | "CUSTOM", None) => {
                let status = StatusCode::INTERNAL_SERVER_ERROR;
                Err(refuse(exchange, status, "Internal Server Error"))
            }
            _ => Ok(()),
        }
    }

    async fn check_token(
        &self,
        exchange: &mut Exchange,
        route: &Route,
        authorizer: &Authorizer,
        jwt: &JwtConfiguration,
    ) -> Result<(), Response<Body>> {
        let source = authorizer.identity_source.first();
        let text = source.and_then(|source| {
            let context = |name: &str| exchange.context(name);
            evaluate(source, &exchange.sources(b"", &context))
        });
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            return Err(challenge(exchange, StatusCode::UNAUTHORIZED, "Bearer"));
        };
        // The issuer is the API's choice alone, and its own keys are all that it is asked for.
        let reach = exchange.target.api.record.reach;
        let (claims, granted) = match self.verify(&text, jwt, reach).await {
            Ok(checked) => checked,
            Err(why) => {
                let words = format!(
                    "Bearer scope=\"\" error=\"invalid_token\" error_description=\"{}\"",
                    why.replace(['"', '\r', '\n'], "'")
                );
                exchange.facts.authorizer_error = Some(why);
                return Err(challenge(exchange, StatusCode::UNAUTHORIZED, &words));
            }
        };
        let needed = route.authorization_scopes.as_deref().unwrap_or_default();
        if !needed.is_empty() && !needed.iter().any(|scope| granted.contains(scope)) {
            let words = format!(
                "Bearer scope=\"{}\" error=\"insufficient_scope\"",
                needed.join(" ")
            );
            return Err(challenge(exchange, StatusCode::FORBIDDEN, &words));
        }
        exchange.authorized = Authorized::Jwt {
            claims,
            scopes: (!needed.is_empty()).then(|| granted.clone()),
        };
        Ok(())
    }

    /// The claims of a token and the scopes it grants; an error says why it does not count.
    async fn verify(
        &self,
        text: &str,
        jwt: &JwtConfiguration,
        reach: Reach,
    ) -> Result<(Map<String, Value>, Vec<String>), String> {
        let issuer = jwt.issuer.as_deref().unwrap_or_default();
        let audiences = jwt.audience.as_deref().unwrap_or_default();
        let token = Token::parse(text).map_err(|why| why.to_string())?;
        let now = self.clock.now();
        let keys = self.issuers.keys(issuer, &token.key_id, reach, now);
        let keys = keys.await?;
        let check = token.check(&keys, issuer, audiences, now);
        check.map_err(|why| why.to_string())?;
        Ok((token.shown_claims(), token.scopes()))
    }

    /// Asks a Lambda authorizer, or what it said before.
    pub async fn ask(
        &self,
        exchange: &Exchange,
        authorizer: &Authorizer,
    ) -> Result<Arc<Grant>, Denied> {
        let mut identity = Vec::new();
        for source in &authorizer.identity_source {
            let context = |name: &str| exchange.context(name);
            let sources = exchange.sources(b"", &context);
            // WebSocket APIs write `route.request.header.x` for `$request.header.x`.
            let source = match source.strip_prefix("route.") {
                Some(rest) => format!("${rest}"),
                None if !source.starts_with('$') => format!("${source}"),
                None => source.clone(),
            };
            let value = evaluate(&source, &sources).filter(|value| !value.is_empty());
            identity.push(value.ok_or(Denied::Unauthorized)?);
        }
        let target = &exchange.target;
        let now = self.clock.now();
        let request = request_arn(exchange);
        let mut identity_key = identity.clone();
        if authorizer.enable_simple_responses == Some(true) {
            // A simple answer is about one route.
            identity_key.push(exchange.route_key().to_owned());
        }
        let key = CacheKey {
            api: target.api.id().to_owned(),
            stage: target.stage.stage_name.clone(),
            authorizer: authorizer.authorizer_id.clone(),
            identity: identity_key,
        };
        let ttl = authorizer
            .authorizer_result_ttl_in_seconds
            .unwrap_or_default();
        let ttl = Duration::from_secs(u64::try_from(ttl).unwrap_or_default());
        let kept = (!ttl.is_zero() && !identity.is_empty()).then(|| self.grants.get(&key, now));
        let grant = if let Some(grant) = kept.flatten() {
            grant
        } else {
            let asked = self.call_authorizer(exchange, authorizer, &identity);
            let grant = Arc::new(asked.await?);
            if !identity.is_empty() {
                self.grants.put(key, Arc::clone(&grant), ttl, now);
            }
            grant
        };
        let keys = Context::new().with("aws:SourceIp", &exchange.source_ip);
        if grant.allows(&request, target.api.account, &keys) {
            Ok(grant)
        } else {
            Err(Denied::Forbidden)
        }
    }

    async fn call_authorizer(
        &self,
        exchange: &Exchange,
        authorizer: &Authorizer,
        identity: &[String],
    ) -> Result<Grant, Denied> {
        let api = &exchange.target.api;
        let uri = authorizer.authorizer_uri.as_deref().unwrap_or_default();
        let uri = with_stage_variables(uri, &exchange.stage_variables);
        let function =
            function_arn(&uri).ok_or_else(|| Denied::Failed(format!("{uri} names no function")))?;
        let rest = &authorizer.authorizer_id;
        let call = Call {
            function,
            payload: &authorizer_event(exchange, authorizer, identity),
            source: execute_arn(&api.region, api.account, api.id(), "authorizers", rest),
            account: api.account,
            region: api.region.clone(),
            request_id: RequestId::random(),
            at: self.clock.now(),
            trace: exchange.trace.clone(),
        };
        let invoked = tokio::time::timeout(PATIENCE, invoke::invoke(&*self.invoker, call)).await;
        let invocation = match invoked {
            Err(_) => return Err(Denied::Failed("it took longer than 10 seconds".to_owned())),
            Ok(Err(error)) => return Err(Denied::Failed(error.to_string())),
            Ok(Ok(invocation)) => invocation,
        };
        if invocation.function_error.is_some() {
            let text = String::from_utf8_lossy(&invocation.payload);
            // How an authorizer says 401.
            let is_unauthorized = serde_json::from_str::<Value>(&text)
                .is_ok_and(|error| error["errorMessage"] == "Unauthorized");
            return Err(if is_unauthorized {
                Denied::Unauthorized
            } else {
                Denied::Failed(format!("its function failed: {text}"))
            });
        }
        let grant = if authorizer.enable_simple_responses == Some(true) {
            Grant::simple(&invocation.payload)
        } else {
            Grant::of_policy(&invocation.payload)
        };
        grant.map_err(|why| Denied::Failed(why.to_string()))
    }
}

/// What is asked for: `arn:aws:execute-api:…/stage/GET/path`.
fn request_arn(exchange: &Exchange) -> base::Arn {
    let target = &exchange.target;
    let api = &target.api;
    let stage = &target.stage.stage_name;
    let rest = if exchange.is_websocket() {
        exchange.route_key().to_owned()
    } else {
        let path = decoded_path(&target.path);
        format!("{}/{}", exchange.parts.method, path.trim_start_matches('/'))
    };
    execute_arn(&api.region, api.account, api.id(), stage, &rest)
}

/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html#http-api-lambda-authorizer.payload-format>
fn authorizer_event(exchange: &Exchange, authorizer: &Authorizer, identity: &[String]) -> Value {
    let arn = request_arn(exchange).to_string();
    if exchange.is_websocket() {
        let mut event = exchange.connect_event();
        event["type"] = json!("REQUEST");
        event["methodArn"] = json!(arn);
        return event;
    }
    let id = exchange.request_id.to_string();
    let path = decoded_path(&exchange.target.full_path);
    let incoming = exchange.incoming(&path, &id, b"");
    let account = exchange.target.api.account.to_string();
    let place = Place {
        account_id: &account,
        api_id: exchange.target.api.id(),
        stage: &exchange.target.stage.stage_name,
        path_parameters: exchange.shown_path_parameters(),
        stage_variables: exchange.shown_stage_variables(),
        authorizer: None,
    };
    let route_key = exchange.route_key();
    if authorizer.authorizer_payload_format_version.as_deref() == Some("1.0") {
        let resource = Resource {
            version: Some("1.0"),
            path: route_path(route_key),
            full_path: &path,
            extended_request_id: &id,
            ..Resource::default()
        };
        let mut event = event::v1(&incoming, &place, &resource);
        for absent in ["body", "isBase64Encoded"] {
            event.as_object_mut().map(|members| members.remove(absent));
        }
        event["type"] = json!("REQUEST");
        event["methodArn"] = json!(arn);
        event["identitySource"] = json!(identity.join(","));
        event["authorizationToken"] = json!(identity.join(","));
        return event;
    }
    let mut event = event::v2(&incoming, &place, route_key);
    event
        .as_object_mut()
        .map(|members| members.remove("isBase64Encoded"));
    event["type"] = json!("REQUEST");
    event["routeArn"] = json!(arn);
    event["identitySource"] = json!(identity);
    event
}

/// `/pets/{id}` of `GET /pets/{id}`.
pub fn route_path(key: &str) -> &str {
    key.split_once(' ').map_or(key, |(_, path)| path)
}

fn challenge(exchange: &mut Exchange, status: StatusCode, words: &str) -> Response<Body> {
    let text = if status == StatusCode::FORBIDDEN {
        "Forbidden"
    } else {
        "Unauthorized"
    };
    let mut response = refuse(exchange, status, text);
    if let Ok(words) = HeaderValue::from_str(words) {
        response.headers_mut().insert(WWW_AUTHENTICATE, words);
    }
    response
}
