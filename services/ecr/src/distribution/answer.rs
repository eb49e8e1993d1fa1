//! Answers of the distribution API, errors in its own form.

use base::AccountId;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::json;
use service::{Body, ServiceError};
use store::StoreError;

use crate::error;
use crate::generated::errors;
use oci::Digest;

pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// Why a request was refused.
/// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes>
#[derive(Debug)]
pub struct Failure {
    code: &'static str,
    status: StatusCode,
    message: String,
    /// For a client that has sent another piece than the next one.
    range: Option<String>,
}

impl Failure {
    fn new(code: &'static str, status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            code,
            status,
            message: message.into(),
            range: None,
        }
    }

    pub fn unauthorized() -> Self {
        Self::new("UNAUTHORIZED", StatusCode::UNAUTHORIZED, "Not Authorized")
    }

    pub fn denied(account: AccountId) -> Self {
        Self::new(
            "DENIED",
            StatusCode::FORBIDDEN,
            format!("This token does not allow access to the registry with id '{account}'."),
        )
    }

    /// The holder of a token may do less than its account.
    pub fn not_allowed(who: &str, action: &str, resource: &str) -> Self {
        Self::new(
            "DENIED",
            StatusCode::FORBIDDEN,
            format!(
                "User: {who} is not authorized to perform: {action} on resource: {resource} \
                 because no identity-based policy allows the {action} action"
            ),
        )
    }

    pub fn no_such_path() -> Self {
        let message = "This is no path of the distribution API.";
        Self::new("UNSUPPORTED", StatusCode::NOT_FOUND, message)
    }

    pub fn unsupported(method: &Method) -> Self {
        Self::new(
            "UNSUPPORTED",
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{method} is not supported here."),
        )
    }

    pub fn name_invalid(name: &str) -> Self {
        Self::new(
            "NAME_INVALID",
            StatusCode::BAD_REQUEST,
            format!("Invalid repository name: '{name}'"),
        )
    }

    pub fn tag_invalid(tag: &str) -> Self {
        Self::new(
            "TAG_INVALID",
            StatusCode::BAD_REQUEST,
            format!("Invalid tag: '{tag}'"),
        )
    }

    pub fn digest_invalid(message: impl Into<String>) -> Self {
        Self::new("DIGEST_INVALID", StatusCode::BAD_REQUEST, message)
    }

    pub fn blob_unknown(digest: &str) -> Self {
        Self::new(
            "BLOB_UNKNOWN",
            StatusCode::NOT_FOUND,
            format!("The blob with digest '{digest}' is not in this repository."),
        )
    }

    pub fn upload_unknown(id: &str) -> Self {
        Self::new(
            "BLOB_UPLOAD_UNKNOWN",
            StatusCode::NOT_FOUND,
            format!("There is no upload '{id}' into this repository."),
        )
    }

    /// The body ended before its end.
    pub fn upload_broken() -> Self {
        Self::new(
            "BLOB_UPLOAD_INVALID",
            StatusCode::BAD_REQUEST,
            "The request body was not received in full.",
        )
    }

    pub fn out_of_order(received: u64) -> Self {
        Self {
            range: Some(range(received)),
            ..Self::new(
                "BLOB_UPLOAD_INVALID",
                StatusCode::RANGE_NOT_SATISFIABLE,
                format!("The next byte of this upload is {received}."),
            )
        }
    }

    pub fn manifest_invalid(message: impl Into<String>) -> Self {
        Self::new("MANIFEST_INVALID", StatusCode::BAD_REQUEST, message)
    }

    pub fn range_unsatisfiable() -> Self {
        Self::new(
            "SIZE_INVALID",
            StatusCode::RANGE_NOT_SATISFIABLE,
            "The range lies outside of the blob.",
        )
    }

    pub fn plain_response(self) -> Response<Body> {
        let errors = json!({"errors": [{"code": self.code, "message": self.message}]});
        let mut response = with_status(self.status, errors.to_string());
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, json);
        if let Some(range) = self.range.and_then(|it| HeaderValue::try_from(it).ok()) {
            response.headers_mut().insert(http::header::RANGE, range);
        }
        response
    }

    /// With how to authenticate, where that is what is missing.
    pub fn response(self, parts: &Parts, scheme: &str) -> Response<Body> {
        let is_unauthorized = self.status == StatusCode::UNAUTHORIZED;
        let mut response = self.plain_response();
        if is_unauthorized {
            let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
            let host = host.unwrap_or("localhost");
            let basic = format!("Basic realm=\"{scheme}://{host}/\",service=\"ecr.amazonaws.com\"");
            if let Ok(basic) = HeaderValue::try_from(basic) {
                response.headers_mut().insert(WWW_AUTHENTICATE, basic);
            }
        }
        response
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        let is = |schema: &wire::ErrorSchema| error.code == schema.code;
        let (code, status) = if is(&errors::REPOSITORY_NOT_FOUND_EXCEPTION) {
            ("NAME_UNKNOWN", StatusCode::NOT_FOUND)
        } else if is(&errors::IMAGE_NOT_FOUND_EXCEPTION) {
            ("MANIFEST_UNKNOWN", StatusCode::NOT_FOUND)
        } else if is(&errors::LAYERS_NOT_FOUND_EXCEPTION)
            || is(&errors::REFERENCED_IMAGES_NOT_FOUND_EXCEPTION)
        {
            ("MANIFEST_BLOB_UNKNOWN", StatusCode::BAD_REQUEST)
        } else if is(&errors::IMAGE_TAG_ALREADY_EXISTS_EXCEPTION) {
            ("TAG_INVALID", StatusCode::BAD_REQUEST)
        } else if is(&errors::IMAGE_DIGEST_DOES_NOT_MATCH_EXCEPTION) {
            ("DIGEST_INVALID", StatusCode::BAD_REQUEST)
        } else if is(&errors::LIMIT_EXCEEDED_EXCEPTION) {
            ("TOOMANYREQUESTS", StatusCode::TOO_MANY_REQUESTS)
        } else if error.is_server_fault() {
            ("UNKNOWN", error.status)
        } else {
            ("MANIFEST_INVALID", StatusCode::BAD_REQUEST)
        };
        Self::new(code, status, error.message)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let seen = error::unavailable(&error);
        Self::new("UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR, seen.message)
    }
}

pub fn empty() -> Body {
    full(Bytes::new())
}

fn full(content: impl Into<Bytes>) -> Body {
    Full::new(content.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

pub fn with_status(status: StatusCode, content: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(full(content));
    *response.status_mut() = status;
    let version = HeaderValue::from_static("registry/2.0");
    response.headers_mut().insert(API_VERSION, version);
    response
}

pub fn version() -> Response<Body> {
    let mut response = with_status(StatusCode::OK, "{}");
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// Something is there now, under its digest.
pub fn created(location: &str, digest: &Digest) -> Response<Body> {
    let mut response = with_status(StatusCode::CREATED, Bytes::new());
    set(&mut response, LOCATION, location);
    set(&mut response, CONTENT_DIGEST, &digest.to_string());
    response
}

pub fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    // What is not a header's value was never a name or a digest.
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The bytes that have arrived, as the API writes it.
pub fn range(received: u64) -> String {
    format!("0-{}", received.saturating_sub(1))
}
