//! Execution roles: whether Lambda may assume one, and the sessions environments get.
//!
//! A session is made when it is first needed, kept while it is good for long enough, and replaced
//! beside the path of the invocation that finds it half used up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use base::{Arn, Clock, Timestamp};
use exec::{CredentialsError, FunctionCredentials, RoleCredentials};
use parking_lot::Mutex;
use service::ServiceError;
use service::ports::ApiCaller;
use wire::Value;

use crate::acting;
use crate::domain::function_name::Place;

/// Of a session, in seconds. Every role allows as much.
const SESSION_SECONDS: u32 = 3_600;
/// A session with less left than this is not handed out: an environment outlives its first
/// invocation.
const LEAST_LEFT: Duration = Duration::from_mins(20);
/// A session with less left than this is replaced in the background.
const REFRESH_LEFT: Duration = Duration::from_mins(40);
/// Longest role session name that STS takes.
const MAX_SESSION_NAME: usize = 64;

pub struct Roles {
    pub api: Arc<dyn ApiCaller>,
    pub clock: Clock,
    /// Accept roles that IAM does not know.
    pub is_permissive: bool,
    said_permissive: AtomicBool,
}

/// Why a role cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It does not exist, or does not trust Lambda.
    NotAssumable,
    /// IAM could not be asked.
    Failed,
}

/// The session of one function's role.
pub struct RoleSession {
    roles: Arc<Roles>,
    function: Arn,
    place: Place,
    session_name: String,
    role: Arn,
    current: Mutex<Option<FunctionCredentials>>,
    is_refreshing: AtomicBool,
}

impl Roles {
    pub fn new(api: Arc<dyn ApiCaller>, clock: Clock, is_permissive: bool) -> Arc<Self> {
        Arc::new(Self {
            api,
            clock,
            is_permissive,
            said_permissive: AtomicBool::new(false),
        })
    }

    /// Whether Lambda may assume the role for a function.
    pub async fn check(&self, role: &Arn, function: &Arn, place: &Place) -> Result<(), Refused> {
        let name = session_name(function);
        self.assume(role, function, place, &name).await.map(|_| ())
    }

    async fn assume(
        &self,
        role: &Arn,
        function: &Arn,
        place: &Place,
        session_name: &str,
    ) -> Result<FunctionCredentials, Refused> {
        let context = acting::for_function(function, place, self.clock.now());
        let seconds = Value::Int(SESSION_SECONDS.into());
        let input = acting::input([
            ("RoleArn", Some(Value::Str(role.to_string()))),
            ("RoleSessionName", Some(Value::Str(session_name.to_owned()))),
            ("DurationSeconds", Some(seconds)),
        ]);
        match self.api.call("sts", "AssumeRole", context, input).await {
            Ok(answer) => answer
                .get("Credentials")
                .and_then(credentials)
                .ok_or_else(|| {
                    tracing::error!(%role, "lambda: AssumeRole gave no credentials");
                    Refused::Failed
                }),
            Err(error) if self.is_permissive && is_unknown(&error) => {
                self.say_permissive(role);
                Ok(account_credentials(place))
            }
            Err(error) if error.is_server_fault() => {
                tracing::error!(%error, %role, "lambda: assume an execution role");
                Err(Refused::Failed)
            }
            Err(error) => {
                tracing::debug!(%error, %role, "lambda: a role cannot be assumed");
                Err(Refused::NotAssumable)
            }
        }
    }

    fn say_permissive(&self, role: &Arn) {
        if !self.said_permissive.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %role,
                "a function's role does not exist; in permissive mode such functions act as their \
                 account (said once)"
            );
        }
    }
}

/// IAM knows no such role, which it says to services only.
fn is_unknown(error: &ServiceError) -> bool {
    error.code.starts_with("NoSuchEntity") || error.query_code == Some("NoSuchEntity")
}

/// Credentials for a role nobody has made: an access key that permissive mode takes for the
/// function's account, so that what the function makes is where its owner looks for it.
fn account_credentials(place: &Place) -> FunctionCredentials {
    FunctionCredentials {
        access_key_id: place.account.to_string(),
        secret_access_key: "permissive".to_owned(),
        session_token: Some("permissive".to_owned()),
        expires_at: None,
    }
}

fn credentials(value: &Value) -> Option<FunctionCredentials> {
    let text = |name| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let expires_at = match value.get("Expiration") {
        Some(Value::Time(at)) => Some(*at),
        _ => None,
    };
    Some(FunctionCredentials {
        access_key_id: text("AccessKeyId")?,
        secret_access_key: text("SecretAccessKey")?,
        session_token: text("SessionToken"),
        expires_at,
    })
}

/// Lambda names sessions after the function.
fn session_name(function: &Arn) -> String {
    let name = function.resource.split(':').nth(1).unwrap_or("function");
    // STS wants at least two characters.
    let mut name = if name.len() < 2 {
        format!("{name}-function")
    } else {
        name.to_owned()
    };
    name.truncate(MAX_SESSION_NAME);
    name
}

impl RoleSession {
    pub fn new(roles: Arc<Roles>, role: Arn, function: Arn, place: Place) -> Arc<Self> {
        Arc::new(Self {
            roles,
            session_name: session_name(&function),
            function,
            place,
            role,
            current: Mutex::new(None),
            is_refreshing: AtomicBool::new(false),
        })
    }

    async fn refresh(&self) -> Result<FunctionCredentials, Refused> {
        let fresh = self
            .roles
            .assume(&self.role, &self.function, &self.place, &self.session_name)
            .await?;
        *self.current.lock() = Some(fresh.clone());
        Ok(fresh)
    }
}

/// A session and what to do with it.
enum Kept {
    Good(FunctionCredentials),
    Aging(FunctionCredentials),
    Spent,
}

fn judge(current: Option<&FunctionCredentials>, now: Timestamp) -> Kept {
    let Some(session) = current else {
        return Kept::Spent;
    };
    let left = session.expires_at.map(|at| at.since(now));
    match left {
        Some(left) if left < LEAST_LEFT => Kept::Spent,
        Some(left) if left < REFRESH_LEFT => Kept::Aging(session.clone()),
        _ => Kept::Good(session.clone()),
    }
}

/// Cloneable into the background.
pub struct SessionHandle(pub Arc<RoleSession>);

#[async_trait]
impl RoleCredentials for SessionHandle {
    async fn get(&self) -> Result<FunctionCredentials, CredentialsError> {
        let session = &self.0;
        let kept = judge(session.current.lock().as_ref(), session.roles.clock.now());
        match kept {
            Kept::Good(credentials) => Ok(credentials),
            Kept::Aging(credentials) => {
                if !session.is_refreshing.swap(true, Ordering::AcqRel) {
                    let session = Arc::clone(session);
                    tokio::spawn(async move {
                        // A failure is met again, and told, by whoever finds no session left.
                        let _ = session.refresh().await;
                        session.is_refreshing.store(false, Ordering::Release);
                    });
                }
                Ok(credentials)
            }
            Kept::Spent => session.refresh().await.map_err(|refused| CredentialsError {
                message: match refused {
                    Refused::NotAssumable => {
                        "The role defined for the function cannot be assumed by Lambda.".to_owned()
                    }
                    Refused::Failed => "The execution role could not be looked up.".to_owned(),
                },
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_replaced_before_it_is_too_short() {
        let session = |seconds: i64| FunctionCredentials {
            access_key_id: "ASIA".to_owned(),
            secret_access_key: String::new(),
            session_token: None,
            expires_at: Some(Timestamp::from_millis(seconds * 1_000)),
        };
        let now = Timestamp::from_millis(0);
        assert!(matches!(judge(None, now), Kept::Spent));
        assert!(matches!(judge(Some(&session(3_600)), now), Kept::Good(_)));
        assert!(matches!(judge(Some(&session(2_399)), now), Kept::Aging(_)));
        assert!(matches!(judge(Some(&session(1_199)), now), Kept::Spent));
    }

    #[test]
    fn session_names_are_what_sts_takes() {
        let of = |name: &str| {
            session_name(
                &format!("arn:aws:lambda:us-east-1:000000000000:function:{name}")
                    .parse()
                    .unwrap(),
            )
        };
        assert_eq!(of("hello"), "hello");
        assert_eq!(of("f"), "f-function");
        assert_eq!(of(&"x".repeat(64)).len(), 64);
    }
}
