//! Errors of the protocols themselves, and what every error looks like before it is encoded.

use std::borrow::Cow;

use http::StatusCode;

use crate::{Protocol, Value};

/// A request that does not get as far as the service, in AWS's terms.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct WireError {
    /// Such as `SerializationException`.
    pub code: Cow<'static, str>,
    /// The code in the query protocol and in `x-amzn-query-error`, where it differs.
    pub query_code: Option<&'static str>,
    /// Empty where AWS says nothing more.
    pub message: String,
    pub status: StatusCode,
    /// How the request was written, as far as it could be told.
    pub protocol: Option<Protocol>,
}

/// An error on its way to a client: what the service, the gateway or this crate found.
#[derive(Clone, Copy, Debug)]
pub struct ErrorParts<'a> {
    /// The modelled shape's name, or an unmodelled code such as `AccessDeniedException`.
    pub code: &'a str,
    /// The code of the query protocol, where it differs and the model does not say so.
    pub query_code: Option<&'a str>,
    /// Left out of the answer where it is empty.
    pub message: &'a str,
    pub status: StatusCode,
    /// Further members of the modelled shape, by the model's names.
    pub members: &'a [(&'static str, Value)],
    pub retry_after_seconds: Option<u32>,
    pub request_id: &'a str,
}

impl WireError {
    pub(crate) fn bad_request(
        code: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            query_code: None,
            message: message.into(),
            status: StatusCode::BAD_REQUEST,
            protocol: None,
        }
    }

    /// A body that cannot be read, or holds a value of the wrong type. Its query code is what SQS
    /// sends in `x-amzn-query-error`.
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::bad_request("SerializationException", message).with_query_code("MalformedInput")
    }

    /// No operation of the service is meant.
    pub(crate) fn unknown_operation(status: StatusCode) -> Self {
        let error = Self::bad_request("UnknownOperationException", "");
        Self { status, ..error }.with_query_code("InvalidAction")
    }

    pub(crate) fn with_query_code(self, code: &'static str) -> Self {
        Self {
            query_code: Some(code),
            ..self
        }
    }

    pub(crate) fn by(self, protocol: Protocol) -> Self {
        Self {
            protocol: Some(protocol),
            ..self
        }
    }

    /// As the encoder takes it.
    pub fn parts<'a>(&'a self, request_id: &'a str) -> ErrorParts<'a> {
        ErrorParts {
            code: &self.code,
            query_code: self.query_code,
            message: &self.message,
            status: self.status,
            members: &[],
            retry_after_seconds: None,
            request_id,
        }
    }
}
