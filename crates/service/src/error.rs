//! The error a client is meant to see.

use std::borrow::Cow;
use std::fmt;

use http::StatusCode;
use wire::Value;

/// An error in AWS's terms: code, message, status. Every failure that reaches a client is one of
/// these; anything else is logged where it happens and becomes [`ServiceError::internal`].
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceError {
    /// The modelled shape name, such as `ResourceNotFoundException`.
    pub code: Cow<'static, str>,
    /// The code the query protocol uses where it differs, such as
    /// `AWS.SimpleQueueService.NonExistentQueue`; also sent as `x-amzn-query-error`.
    pub query_code: Option<&'static str>,
    pub message: String,
    pub status: StatusCode,
    /// Further modelled members of the error shape, such as `Type` or `Reason`.
    pub members: Vec<(&'static str, Value)>,
    /// Sent as `Retry-After`, in whole seconds.
    pub retry_after_seconds: Option<u32>,
}

impl ServiceError {
    pub fn new(
        code: impl Into<Cow<'static, str>>,
        status: StatusCode,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            query_code: None,
            message: message.into(),
            status,
            members: Vec::new(),
            retry_after_seconds: None,
        }
    }

    /// A 400 with the given code.
    pub fn bad_request(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(code, StatusCode::BAD_REQUEST, message)
    }

    /// Something of ours failed; the caller learns no more than that it may retry. Log the cause
    /// before making this.
    pub fn internal() -> Self {
        Self::new(
            "InternalFailure",
            StatusCode::INTERNAL_SERVER_ERROR,
            "The request processing has failed because of an unknown error, exception or failure.",
        )
    }

    /// The disk is full, or cannot be written: the caller may retry once that has been seen to.
    /// Log the cause before making this.
    pub fn unavailable() -> Self {
        Self::new(
            "ServiceUnavailable",
            StatusCode::SERVICE_UNAVAILABLE,
            "The server cannot write to its disk, or the disk is full; try again later.",
        )
    }

    /// The operation exists in AWS's model and not here; says so by name.
    pub fn not_implemented(service: &str, operation: &str) -> Self {
        Self::new(
            "NotImplementedException",
            StatusCode::NOT_IMPLEMENTED,
            format!("Kagero does not implement {service} {operation} yet."),
        )
    }

    #[must_use]
    pub fn with_member(mut self, name: &'static str, value: Value) -> Self {
        self.members.push((name, value));
        self
    }

    #[must_use]
    pub fn with_query_code(mut self, code: &'static str) -> Self {
        self.query_code = Some(code);
        self
    }

    /// Whether the fault is the server's (5xx), so that a retry may succeed.
    pub fn is_server_fault(&self) -> bool {
        self.status.is_server_error()
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for ServiceError {}
