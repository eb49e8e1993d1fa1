//! Lambda authorizers: what a function says of a caller, and for how long that holds.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html>
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html>

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use auth::policy::{self, Caller, Context, Document, Policies, PolicyKind};
use base::{AccountId, Arn, Timestamp};
use parking_lot::Mutex;
use serde_json::{Map, Value};

use crate::answer::Malformed;

/// What an authorizer said.
#[derive(Clone, Debug)]
pub struct Grant {
    pub principal_id: String,
    /// Flat values, for the integration and the logs.
    pub context: Map<String, Value>,
    /// The API key that usage plans count by, where the authorizer names it.
    pub usage_identifier_key: Option<String>,
    says: Says,
}

#[derive(Clone, Debug)]
enum Says {
    Simply(bool),
    ByPolicy(Document),
}

impl Grant {
    /// Reads `{"principalId", "policyDocument", "context", "usageIdentifierKey"}`.
    ///
    /// # Errors
    /// If it is malformed: clients get 500.
    pub fn of_policy(result: &[u8]) -> Result<Self, Malformed> {
        let mut members = object(result)?;
        let Some(Value::String(principal_id)) = members.remove("principalId") else {
            return Err(Malformed::new("principalId is missing or no string"));
        };
        let policy = members.remove("policyDocument");
        let policy = policy.filter(Value::is_object);
        let policy = policy.ok_or_else(|| Malformed::new("policyDocument is no JSON object"))?;
        let document = Document::parse(&policy.to_string(), PolicyKind::Identity)
            .map_err(|error| Malformed::new(format!("policyDocument: {error}")))?;
        Ok(Self {
            principal_id,
            context: context(members.remove("context"), false)?,
            usage_identifier_key: members
                .remove("usageIdentifierKey")
                .and_then(|key| key.as_str().map(str::to_owned)),
            says: Says::ByPolicy(document),
        })
    }

    /// Reads `{"isAuthorized", "context"}`.
    ///
    /// # Errors
    /// If it is malformed: clients get 500.
    pub fn simple(result: &[u8]) -> Result<Self, Malformed> {
        let mut members = object(result)?;
        let Some(Value::Bool(is_authorized)) = members.remove("isAuthorized") else {
            return Err(Malformed::new("isAuthorized is missing or no boolean"));
        };
        Ok(Self {
            principal_id: String::new(),
            context: context(members.remove("context"), true)?,
            usage_identifier_key: None,
            says: Says::Simply(is_authorized),
        })
    }

    /// Whether it lets the caller do this: `arn:aws:execute-api:…/stage/GET/path`.
    pub fn allows(&self, request: &Arn, account: AccountId, keys: &Context) -> bool {
        let document = match &self.says {
            Says::Simply(is_authorized) => return *is_authorized,
            Says::ByPolicy(document) => document,
        };
        let caller_arn = Arn::global("iam", account, format!("user/{}", self.principal_id));
        let request = policy::Request {
            caller: Caller::User {
                arn: &caller_arn,
                user_id: &self.principal_id,
            },
            action: "execute-api:Invoke",
            resource: &request.to_string(),
            resource_account: account,
            context: keys,
        };
        let policies = Policies {
            identity: std::slice::from_ref(document),
            ..Policies::default()
        };
        policy::evaluate(&request, &policies).is_allowed()
    }
}

fn object(result: &[u8]) -> Result<Map<String, Value>, Malformed> {
    match serde_json::from_slice(result) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(Malformed::new("the authorizer's result is no JSON object")),
    }
}

/// Where a context may be nested, it goes on as it is.
fn context(given: Option<Value>, may_nest: bool) -> Result<Map<String, Value>, Malformed> {
    let context = match given {
        None | Some(Value::Null) => return Ok(Map::new()),
        Some(Value::Object(context)) => context,
        Some(_) => return Err(Malformed::new("context is no JSON object")),
    };
    let is_nested = |value: &Value| value.is_object() || value.is_array();
    if !may_nest && context.values().any(is_nested) {
        return Err(Malformed::new("context has values that are no scalars"));
    }
    Ok(context)
}

/// What authorizers said lately.
#[derive(Debug, Default)]
pub struct Cache(Mutex<HashMap<CacheKey, Kept>>);

/// The stage's authorizer, and the identity that was asked about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CacheKey {
    pub api: String,
    pub stage: String,
    pub authorizer: String,
    pub identity: Vec<String>,
}

#[derive(Debug)]
struct Kept {
    grant: Arc<Grant>,
    until: Timestamp,
}

/// Grants kept at most.
const MOST: usize = 50_000;

impl Cache {
    pub fn get(&self, key: &CacheKey, now: Timestamp) -> Option<Arc<Grant>> {
        let kept = self.0.lock();
        let kept = kept.get(key).filter(|kept| kept.until > now)?;
        Some(Arc::clone(&kept.grant))
    }

    pub fn put(&self, key: CacheKey, grant: Arc<Grant>, ttl: Duration, now: Timestamp) {
        if ttl.is_zero() {
            return;
        }
        let mut all = self.0.lock();
        if all.len() >= MOST {
            all.retain(|_, kept| kept.until > now);
        }
        if all.len() >= MOST {
            all.clear();
        }
        let until = now + ttl;
        all.insert(key, Kept { grant, until });
    }

    /// Forgets what was said for a stage, or for all of an API.
    pub fn forget(&self, api: &str, stage: Option<&str>) {
        let mut all = self.0.lock();
        all.retain(|key, _| key.api != api || stage.is_some_and(|stage| key.stage != stage));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(effect: &str, resource: &str) -> String {
        serde_json::json!({
            "principalId": "me",
            "policyDocument": {
                "Version": "2012-10-17",
                "Statement": [{
                    "Action": "execute-api:Invoke", "Effect": effect, "Resource": resource,
                }],
            },
            "context": {"n": 1, "s": "x"},
        })
        .to_string()
    }

    fn allows(grant: &Grant) -> bool {
        let account = AccountId::DEFAULT;
        let arn = "arn:aws:execute-api:us-east-1:000000000000:abc/dev/GET/pets";
        grant.allows(&arn.parse().unwrap(), account, &Context::new())
    }

    #[test]
    fn a_policy_says_what_may_be_called() {
        let of = |effect, resource| Grant::of_policy(policy(effect, resource).as_bytes()).unwrap();
        let all = "arn:aws:execute-api:*:*:abc/*/GET/*";
        assert!(allows(&of("Allow", all)));
        assert!(!allows(&of("Deny", all)));
        assert!(!allows(&of(
            "Allow",
            "arn:aws:execute-api:*:*:abc/*/POST/*"
        )));
        assert_eq!(of("Allow", all).context["n"], 1);
        for bad in [
            "{}",
            "null",
            r#"{"principalId":"x","policyDocument":"y"}"#,
            "x",
        ] {
            assert!(Grant::of_policy(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_simple_answer_is_a_boolean() {
        assert!(allows(&Grant::simple(br#"{"isAuthorized":true}"#).unwrap()));
        assert!(!allows(
            &Grant::simple(br#"{"isAuthorized":false}"#).unwrap()
        ));
        assert!(Grant::simple(br#"{"isAuthorized":"true"}"#).is_err());
    }

    #[test]
    fn grants_are_kept_for_their_time() {
        let cache = Cache::default();
        let grant = Arc::new(Grant::simple(br#"{"isAuthorized":true}"#).unwrap());
        let key = CacheKey {
            api: "a".to_owned(),
            stage: "s".to_owned(),
            authorizer: "z".to_owned(),
            identity: vec!["token".to_owned()],
        };
        let at = Timestamp::from_millis;
        cache.put(key.clone(), grant, Duration::from_secs(5), at(0));
        assert!(cache.get(&key, at(4_999)).is_some());
        assert!(cache.get(&key, at(5_000)).is_none());
        cache.forget("a", Some("other"));
        assert!(cache.get(&key, at(0)).is_some());
        cache.forget("a", None);
        assert!(cache.get(&key, at(0)).is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_result_is_read_without_a_panic(result: Vec<u8>) {
            let _ = (Grant::of_policy(&result), Grant::simple(&result));
        }
    }
}
