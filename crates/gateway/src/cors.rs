//! Browsers: which pages may talk to the port, and the preflight answers.
//!
//! In permissive mode any credentials work, so a page from anywhere could drive the server through
//! its visitor's browser. Pages served from this machine may; others only if configured.

use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, StatusCode};

/// What the `Origin` header of a request allows.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not from a page.
    NotABrowser,
    Allowed(HeaderValue),
    Refused,
}

/// Judges the request's origin against loopback names and the configured list (`*` allows all).
pub fn judge(headers: &HeaderMap, allowed: &[String]) -> Verdict {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Verdict::NotABrowser;
    };
    let Ok(text) = origin.to_str() else {
        return Verdict::Refused;
    };
    if allowed.iter().any(|one| one == "*" || one == text) || is_local(text) {
        Verdict::Allowed(origin.clone())
    } else {
        Verdict::Refused
    }
}

/// Suffixes under which nobody can make a public name resolve to this machine.
const UNREBINDABLE: [&str; 8] = [
    ".localhost",
    ".localhost.localstack.cloud",
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".on.aws",
    ".internal",
    ".local",
    ".test",
];

/// Whether a `Host` (lowercase, no port) is one that a client of this machine uses: an address, a
/// name without dots, a reserved suffix, or the host of a configured origin. Any other name may be
/// a page's own, made to resolve to loopback.
pub fn is_own_host(host: &str, allowed: &[String]) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    !host.contains('.')
        || host.starts_with('[')
        || host.parse::<std::net::IpAddr>().is_ok()
        || host == "localhost.localstack.cloud"
        || UNREBINDABLE.iter().any(|suffix| host.ends_with(suffix))
        || allowed.iter().any(|origin| {
            origin == "*" || host_of(origin).is_some_and(|own| own.eq_ignore_ascii_case(host))
        })
}

/// The host of an origin, an IPv6 literal without its brackets.
fn host_of(origin: &str) -> Option<&str> {
    let (_, authority) = origin.split_once("://")?;
    Some(match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    })
}

fn is_local(origin: &str) -> bool {
    let Some(host) = host_of(origin) else {
        return false;
    };
    matches!(
        host,
        "localhost" | "127.0.0.1" | "::1" | "localhost.localstack.cloud"
    ) || host.ends_with(".localhost")
        || host.ends_with(".localhost.localstack.cloud")
}

/// Whether this is a preflight, which asks and does nothing.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Status of a preflight that is allowed.
pub const PREFLIGHT_STATUS: StatusCode = StatusCode::NO_CONTENT;

/// Adds what an allowed page needs to read the answer.
pub fn allow(response: &mut HeaderMap, origin: HeaderValue, requested: Option<&HeaderValue>) {
    let fixed = HeaderValue::from_static;
    response.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    response.append(header::VARY, fixed("Origin"));
    response.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        fixed("HEAD,GET,PUT,POST,DELETE,OPTIONS,PATCH"),
    );
    if let Some(requested) = requested {
        response.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
    }
    response.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        fixed(
            "etag,x-amz-version-id,x-amz-request-id,x-amz-id-2,x-amzn-requestid,\
             x-amzn-errortype,x-amz-function-error,x-amz-log-result,x-amz-executed-version",
        ),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(origin: &'static str, allowed: &[&str]) -> Verdict {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
        let allowed: Vec<String> = allowed.iter().map(|s| (*s).to_owned()).collect();
        judge(&headers, &allowed)
    }

    #[test]
    fn a_name_that_a_page_could_have_made_resolve_here_is_not_ours() {
        let listed = ["https://kagero.example:8443".to_owned()];
        for own in [
            "localhost",
            "127.0.0.1",
            "[::1]",
            "kagero",
            "",
            "b.s3.us-east-1.localhost",
            "sqs.us-east-1.localhost.localstack.cloud",
            "host.docker.internal",
            "b.s3.amazonaws.com",
            "kagero.example",
        ] {
            assert!(is_own_host(own, &listed), "{own}");
        }
        for foreign in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evil.example.",
            "evillocalhost.localstack.cloud",
        ] {
            assert!(!is_own_host(foreign, &listed), "{foreign}");
            assert!(is_own_host(foreign, &["*".to_owned()]), "{foreign}");
        }
    }

    #[test]
    fn local_pages_and_listed_ones_only() {
        for ok in [
            "http://localhost:3000",
            "http://127.0.0.1",
            "http://[::1]:8080",
            "https://app.localhost",
        ] {
            assert!(matches!(verdict(ok, &[]), Verdict::Allowed(_)), "{ok}");
        }
        for bad in [
            "https://evil.example",
            "null",
            "http://localhost.evil.example",
            "https://notlocalhost",
        ] {
            assert_eq!(verdict(bad, &[]), Verdict::Refused, "{bad}");
        }
        assert!(matches!(
            verdict("https://app.example", &["https://app.example"]),
            Verdict::Allowed(_)
        ));
        assert_eq!(judge(&HeaderMap::new(), &[]), Verdict::NotABrowser);
    }
}
