//! Sends requests on to other servers, over HTTP and HTTPS, and keeps the connections.
//!
//! All that services send outside passes here, and here it is kept from what others must not have the
//! server do: speak to itself as its own commands do, or go further than [`Reach`] says.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::HOST;
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::legacy::{Client as Pool, ResponseFuture};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use service::ports::WebClient;
use service::{Body, Reach};

use crate::answer::is_of_the_connection;
use crate::reach::{Egress, Resolver, Rules};
use crate::request::collect;

/// How long a connection that nobody uses is kept.
const IDLE: Duration = Duration::from_mins(1);
/// How long it may take to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// Why no response came.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{0}")]
    Unusable(String),
    #[error("no answer within {} ms", .0.as_millis())]
    Late(Duration),
    #[error("the answer is over {0} bytes")]
    TooLarge(usize),
}

/// What headers of Kagero's own begin with: its gateway trusts those that come from this machine.
const OWN_HEADER: &str = "x-kagero-";
/// Where its gateway answers the `kagero` command.
const OWN_PATH: &str = "/_kagero";

/// Its pools of connections are shared by its clones.
#[derive(Clone)]
pub struct Client {
    anywhere: Pools,
    /// Apart: a connection that is kept is not judged again.
    function: Pools,
    functions: Arc<OnceLock<Egress>>,
}

type Plain = HttpConnector<Resolver>;
type Tls = HttpsConnector<Plain>;

/// Connections to what is within one reach.
#[derive(Clone)]
struct Pools {
    rules: Rules,
    plain: Pool<Plain, Full<Bytes>>,
    /// Trusts whom this machine trusts. Made when it is first needed: reading the certificates takes
    /// longer than the rest of a server's start, and most servers never call anybody by TLS.
    tls: Arc<OnceLock<Pool<Tls, Full<Bytes>>>>,
}

impl Pools {
    fn new(reach: Reach, functions: &Arc<OnceLock<Egress>>) -> Self {
        let rules = Rules {
            reach,
            functions: Arc::clone(functions),
        };
        Self {
            plain: pool(connector(&rules)),
            tls: Arc::default(),
            rules,
        }
    }

    fn request(&self, request: Request<Full<Bytes>>) -> ResponseFuture {
        if request.uri().scheme() == Some(&Scheme::HTTPS) {
            return self.tls.get_or_init(|| tls(&self.rules)).request(request);
        }
        self.plain.request(request)
    }
}

impl Client {
    /// Where this machine trusts nobody, only plain HTTP works.
    pub fn new() -> Self {
        let functions = Arc::default();
        Self {
            anywhere: Pools::new(Reach::Anywhere, &functions),
            function: Pools::new(Reach::Function, &functions),
            functions,
        }
    }

    /// Says how far functions reach by themselves, once: what is sent for them gets as far. Before
    /// that it gets to public addresses.
    pub fn functions_reach(&self, egress: Egress) {
        // A second word could only be the same.
        let _ = self.functions.set(egress);
    }

    fn pools(&self, reach: Reach) -> &Pools {
        match reach {
            Reach::Anywhere => &self.anywhere,
            Reach::Function => &self.function,
        }
    }

    /// Sends a request with an absolute URI, and waits for the head of its answer. What describes
    /// the caller's connection is left out, of the request and of the answer, and so are headers that
    /// mean something to Kagero itself.
    ///
    /// # Errors
    /// If the server is not within reach, if there is no answer, or none in time.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        reach: Reach,
        within: Duration,
    ) -> Result<Response<Body>, ClientError> {
        let (mut parts, body) = request.into_parts();
        strip(&mut parts.headers);
        parts.headers.remove(HOST);
        remove_own(&mut parts.headers);
        parts.version = http::Version::HTTP_11;
        let Some(host) = parts.uri.host() else {
            let why = format!("{} names no host", parts.uri);
            return Err(ClientError::Unusable(why));
        };
        if is_own_path(parts.uri.path()) {
            let uri = &parts.uri;
            tracing::warn!(%uri, "a request was not sent: the path is for the kagero command alone");
            let why = format!("{uri} has a path that is for the kagero command alone");
            return Err(ClientError::Unusable(why));
        }
        let pools = self.pools(reach);
        if let Some(why) = pools.rules.refusal_of_literal(host) {
            return Err(ClientError::Unusable(why));
        }
        let request = Request::from_parts(parts, Full::new(body));
        let answer = tokio::time::timeout(within, pools.request(request)).await;
        let answer = answer.map_err(|_| ClientError::Late(within))?;
        let mut answer =
            answer.map_err(|error| ClientError::Unusable(base::with_causes(&error)))?;
        let status = answer.status().as_u16();
        // 101 would make the caller's connection another one; the rest has no meaning.
        if !(200..600).contains(&status) {
            let why = format!("the status of the answer is {status}");
            return Err(ClientError::Unusable(why));
        }
        strip(answer.headers_mut());
        Ok(answer.map(|body| body.map_err(Into::into).boxed_unsync()))
    }

    /// The same, with the whole body, of at most `limit` bytes.
    ///
    /// # Errors
    /// If the server is not within reach, if there is no answer, none in time, or a longer one.
    pub async fn fetch(
        &self,
        request: Request<Bytes>,
        reach: Reach,
        within: Duration,
        limit: usize,
    ) -> Result<Response<Bytes>, ClientError> {
        let exchange = async {
            let (parts, body) = self.send(request, reach, within).await?.into_parts();
            match collect(body, limit).await {
                Ok(body) => Ok(Response::from_parts(parts, body)),
                Err(StatusCode::PAYLOAD_TOO_LARGE) => Err(ClientError::TooLarge(limit)),
                Err(_) => Err(ClientError::Unusable("the answer broke off".to_owned())),
            }
        };
        let answer = tokio::time::timeout(within, exchange).await;
        answer.map_err(|_| ClientError::Late(within))?
    }
}

#[async_trait]
impl WebClient for Client {
    async fn exchange(
        &self,
        request: Request<Bytes>,
        reach: Reach,
        within: Duration,
        limit: usize,
    ) -> Result<Response<Bytes>, String> {
        let answer = self.fetch(request, reach, within, limit).await;
        answer.map_err(|error| error.to_string())
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// The URI of an integration with a path and a query of the client's behind its own.
pub fn with_path(base: &str, path: &str, query: &str) -> Option<Uri> {
    let uri: Uri = base.parse().ok()?;
    let own = uri.path_and_query().map_or("", PathAndQuery::as_str);
    let (own_path, own_query) = own.split_once('?').unwrap_or((own, ""));
    let path = match (own_path.trim_end_matches('/'), path.trim_start_matches('/')) {
        (own, "") if path.is_empty() => own.to_owned(),
        (own, path) => format!("{own}/{path}"),
    };
    let queries = [own_query, query].into_iter().filter(|it| !it.is_empty());
    let query = queries.collect::<Vec<_>>().join("&");
    let together = if query.is_empty() {
        path
    } else {
        format!("{path}?{query}")
    };
    let mut parts = uri.into_parts();
    parts.path_and_query = Some(if together.is_empty() {
        PathAndQuery::from_static("/")
    } else {
        together.parse().ok()?
    });
    Uri::from_parts(parts).ok()
}

fn strip(headers: &mut HeaderMap) {
    // Headers that `Connection` names belong to it as well.
    let named: Vec<String> = headers
        .get_all(http::header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for name in named {
        headers.remove(name.as_str());
    }
    let of_connection: Vec<_> = headers
        .keys()
        .filter(|name| is_of_the_connection(name))
        .cloned()
        .collect();
    for name in of_connection {
        headers.remove(name);
    }
}

/// Whatever put them there: the caller, a mapping, a connection's parameters.
fn remove_own(headers: &mut HeaderMap) {
    let own: Vec<_> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(OWN_HEADER))
        .cloned()
        .collect();
    for name in own {
        headers.remove(name);
    }
}

/// On no server: another Kagero on this machine trusts it as this one does.
fn is_own_path(path: &str) -> bool {
    let below = path.strip_prefix(OWN_PATH);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn connector(rules: &Rules) -> Plain {
    let mut http = HttpConnector::new_with_resolver(Resolver(rules.clone()));
    http.set_connect_timeout(Some(CONNECT));
    http.set_nodelay(true);
    http
}

fn tls(rules: &Rules) -> Pool<Tls, Full<Bytes>> {
    let mut http = connector(rules);
    http.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(trusting_this_machine())
        .https_only()
        .enable_http1()
        .wrap_connector(http);
    pool(connector)
}

fn pool<C: Connect + Clone>(connector: C) -> Pool<C, Full<Bytes>> {
    Pool::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(connector)
}

fn trusting_this_machine() -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "read this machine's certificates");
    }
    roots.add_parsable_certificates(found.certs);
    let provider = rustls::crypto::ring::default_provider();
    rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("ring has the default versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_put_together() {
        let of = |base, path, query| with_path(base, path, query).map(|uri| uri.to_string());
        let uri = |text: &str| Some(text.to_owned());
        assert_eq!(of("http://h/a/", "/b", ""), uri("http://h/a/b"));
        assert_eq!(of("http://h", "/", "x=1"), uri("http://h/?x=1"));
        assert_eq!(of("http://h/a?y=2", "", "x=1"), uri("http://h/a?y=2&x=1"));
        assert_eq!(of("http://h", "", ""), uri("http://h/"));
        assert_eq!(of("nonsense nonsense", "/", ""), None);
    }

    #[tokio::test]
    async fn a_status_that_has_no_meaning_is_no_answer() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

        for (status, is_answer) in [(101, false), (204, true), (599, true), (999, false)] {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
                .await
                .unwrap();
            let uri = format!("http://{}/", listener.local_addr().unwrap());
            let server = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 1_024]).await.unwrap();
                let head = format!("HTTP/1.1 {status} x\r\nconnection: close\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
            });
            let request = Request::get(uri).body(Bytes::new()).unwrap();
            let patience = Duration::from_mins(1);
            let client = Client::new();
            let answer = client.send(request, Reach::Anywhere, patience).await;
            assert_eq!(answer.is_ok(), is_answer, "{status}");
            server.await.unwrap();
        }
    }

    /// A server on this machine that says what it was sent, for as long as it is asked.
    async fn echo() -> std::net::SocketAddr {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut bytes = [0; 4_096];
                    while let Ok(count) = stream.read(&mut bytes).await
                        && count > 0
                    {
                        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {count}\r\n\r\n");
                        stream.write_all(head.as_bytes()).await.unwrap();
                        stream.write_all(&bytes[..count]).await.unwrap();
                    }
                });
            }
        });
        address
    }

    async fn said(client: &Client, reach: Reach, uri: String) -> Result<String, String> {
        let request = Request::get(uri)
            .header("X-Kagero-Command", "1")
            .header("x-kagero-other", "1")
            .header("x-kept", "1")
            .body(Bytes::new())
            .unwrap();
        let answer = client.fetch(request, reach, Duration::from_mins(1), 1 << 20);
        let answer = answer.await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(answer.into_body().into()).unwrap())
    }

    #[tokio::test]
    async fn headers_of_kageros_own_are_never_sent() {
        let uri = format!("http://{}/", echo().await);
        let sent = said(&Client::new(), Reach::Anywhere, uri).await.unwrap();
        assert!(sent.contains("x-kept: 1"), "{sent}");
        assert!(!sent.to_ascii_lowercase().contains("x-kagero"), "{sent}");
    }

    #[tokio::test]
    async fn paths_of_kageros_own_are_never_asked_for() {
        let server = echo().await;
        let client = Client::new();
        for (path, is_sent) in [
            ("/_kagero/reset", false),
            ("/_kagero/health", false),
            ("/_kagero", false),
            ("/_kagero_like", true),
            ("/a/_kagero/reset", true),
        ] {
            let uri = format!("http://{server}{path}");
            let said = said(&client, Reach::Anywhere, uri).await;
            assert_eq!(said.is_ok(), is_sent, "{path}");
        }
    }

    #[tokio::test]
    async fn what_is_sent_for_a_function_does_not_get_to_this_machine() {
        let port = echo().await.port();
        let client = Client::new();
        client.functions_reach(Egress::Nat);
        for host in [
            "127.0.0.1",
            "localhost",
            "127.1",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
        ] {
            let uri = format!("http://{host}:{port}/");
            // First so that there is a connection to be had.
            let anybodys = said(&client, Reach::Anywhere, uri.clone()).await;
            assert!(anybodys.is_ok(), "{host}: {anybodys:?}");
            let why = said(&client, Reach::Function, uri).await.unwrap_err();
            assert!(why.contains("is this machine"), "{host}: {why}");
        }
    }

    #[tokio::test]
    async fn where_functions_share_the_machines_network_they_reach_it() {
        let uri = format!("http://{}/", echo().await);
        let client = Client::new();
        client.functions_reach(Egress::Host);
        assert!(said(&client, Reach::Function, uri).await.is_ok());
    }

    #[tokio::test]
    async fn nobody_gets_to_the_metadata_of_the_machine() {
        for host in ["169.254.169.254", "[::ffff:169.254.169.254]", "[fe80::1]"] {
            for scheme in ["http", "https"] {
                let uri = format!("{scheme}://{host}/latest/meta-data/");
                let why = said(&Client::new(), Reach::Anywhere, uri)
                    .await
                    .unwrap_err();
                assert!(why.contains("is link-local"), "{why}");
            }
        }
    }

    #[test]
    fn what_is_of_the_connection_stays_behind() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("content-length", "5"),
            ("x-kept", "1"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        strip(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["x-kept"]);
    }
}
