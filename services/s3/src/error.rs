//! Why an operation failed: S3's own errors, in S3's words, and what lies beneath us.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

use http::StatusCode;
use service::ServiceError;
use store::StoreError;
use wire::Value;

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Meant for the client, as it is.
    #[error(transparent)]
    Client(Box<ServiceError>),
    /// The store or the blob store failed; the client is told to retry.
    #[error("reach the store")]
    Store(#[from] StoreError),
    /// The client's body ended early or broke off.
    #[error("read the request body: {0}")]
    Body(service::BoxError),
    /// Writers of the same key kept overtaking this one.
    #[error("give up on a contended key")]
    Contended,
}

impl From<ServiceError> for Error {
    fn from(error: ServiceError) -> Self {
        Self::Client(Box::new(error))
    }
}

impl Error {
    pub fn new(code: &'static str, status: StatusCode, message: impl Into<String>) -> Self {
        ServiceError::new(code, status, message).into()
    }

    /// A 400.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(code, StatusCode::BAD_REQUEST, message)
    }

    /// A further element of the error document or, by a name in lower case, a header of the answer.
    #[must_use]
    pub fn with(self, name: &'static str, value: impl Into<String>) -> Self {
        match self {
            Self::Client(error) => error.with_member(name, Value::Str(value.into())).into(),
            other => other,
        }
    }

    pub fn no_such_bucket(bucket: &str) -> Self {
        let message = "The specified bucket does not exist";
        Self::new("NoSuchBucket", StatusCode::NOT_FOUND, message).with("BucketName", bucket)
    }

    pub fn no_such_key(key: &str) -> Self {
        let message = "The specified key does not exist.";
        Self::new("NoSuchKey", StatusCode::NOT_FOUND, message).with("Key", key)
    }

    pub fn no_such_upload(upload_id: &str) -> Self {
        let message = "The specified upload does not exist. The upload ID may be invalid, or the \
                       upload may have been aborted or completed.";
        Self::new("NoSuchUpload", StatusCode::NOT_FOUND, message).with("UploadId", upload_id)
    }

    pub fn access_denied() -> Self {
        Self::new("AccessDenied", StatusCode::FORBIDDEN, "Access Denied")
    }

    pub fn invalid_argument(message: impl Into<String>, name: &str, value: &str) -> Self {
        Self::bad_request("InvalidArgument", message)
            .with("ArgumentName", name)
            .with("ArgumentValue", value)
    }

    pub fn invalid_request(message: impl Into<String>) -> Self {
        Self::bad_request("InvalidRequest", message)
    }

    pub fn malformed_xml() -> Self {
        Self::bad_request(
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published \
             schema",
        )
    }

    /// A part of an operation that AWS has and this service has not.
    pub fn not_implemented(what: impl AsRef<str>) -> Self {
        let message = format!("Kagero does not implement {} yet.", what.as_ref());
        Self::new("NotImplemented", StatusCode::NOT_IMPLEMENTED, message)
    }

    pub fn precondition_failed(condition: &'static str) -> Self {
        let message = "At least one of the pre-conditions you specified did not hold";
        Self::new(
            "PreconditionFailed",
            StatusCode::PRECONDITION_FAILED,
            message,
        )
        .with("Condition", condition)
    }

    /// What the client is told. Anything that is not its own doing is logged here, once.
    pub fn into_service_error(self) -> ServiceError {
        match self {
            Self::Client(error) => *error,
            Self::Store(StoreError::Full) => {
                tracing::error!("the data disk is full");
                ServiceError::new(
                    "ServiceUnavailable",
                    StatusCode::SERVICE_UNAVAILABLE,
                    "There is no space left on the server's data disk.",
                )
            }
            Self::Store(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the store failed");
                internal()
            }
            Self::Body(error) => broken_body(&error),
            Self::Contended => ServiceError::new(
                "OperationAborted",
                StatusCode::CONFLICT,
                "A conflicting conditional operation is currently in progress against this \
                 resource. Try again.",
            ),
        }
    }
}

/// The gateway verifies bodies as they pass: what it finds wrong arrives as the body's error.
pub fn broken_body(error: &service::BoxError) -> ServiceError {
    tracing::debug!(%error, "a request body broke off");
    if let Some(error) = error.downcast_ref::<auth::AuthError>() {
        let parts = error.to_parts(auth::ServiceStyle::S3);
        return ServiceError::new(parts.code, parts.status, parts.message);
    }
    if let Some(error) = error.downcast_ref::<ServiceError>() {
        return error.clone();
    }
    ServiceError::bad_request(
        "IncompleteBody",
        "You did not provide the number of bytes specified by the Content-Length HTTP header",
    )
}

fn internal() -> ServiceError {
    ServiceError::new(
        "InternalError",
        StatusCode::INTERNAL_SERVER_ERROR,
        "We encountered an internal error. Please try again.",
    )
}
