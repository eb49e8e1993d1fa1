//! A registry elsewhere, by the OCI distribution API.
//!
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>

mod blob;
mod challenge;
mod client;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::header::WWW_AUTHENTICATE;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, RANGE, RETRY_AFTER,
};
use http::{Response, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::source::{Content, Manifest};
use crate::{Digest, PullError, Reference, Source};
use challenge::Challenge;
use client::Client;
pub use client::is_loopback;

const MAX_DOCUMENT: usize = 4 << 20;
const MAX_REDIRECTS: usize = 5;
/// The longest that a registry may have us wait before it is asked again.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// How patient a pull is.
#[derive(Clone, Copy, Debug)]
pub struct RemoteConfig {
    /// A registry that sends nothing for this long has stalled.
    pub stall: Duration,
    /// How often it is asked, in all, where it fails or refuses for now.
    pub attempts: u32,
    /// Between the first two; then twice as long each time.
    pub back_off: Duration,
}

impl Default for RemoteConfig {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            attempts: 3,
            back_off: Duration::from_millis(500),
        }
    }
}

/// Of basic authentication: a user's, or `AWS` and a token of ECR.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

/// Not derived: the password must not reach a log.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Those that a file as Docker and skopeo keep it has for a registry.
    pub fn from_file(file: &[u8], registry: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct File {
            auths: std::collections::BTreeMap<String, Auth>,
        }
        #[derive(Deserialize)]
        struct Auth {
            auth: Option<String>,
        }
        let file: File = serde_json::from_slice(file).ok()?;
        let host = |name: &str| {
            let name = name.split_once("://").map_or(name, |(_, name)| name);
            name.split('/')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase()
        };
        let mut entries = file.auths.into_iter();
        let (_, auth) = entries.find(|(name, _)| host(name) == registry)?;
        let text = String::from_utf8(STANDARD.decode(auth.auth?).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Self {
            user: user.to_owned(),
            password: password.to_owned(),
        })
    }

    fn header(&self) -> Option<HeaderValue> {
        let encoded = STANDARD.encode(format!("{}:{}", self.user, self.password));
        let mut header = HeaderValue::try_from(format!("Basic {encoded}")).ok()?;
        header.set_sensitive(true);
        Some(header)
    }
}

/// One repository of a registry. Plain HTTP on loopback, TLS everywhere else.
pub struct Remote(Arc<Registry>);

struct Registry {
    client: Client,
    host: String,
    repository: String,
    credentials: Option<Credentials>,
    /// What the registry has accepted, or asked for.
    authorization: Mutex<Option<HeaderValue>>,
    config: RemoteConfig,
}

impl Remote {
    pub fn new(
        reference: &Reference,
        credentials: Option<Credentials>,
        config: RemoteConfig,
    ) -> Self {
        Self(Arc::new(Registry {
            client: Client::default(),
            host: reference.registry.clone(),
            repository: reference.repository.clone(),
            credentials,
            authorization: Mutex::new(None),
            config,
        }))
    }
}

impl Registry {
    /// What is there, from a byte on; a registry may send it from the first one all the same.
    async fn get(
        &self,
        path: &str,
        accept: Option<&str>,
        from: u64,
    ) -> Result<Response<Incoming>, PullError> {
        let scheme = if client::is_loopback(&self.host) {
            "http"
        } else {
            "https"
        };
        let url = format!("{scheme}://{}/v2/{}/{path}", self.host, self.repository);
        let mut wait = self.config.back_off;
        let mut attempt = 1;
        loop {
            let failed = match self.try_get(&url, accept, from).await {
                Err(Failed::ForNow { why, after }) => (why, after),
                Err(Failed::ForGood(error)) => return Err(error),
                Ok(response) => return Ok(response),
            };
            if attempt >= self.config.attempts {
                return Err(PullError::Unavailable(failed.0));
            }
            attempt += 1;
            tokio::time::sleep(failed.1.unwrap_or(wait).min(MAX_WAIT)).await;
            wait *= 2;
        }
    }

    /// Asks once: proves who asks if the registry wants that, and follows where it leads.
    async fn try_get(
        &self,
        url: &str,
        accept: Option<&str>,
        from: u64,
    ) -> Result<Response<Incoming>, Failed> {
        let mut url: Uri = url
            .parse()
            .map_err(|_| invalid("its name makes no address"))?;
        let own = url.authority().cloned();
        let (mut redirects, mut has_proved) = (0, false);
        loop {
            let is_own = url.authority() == own.as_ref();
            let authorization = if is_own {
                self.authorization.lock().await.clone()
            } else {
                None
            };
            let mut headers = Vec::new();
            headers.extend(authorization.map(|value| (AUTHORIZATION, value)));
            let accept = accept.and_then(|accept| HeaderValue::try_from(accept).ok());
            headers.extend(accept.map(|value| (ACCEPT, value)));
            if from > 0 {
                let range = HeaderValue::try_from(format!("bytes={from}-"));
                headers.extend(range.ok().map(|value| (RANGE, value)));
            }
            let response = self.client.get(&url, headers, self.config.stall).await?;
            let status = response.status();
            match status {
                StatusCode::OK => return Ok(response),
                StatusCode::PARTIAL_CONTENT if from > 0 => return Ok(response),
                StatusCode::UNAUTHORIZED if is_own && !has_proved => {
                    has_proved = true;
                    self.prove(&response).await?;
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    return Err(Failed::ForGood(PullError::Denied));
                }
                StatusCode::NOT_FOUND => return Err(Failed::ForGood(PullError::NotFound)),
                StatusCode::TOO_MANY_REQUESTS => return Err(for_now(&response)),
                _ if status.is_server_error() => return Err(for_now(&response)),
                _ if status.is_redirection() && redirects < MAX_REDIRECTS => {
                    redirects += 1;
                    url = client::redirected(&url, response.headers().get(LOCATION))?;
                }
                _ => return Err(invalid(&format!("the registry answers {status}"))),
            }
        }
    }

    /// Does what a registry asks for, whoever is known to it.
    async fn prove(&self, response: &Response<Incoming>) -> Result<(), Failed> {
        let denied = || Failed::ForGood(PullError::Denied);
        let header = response.headers().get(WWW_AUTHENTICATE);
        let header = header.and_then(|header| header.to_str().ok());
        let challenge = header.and_then(Challenge::parse).ok_or_else(denied)?;
        let basic = self.credentials.as_ref().and_then(Credentials::header);
        let proof = match challenge {
            Challenge::Basic => basic.ok_or_else(denied)?,
            Challenge::Bearer(bearer) => {
                let url = bearer.url(&self.repository).ok_or_else(denied)?;
                if !client::is_safe(&url) {
                    return Err(invalid(
                        "the registry sends credentials where anybody can read",
                    ));
                }
                let headers = basic.map(|basic| (AUTHORIZATION, basic));
                let answer = self
                    .client
                    .get(&url, headers.into_iter().collect(), self.config.stall)
                    .await?;
                match answer.status() {
                    StatusCode::OK => self.token(answer).await?,
                    status if status.is_server_error() => return Err(for_now(&answer)),
                    StatusCode::TOO_MANY_REQUESTS => return Err(for_now(&answer)),
                    _ => return Err(denied()),
                }
            }
        };
        *self.authorization.lock().await = Some(proof);
        Ok(())
    }

    async fn token(&self, answer: Response<Incoming>) -> Result<HeaderValue, Failed> {
        #[derive(Deserialize)]
        struct Token {
            token: Option<String>,
            access_token: Option<String>,
        }
        let document = self.collect(answer).await.map_err(Failed::ForGood)?;
        let token: Option<Token> = serde_json::from_slice(&document).ok();
        let token = token.and_then(|token| token.token.or(token.access_token));
        let header = token.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
        let mut header = header.ok_or_else(|| invalid("the registry gives no token"))?;
        header.set_sensitive(true);
        Ok(header)
    }

    async fn collect(&self, response: Response<Incoming>) -> Result<Bytes, PullError> {
        let (mut body, mut whole) = (response.into_body(), BytesMut::new());
        while let Some(chunk) = next(&mut body, self.config.stall).await? {
            whole.extend_from_slice(&chunk);
            if whole.len() > MAX_DOCUMENT {
                return Err(PullError::Invalid("a document is too long".to_owned()));
            }
        }
        Ok(whole.freeze())
    }
}

#[async_trait]
impl Source for Remote {
    async fn manifest(&self, reference: &str) -> Result<Manifest, PullError> {
        const ACCEPTED: &str = "application/vnd.oci.image.manifest.v1+json, \
                                application/vnd.docker.distribution.manifest.v2+json, \
                                application/vnd.oci.image.index.v1+json, \
                                application/vnd.docker.distribution.manifest.list.v2+json";
        let path = format!("manifests/{reference}");
        let response = self.0.get(&path, Some(ACCEPTED), 0).await?;
        let kind = response.headers().get(CONTENT_TYPE);
        let kind = kind.and_then(|kind| kind.to_str().ok()?.split(';').next());
        let media_type = kind.map(|kind| kind.trim().to_owned());
        let is_told = |kind: &String| kind.starts_with("application/vnd.");
        Ok(Manifest {
            media_type: media_type.filter(is_told),
            content: self.0.collect(response).await?,
        })
    }

    async fn blob(&self, digest: Digest) -> Result<Content, PullError> {
        blob::open(&self.0, format!("blobs/{digest}")).await
    }
}

/// Why one attempt failed.
enum Failed {
    /// Another may do better.
    ForNow {
        why: String,
        after: Option<Duration>,
    },
    ForGood(PullError),
}

fn invalid(why: &str) -> Failed {
    Failed::ForGood(PullError::Invalid(why.to_owned()))
}

fn for_now(response: &Response<Incoming>) -> Failed {
    let after = response.headers().get(RETRY_AFTER);
    let seconds = after.and_then(|after| after.to_str().ok()?.trim().parse().ok());
    Failed::ForNow {
        why: format!("the registry answers {}", response.status()),
        after: seconds.map(Duration::from_secs),
    }
}

/// The next piece of a body that has not stalled.
async fn next(body: &mut Incoming, stall: Duration) -> Result<Option<Bytes>, PullError> {
    loop {
        let frame = tokio::time::timeout(stall, body.frame()).await;
        let frame = frame.map_err(|_| stalled(stall))?;
        match frame.transpose() {
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => {
                if let Ok(chunk) = frame.into_data() {
                    return Ok(Some(chunk));
                }
            }
            Err(error) => {
                let why = format!("the registry breaks off: {error}");
                return Err(PullError::Unavailable(why));
            }
        }
    }
}

fn stalled(stall: Duration) -> PullError {
    PullError::Unavailable(format!(
        "the registry sends nothing for {} s",
        stall.as_secs_f32()
    ))
}
