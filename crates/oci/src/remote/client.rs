//! HTTP to registries: TLS everywhere but on loopback.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderName, HeaderValue, USER_AGENT};
use http::uri::Parts;
use http::{Method, Request, Response, Uri};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::{Failed, invalid, stalled};

type Tls = legacy::Client<HttpsConnector<HttpConnector>, Empty<Bytes>>;
type Plain = legacy::Client<HttpConnector, Empty<Bytes>>;

/// Connections of one pull.
pub(super) struct Client {
    plain: Plain,
    /// With the certificates that this machine trusts, read when they are needed.
    tls: OnceLock<Option<Tls>>,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            plain: legacy::Client::builder(TokioExecutor::new()).build_http(),
            tls: OnceLock::new(),
        }
    }
}

impl Client {
    /// The head of an answer, within a time.
    pub(super) async fn get(
        &self,
        url: &Uri,
        headers: Vec<(HeaderName, HeaderValue)>,
        limit: Duration,
    ) -> Result<Response<Incoming>, Failed> {
        let mut request = Request::builder()
            .method(Method::GET)
            .uri(url)
            .body(Empty::new())
            .map_err(|_| invalid("its name makes no address"))?;
        let agent = HeaderValue::from_static(concat!("kagero/", env!("CARGO_PKG_VERSION")));
        request.headers_mut().insert(USER_AGENT, agent);
        request.headers_mut().extend(headers);
        let answer = if url.scheme_str() == Some("https") {
            let tls = self.tls.get_or_init(tls).as_ref();
            tls.ok_or_else(|| invalid("this machine trusts no certificates"))?
                .request(request)
        } else {
            self.plain.request(request)
        };
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Failed::ForNow {
                why: format!(
                    "the registry cannot be reached: {}",
                    base::with_causes(&error)
                ),
                after: None,
            }),
            Err(_) => Err(Failed::ForNow {
                why: stalled(limit).to_string(),
                after: None,
            }),
        }
    }
}

fn tls() -> Option<Tls> {
    let connector = HttpsConnectorBuilder::new()
        .with_native_roots()
        .inspect_err(|error| tracing::warn!(%error, "read the certificates of this machine"))
        .ok()?;
    let connector = connector.https_only().enable_http1().build();
    Some(legacy::Client::builder(TokioExecutor::new()).build(connector))
}

/// Whether a host is this machine, where nobody else listens.
pub fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost"
        || host.ends_with(".localhost")
        || address.is_ok_and(|address| address.is_loopback())
}

/// Whether credentials may be sent there.
pub(super) fn is_safe(url: &Uri) -> bool {
    url.scheme_str() == Some("https") || url.authority().is_some_and(|it| is_loopback(it.as_str()))
}

/// Where an answer leads. From TLS nothing leads to plain HTTP, and nothing leads to this machine.
pub(super) fn redirected(from: &Uri, location: Option<&HeaderValue>) -> Result<Uri, Failed> {
    let nowhere = || invalid("the registry leads nowhere");
    let location = location.and_then(|location| location.to_str().ok());
    let to: Uri = location
        .and_then(|to| to.parse().ok())
        .ok_or_else(nowhere)?;
    let mut parts: Parts = to.into_parts();
    if parts.authority.is_none() {
        parts.scheme = from.scheme().cloned();
        parts.authority = from.authority().cloned();
    }
    let to = Uri::from_parts(parts).map_err(|_| nowhere())?;
    let is_here = |uri: &Uri| uri.authority().is_some_and(|it| is_loopback(it.as_str()));
    let is_allowed = match to.scheme_str() {
        Some("https") => true,
        Some("http") => is_here(from) && is_here(&to),
        _ => false,
    };
    if is_allowed && (is_here(from) || !is_here(&to)) {
        Ok(to)
    } else {
        Err(invalid("the registry leads where it must not"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine() {
        for here in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:1",
            "[::1]:5000",
            "a.localhost:1",
        ] {
            assert!(is_loopback(here), "{here}");
        }
        for there in [
            "example.com",
            "localhost.example.com",
            "10.0.0.1:80",
            "[fe80::1]",
        ] {
            assert!(!is_loopback(there), "{there}");
        }
    }

    #[test]
    fn redirections_do_not_lead_here_or_out_of_tls() {
        let to = |from: &str, to: &str| {
            let location = HeaderValue::try_from(to).unwrap();
            redirected(&from.parse().unwrap(), Some(&location))
                .ok()
                .map(|uri| uri.to_string())
        };
        let blob = "https://cdn.example.com/blob?x=1";
        assert_eq!(to("https://example.com/v2/", blob).as_deref(), Some(blob));
        let relative = to("http://localhost:5000/v2/", "/other");
        assert_eq!(relative.as_deref(), Some("http://localhost:5000/other"));
        for bad in [
            "http://example.com/",
            "https://localhost/",
            "ftp://example.com/",
        ] {
            assert_eq!(to("https://example.com/v2/", bad), None, "{bad}");
        }
    }
}
