//! Which service a request is for: by credential scope, target header, host, then path.

use http::request::Parts;
use percent_encoding::percent_decode_str;
use proxy::address;

use crate::host::{self, HostHint};
use crate::registry::{Endpoint, Registry};

/// Where a request goes.
pub struct Route {
    pub endpoint: Endpoint,
    pub host: HostHint,
}

/// Why no service takes a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Unrouted {
    /// It names a service we do not have.
    UnknownService(String),
    /// It is a form that names its service only in the body (query protocol, unsigned).
    InForm,
}

/// Finds the endpoint. `scope_service` is the service of the signature's credential scope.
pub fn find(
    registry: &Registry,
    parts: &Parts,
    scope_service: Option<&str>,
) -> Result<Route, Unrouted> {
    let host = authority(parts).map(host::parse).unwrap_or_default();
    let path = parts.uri.path();
    let named = |name: &str| match registry.by_scope(name, &parts.method, path) {
        Some(endpoint) => Ok(endpoint.clone()),
        None => Err(Unrouted::UnknownService(name.to_owned())),
    };
    let endpoint = if let Some(target) = target_prefix(parts) {
        // A target names its API exactly; the scope only names who signs for it.
        match registry.by_target_prefix(target) {
            Some(endpoint) => endpoint.clone(),
            None => named(scope_service.unwrap_or(target))?,
        }
    } else if let Some(service) = scope_service.filter(|it| *it != "ecr") {
        named(service)?
    } else if is_distribution(registry, parts) {
        registry
            .distribution()
            .cloned()
            .ok_or_else(|| Unrouted::UnknownService("ecr".to_owned()))?
    } else if let Some(service) = scope_service.or(host.service.as_deref()) {
        named(service)?
    } else {
        unsigned(registry, parts)?
    };
    Ok(Route { endpoint, host })
}

/// Whether a request is one of the OCI distribution API, which no client signs. No bucket has a name
/// as short as its path's first part; paths of API Gateway's begin so too.
fn is_distribution(registry: &Registry, parts: &Parts) -> bool {
    let path = parts.uri.path();
    let is_registry = authority(parts).is_some_and(|host| host.contains(".dkr.ecr."));
    (path == "/v2" || path.starts_with("/v2/"))
        && (is_registry || registry.by_rest_path(&parts.method, path).is_none())
}

/// `Host`, or HTTP/2's `:authority`.
pub fn authority(parts: &Parts) -> Option<&str> {
    address::authority(&parts.headers, &parts.uri)
}

/// `AmazonSQS` of `X-Amz-Target: AmazonSQS.SendMessage`.
fn target_prefix(parts: &Parts) -> Option<&str> {
    let target = parts.headers.get("x-amz-target")?.to_str().ok()?;
    Some(target.rsplit_once('.').map_or(target, |(prefix, _)| prefix))
}

/// No signature, no telling host: the path and the query decide, and what is left is S3's.
fn unsigned(registry: &Registry, parts: &Parts) -> Result<Endpoint, Unrouted> {
    if let Some(endpoint) = registry.by_rest_path(&parts.method, parts.uri.path()) {
        return Ok(endpoint.clone());
    }
    let query = parts.uri.query().unwrap_or_default();
    if query_parameter(query, "Action").is_some() {
        let version = query_parameter(query, "Version");
        if let Some(endpoint) = registry.by_query_version(version.as_deref(), parts.uri.path()) {
            return Ok(endpoint.clone());
        }
    }
    // Of anything else it is how some HTTP clients label a body by default.
    if parts.method == http::Method::POST && is_form(parts) {
        return Err(Unrouted::InForm);
    }
    registry
        .by_signing_name("s3")
        .cloned()
        .ok_or_else(|| Unrouted::UnknownService("s3".to_owned()))
}

pub fn is_form(parts: &Parts) -> bool {
    parts
        .headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// The decoded value of one parameter of a query string or form.
pub fn query_parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (key == name).then(|| {
            percent_decode_str(&value.replace('+', " "))
                .decode_utf8_lossy()
                .into_owned()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::query_parameter;

    #[test]
    fn parameters_are_decoded() {
        let query = "Action=A&name=a%20b+c&empty&Action=B";
        assert_eq!(query_parameter(query, "Action").as_deref(), Some("A"));
        assert_eq!(query_parameter(query, "name").as_deref(), Some("a b c"));
        assert_eq!(query_parameter(query, "empty").as_deref(), Some(""));
        assert_eq!(query_parameter(query, "other"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_query_is_read_without_a_panic(query in ".{0,200}", name in ".{0,8}") {
            let _ = query_parameter(&query, &name);
        }
    }
}
