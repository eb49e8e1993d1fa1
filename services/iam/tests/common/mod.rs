//! A server's IAM and STS without the server: calls by name, answers as JSON.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]
#![allow(clippy::needless_pass_by_value, reason = "json! makes values")]

use std::sync::Arc;

use base::{AccountId, Clock, ManualClock, Region, Timestamp};
use iam::Identity;
use serde_json::{Value as Json, json};
use service::ports::{Credentials, IssuedCredential};
use service::{Origin, Principal, RequestContext, Service, ServiceError};
use store::{MemoryStore, Store};
use wire::Value;

pub const ACCOUNT: &str = "111111111111";

pub struct Server {
    pub clock: ManualClock,
    pub identity: Arc<Identity>,
    iam: Arc<dyn Service>,
    sts: Arc<dyn Service>,
}

impl Server {
    pub async fn new() -> Self {
        Self::over(Arc::new(MemoryStore::new())).await
    }

    pub async fn over(store: Arc<dyn Store>) -> Self {
        let now = Timestamp::parse_iso8601("2026-11-23T20:00:00Z").unwrap();
        let clock = ManualClock::starting_at(now);
        let identity = Identity::open(store, clock.clock()).await.unwrap();
        Self {
            clock,
            iam: iam::service(&identity),
            sts: iam::sts_service(&identity),
            identity,
        }
    }

    pub fn now(&self) -> Timestamp {
        let clock: Clock = self.clock.clock();
        clock.now()
    }

    /// As the account's root, over HTTP.
    pub async fn call(&self, operation: &str, input: Json) -> Result<Json, ServiceError> {
        let account = account();
        self.call_as(Principal::Root { account }, operation, input)
            .await
    }

    pub async fn ok(&self, operation: &str, input: Json) -> Json {
        let answer = self.call(operation, input).await;
        answer.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// The code (of the query protocol), status and message of what must fail.
    pub async fn refused(&self, operation: &str, input: Json) -> (String, u16, String) {
        match self.call(operation, input).await {
            Ok(answer) => panic!("{operation} must fail, answered {answer}"),
            Err(error) => words(&error),
        }
    }

    pub async fn call_as(
        &self,
        principal: Principal,
        operation: &str,
        input: Json,
    ) -> Result<Json, ServiceError> {
        let origin = Origin::Http {
            peer: None,
            authority: None,
            user_agent: None,
            is_tls: false,
        };
        self.call_in(principal, origin, operation, input).await
    }

    pub async fn call_in(
        &self,
        principal: Principal,
        origin: Origin,
        operation: &str,
        input: Json,
    ) -> Result<Json, ServiceError> {
        let mut context =
            RequestContext::internal(principal, account(), Region::us_east_1(), self.now());
        context.origin = origin;
        let is_sts = self.sts.schema().operation(operation).is_some();
        let service = if is_sts { &self.sts } else { &self.iam };
        service
            .call(operation, context, tree(input))
            .await
            .map(json_of)
    }

    pub async fn find(&self, key: &str, token: Option<&str>) -> Option<IssuedCredential> {
        iam::credentials(&self.identity).find(key, token).await
    }

    pub async fn create_role(&self, name: &str, trust: Json) -> Json {
        let trust = trust.to_string();
        let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust});
        self.ok("CreateRole", input).await["Role"].clone()
    }

    /// A user with a key: the caller it makes, and the key.
    pub async fn create_user(&self, name: &str) -> (Principal, Json) {
        self.ok("CreateUser", json!({"UserName": name})).await;
        let key = self.ok("CreateAccessKey", json!({"UserName": name})).await["AccessKey"].clone();
        let found = self
            .find(key["AccessKeyId"].as_str().unwrap(), None)
            .await
            .unwrap();
        (found.principal, key)
    }
}

pub fn account() -> AccountId {
    ACCOUNT.parse().unwrap()
}

pub fn words(error: &ServiceError) -> (String, u16, String) {
    let code = error.query_code.unwrap_or(&error.code).to_owned();
    (code, error.status.as_u16(), error.message.clone())
}

/// A trust policy with this principal.
pub fn trust(principal: Json) -> Json {
    let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

pub fn lambda() -> Json {
    trust(json!({"Service": "lambda.amazonaws.com"}))
}

pub fn allow(action: &str) -> String {
    let statement = json!({"Effect": "Allow", "Action": action, "Resource": "*"});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn tree(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(truth),
        Json::Number(number) => Value::Int(number.as_i64().unwrap()),
        Json::String(text) => Value::Str(text),
        Json::Array(items) => Value::List(items.into_iter().map(tree).collect()),
        Json::Object(members) => Value::Map(
            members
                .into_iter()
                .map(|(key, value)| (key, tree(value)))
                .collect(),
        ),
    }
}

fn json_of(tree: Value) -> Json {
    match tree {
        Value::Bool(truth) => truth.into(),
        Value::Int(number) => number.into(),
        Value::Str(text) => text.into(),
        Value::Time(at) => at.iso8601_seconds().into(),
        Value::List(items) => items.into_iter().map(json_of).collect(),
        Value::Map(members) => members
            .into_iter()
            .map(|(key, value)| (key, json_of(value)))
            .collect(),
        Value::Null | Value::Float(_) | Value::Blob(_) => Json::Null,
    }
}
