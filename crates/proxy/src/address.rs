//! Whose address a request names: a function's, or an API's. By host, or by a path that needs no
//! name to be resolved.
//!
//! | form | of |
//! |---|---|
//! | `<id>.lambda-url.<region>.<suffix>` | a function |
//! | `<id>.execute-api.<region>.<suffix>`, `<id>.execute-api.<suffix>` | an API |
//! | `/_aws/lambda-url/<id>/…` | a function |
//! | `/_aws/execute-api/<id>/<stage>/…` | an API |
//! | `/restapis/<id>/<stage>/_user_request_/…` | an API |
//!
//! The suffix is `localhost`, `localhost.localstack.cloud`, or AWS's own, for clients that reach us
//! through their own DNS.

use http::header::HOST;
use http::{HeaderMap, Uri};

/// What a request is for. Ids are as the client wrote them; compare them without case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    pub kind: Kind,
    pub id: &'a str,
    /// Where the form names it: else it may be the path's first segment.
    pub stage: Option<&'a str>,
    /// What follows, as the client encoded it; it begins with a slash.
    pub path: &'a str,
    /// Whether the path named it, and not the host.
    pub is_path_form: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    FunctionUrl,
    Api,
}

const SUFFIXES: [&str; 5] = [
    ".localhost.localstack.cloud",
    ".localhost",
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".on.aws",
];

/// `Host`, or HTTP/2's `:authority`.
pub fn authority<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    headers
        .get(HOST)
        .and_then(|value| value.to_str().ok())
        .or_else(|| uri.authority().map(http::uri::Authority::as_str))
}

/// The host of an authority, without its port; an IPv6 literal keeps its brackets.
pub fn host(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// The address that a request names, if any.
pub fn of<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<Address<'a>> {
    of_path(uri.path()).or_else(|| {
        let (kind, id) = of_host(host(authority(headers, uri)?))?;
        Some(Address {
            kind,
            id,
            stage: None,
            path: uri.path(),
            is_path_form: false,
        })
    })
}

fn of_path(path: &str) -> Option<Address<'_>> {
    let address = |kind, id, stage, path| Address {
        kind,
        id,
        stage,
        path,
        is_path_form: true,
    };
    if let Some(rest) = path.strip_prefix("/_aws/lambda-url/") {
        let (id, path) = segment(rest);
        return Some(address(Kind::FunctionUrl, id, None, path));
    }
    if let Some(rest) = path.strip_prefix("/_aws/execute-api/") {
        let (id, path) = segment(rest);
        return Some(address(Kind::Api, id, None, path));
    }
    let rest = path.strip_prefix("/restapis/")?;
    let (id, rest) = segment(rest);
    let (stage, rest) = segment(rest.strip_prefix('/')?);
    let rest = rest.strip_prefix("/_user_request_")?;
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    Some(address(Kind::Api, id, Some(stage), whole(rest)))
}

/// The first segment, and what follows it with its slash; at least that slash.
pub fn segment(path: &str) -> (&str, &str) {
    let end = path.find('/').unwrap_or(path.len());
    let (first, rest) = path.split_at(end);
    (first, whole(rest))
}

fn whole(path: &str) -> &str {
    if path.is_empty() { "/" } else { path }
}

/// A bucket may have one of these names in its own, but no region after it.
fn of_host(host: &str) -> Option<(Kind, &str)> {
    let labels = SUFFIXES.iter().find_map(|suffix| {
        let at = host.len().checked_sub(suffix.len())?;
        let end = host.get(at..)?;
        end.eq_ignore_ascii_case(suffix).then(|| &host[..at])
    })?;
    let mut labels = labels.split('.');
    let (id, service) = (labels.next()?, labels.next()?);
    let region = labels.next();
    let is_region = region.is_some_and(|region| region.contains('-'));
    if id.is_empty() || labels.next().is_some() {
        return None;
    }
    if service.eq_ignore_ascii_case("lambda-url") && is_region {
        return Some((Kind::FunctionUrl, id));
    }
    let is_api = service.eq_ignore_ascii_case("execute-api") && (is_region || region.is_none());
    is_api.then_some((Kind::Api, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<(Kind, &'a str, &'a str)> {
        of(headers, uri).map(|it| (it.kind, it.id, it.path))
    }

    fn by_host(host: &'static str) -> Option<Kind> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        let uri = Uri::from_static("/x/y");
        let found = parsed(&headers, &uri);
        assert!(found.is_none_or(|(_, id, path)| id == "abc" && path == "/x/y"));
        found.map(|(kind, ..)| kind)
    }

    #[test]
    fn hosts() {
        for host in [
            "abc.lambda-url.us-east-1.localhost:4566",
            "abc.lambda-url.us-east-1.localhost.localstack.cloud:4566",
            "abc.Lambda-Url.eu-west-1.ON.aws",
        ] {
            assert_eq!(by_host(host), Some(Kind::FunctionUrl), "{host}");
        }
        for host in [
            "abc.execute-api.us-east-1.localhost:4566",
            "abc.execute-api.localhost.localstack.cloud:4566",
            "abc.execute-api.eu-west-1.amazonaws.com",
        ] {
            assert_eq!(by_host(host), Some(Kind::Api), "{host}");
        }
        for other in [
            "abc.lambda-url.s3.localhost",
            "abc.lambda-url.s3.us-east-1.localhost",
            "abc.execute-api.s3.localhost",
            "lambda.us-east-1.localhost",
            "localhost:4566",
            "[::1]:4566",
            "",
        ] {
            assert_eq!(by_host(other), None, "{other}");
        }
    }

    #[test]
    fn paths() {
        let none = HeaderMap::new();
        let at = |path: &'static str| Uri::from_static(path);
        let uri = at("/_aws/lambda-url/abc");
        assert_eq!(parsed(&none, &uri), Some((Kind::FunctionUrl, "abc", "/")));
        let uri = at("/_aws/execute-api/abc/dev/a%2Fb?c");
        assert_eq!(parsed(&none, &uri), Some((Kind::Api, "abc", "/dev/a%2Fb")));
        let uri = at("/restapis/abc/dev/_user_request_/a");
        let address = of(&none, &uri).unwrap();
        assert_eq!((address.stage, address.path), (Some("dev"), "/a"));
        for other in [
            "/restapis/abc/stages/dev",
            "/restapis/abc",
            "/_aws/sqs",
            "/",
        ] {
            assert_eq!(parsed(&none, &at(other)), None, "{other}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_host_and_path_are_read_without_a_panic(host in ".{0,60}", path in "/.{0,60}") {
            let _ = (of_host(super::host(&host)), of_path(&path));
        }
    }
}
