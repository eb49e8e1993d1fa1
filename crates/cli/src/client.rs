//! Signed requests to a running server.

use anyhow::{Context, bail};
use auth::sigv4::{self, PayloadHash, Signer};
use base::Clock;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;

use crate::args::Target;

/// An answer read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; an error answer becomes an error that quotes AWS's code and message.
    pub fn json(self) -> anyhow::Result<Value> {
        let answer = self.successful()?;
        serde_json::from_slice(&answer.body).context("the server's answer is not JSON")
    }

    pub fn successful(self) -> anyhow::Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let text = |names: [&str; 2]| {
            names
                .iter()
                .find_map(|name| body[*name].as_str())
                .unwrap_or_default()
                .to_owned()
        };
        let code = self
            .headers
            .get("x-amzn-errortype")
            .and_then(|code| code.to_str().ok())
            .map_or_else(|| text(["__type", "code"]), str::to_owned);
        bail!(
            "the server answered {}: {code} {}",
            self.status,
            text(["message", "Message"])
        )
    }
}

impl Target {
    /// A request of a modelled JSON service: `X-Amz-Target` and a JSON body.
    pub async fn json_call(
        &self,
        service: &str,
        target: &str,
        input: &Value,
    ) -> anyhow::Result<Value> {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/")
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1");
        self.send(service, request, Bytes::from(input.to_string()))
            .await?
            .json()
    }

    /// A path of the server's own, which answers commands on the same machine only.
    pub async fn own(&self, method: Method, path: &str) -> anyhow::Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("x-kagero-command", "1");
        self.send("kagero", request, Bytes::new()).await?.json()
    }

    /// Signs and sends one request.
    pub async fn send(
        &self,
        service: &str,
        request: http::request::Builder,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let authority = self.authority()?;
        let request = request
            .header("host", authority.as_str())
            .body(Full::new(body.clone()))
            .context("build the request")?;
        let request = self.signed(service, request, &body)?;
        let stream = TcpStream::connect(authority.as_str())
            .await
            .with_context(|| {
                format!(
                    "no server answers at {}. Start one with `kagero serve`, or name another with \
                 --endpoint",
                    self.endpoint
                )
            })?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Its errors also reach the request's future.
        tokio::spawn(connection);
        let response = sender
            .send_request(request)
            .await
            .context("talk to the server")?;
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .context("read the server's answer")?
            .to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    fn signed(
        &self,
        service: &str,
        request: Request<Full<Bytes>>,
        body: &[u8],
    ) -> anyhow::Result<Request<Full<Bytes>>> {
        let (mut parts, content) = request.into_parts();
        let signer = Signer {
            access_key_id: &self.access_key_id,
            secret: &self.secret_access_key,
            session_token: self.session_token.as_deref(),
            region: &self.region,
            service,
            at: Clock::system().now(),
        };
        let hash = Sha256::digest(body).into();
        sigv4::sign(&mut parts, &signer, PayloadHash::Sha256(hash), hash)?;
        Ok(Request::from_parts(parts, content))
    }

    fn authority(&self) -> anyhow::Result<String> {
        let uri: Uri = self
            .endpoint
            .parse()
            .with_context(|| format!("{:?} is not a URL", self.endpoint))?;
        if uri.scheme_str() != Some("http") {
            bail!("{:?}: only http:// endpoints can be reached", self.endpoint);
        }
        let authority = uri.authority().context("the endpoint names no host")?;
        Ok(match authority.port_u16() {
            Some(_) => authority.to_string(),
            None => format!("{authority}:80"),
        })
    }
}
