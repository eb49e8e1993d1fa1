//! What pages of other origins may do with a bucket.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use s3s::dto::CORSConfiguration;
use service::CrossOrigin;

use crate::configurations::{self, Kind};
use crate::domain::cors::{self, Allowed};
use crate::error::Error;
use crate::state::State;
use crate::website;

/// By the rules of the bucket that a request names, if it has any.
pub async fn judge(state: &State, request: &Parts) -> CrossOrigin {
    let Some(bucket) = bucket_of(request.uri.path()) else {
        return CrossOrigin::Unruled;
    };
    let found = configurations::find(&*state.store, bucket, Kind::Cors).await;
    let configuration: CORSConfiguration = match found {
        Ok(Some(found)) => found,
        Ok(None) => return CrossOrigin::Unruled,
        Err(error) => return CrossOrigin::Refused(Error::from(error).into_service_error()),
    };
    let text = |name| request.headers.get(name)?.to_str().ok();
    let Some(origin) = text(header::ORIGIN) else {
        return CrossOrigin::Unruled;
    };
    let is_preflight = request.method == Method::OPTIONS;
    let method = if is_preflight {
        text(header::ACCESS_CONTROL_REQUEST_METHOD).unwrap_or_default()
    } else {
        request.method.as_str()
    };
    let asked = text(header::ACCESS_CONTROL_REQUEST_HEADERS).filter(|_| is_preflight);
    let headers: Vec<String> = asked
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().to_ascii_lowercase())
        .filter(|name| !name.is_empty())
        .collect();
    match cors::judge(&configuration, origin, method, &headers) {
        Some(allowed) => CrossOrigin::Allowed(describe(&allowed, &headers, is_preflight)),
        None => CrossOrigin::Refused(refused(method).into_service_error()),
    }
}

/// Of a path-style request, or of one for a website.
fn bucket_of(path: &str) -> Option<&str> {
    let path = path
        .strip_prefix(website::PREFIX)
        .or_else(|| path.strip_prefix('/'))?;
    path.split('/').next().filter(|bucket| !bucket.is_empty())
}

fn refused(method: &str) -> Error {
    let message = "CORSResponse: This CORS request is not allowed. This is usually because the \
                   evalution of Origin, request method / Access-Control-Request-Method or \
                   Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.";
    Error::new("AccessForbidden", StatusCode::FORBIDDEN, message)
        .with("Method", method)
        .with("ResourceType", "OBJECT")
}

fn describe(allowed: &Allowed, asked: &[String], is_preflight: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::ACCESS_CONTROL_ALLOW_ORIGIN, &allowed.origin);
    set(header::ACCESS_CONTROL_ALLOW_METHODS, &allowed.methods);
    if allowed.origin != "*" {
        set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
    }
    if let Some(exposed) = &allowed.exposed {
        set(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    if is_preflight && !asked.is_empty() {
        set(header::ACCESS_CONTROL_ALLOW_HEADERS, &asked.join(", "));
    }
    if let Some(seconds) = allowed.max_age_seconds.filter(|_| is_preflight) {
        set(header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
    }
    set(
        header::VARY,
        "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    );
    headers
}
