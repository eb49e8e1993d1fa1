//! Every error a client of Lambda can see, as Lambda words it.

use std::fmt::Display;

use base::{Arn, Region};
use http::StatusCode;
use service::ServiceError;
use store::StoreError;
use wire::Value;

fn user(code: &'static str, status: StatusCode, message: impl Into<String>) -> ServiceError {
    ServiceError::new(code, status, message).with_member("Type", Value::Str("User".to_owned()))
}

/// A value or a combination of values that the model allows and Lambda does not.
pub fn invalid_parameter(message: impl Into<String>) -> ServiceError {
    user(
        "InvalidParameterValueException",
        StatusCode::BAD_REQUEST,
        message,
    )
}

/// Something Lambda does that is not here yet, by name.
pub fn not_yet(what: impl Display) -> ServiceError {
    invalid_parameter(format!("Kagero does not support {what} yet."))
}

/// A broken constraint that the model does not state, worded like those it does.
pub fn constraint(value: impl Display, member: &str, constraint: &str) -> ServiceError {
    ServiceError::bad_request(
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy \
             constraint: {constraint}"
        ),
    )
}

pub fn not_found(message: impl Into<String>) -> ServiceError {
    user("ResourceNotFoundException", StatusCode::NOT_FOUND, message)
}

pub fn function_not_found(arn: &Arn) -> ServiceError {
    not_found(format!("Function not found: {arn}"))
}

pub fn alias_not_found(arn: &Arn) -> ServiceError {
    not_found(format!("Cannot find alias arn: {arn}"))
}

/// No such mapping or policy.
pub fn no_such_resource() -> ServiceError {
    not_found("The resource you requested does not exist.")
}

pub fn wrong_region(theirs: &str, ours: &Region) -> ServiceError {
    not_found(format!(
        "Functions from '{theirs}' are not reachable in this region ('{ours}')"
    ))
}

pub fn qualifier_mismatch() -> ServiceError {
    invalid_parameter(
        "The derived qualifier from the function name does not match the specified qualifier.",
    )
}

pub fn conflict(message: impl Into<String>) -> ServiceError {
    user("ResourceConflictException", StatusCode::CONFLICT, message)
}

pub fn mapping_in_use(verb: &str) -> ServiceError {
    user(
        "ResourceInUseException",
        StatusCode::BAD_REQUEST,
        format!("Cannot {verb} the event source mapping because it is in use."),
    )
}

pub fn stale_revision() -> ServiceError {
    user(
        "PreconditionFailedException",
        StatusCode::PRECONDITION_FAILED,
        "The Revision Id provided does not match the latest Revision Id. Call the \
         GetFunction/GetAlias API to retrieve the latest Revision Id",
    )
}

/// The role exists and its trust policy does not let Lambda in, or there is no such role.
pub fn role_not_assumable() -> ServiceError {
    invalid_parameter("The role defined for the function cannot be assumed by Lambda.")
}

pub fn not_unzippable() -> ServiceError {
    invalid_parameter(
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    )
}

/// `limit` is of the whole request: what fits into the limit of a package, in base64.
pub fn request_too_large(limit: usize, operation: &str) -> ServiceError {
    too_large(format!(
        "Request must be smaller than {limit} bytes for the {operation} operation"
    ))
}

pub fn too_large(message: impl Into<String>) -> ServiceError {
    user(
        "RequestEntityTooLargeException",
        StatusCode::PAYLOAD_TOO_LARGE,
        message,
    )
}

pub fn invalid_content(message: impl Into<String>) -> ServiceError {
    user(
        "InvalidRequestContentException",
        StatusCode::BAD_REQUEST,
        message,
    )
}

/// `reason` is one of the model's ThrottleReason.
pub fn throttled(reason: &str) -> ServiceError {
    let mut error = user(
        "TooManyRequestsException",
        StatusCode::TOO_MANY_REQUESTS,
        "Rate Exceeded.",
    )
    .with_member("Reason", Value::Str(reason.to_owned()));
    error.retry_after_seconds = Some(1);
    error
}

pub fn code_storage_exceeded() -> ServiceError {
    user(
        "CodeStorageExceededException",
        StatusCode::BAD_REQUEST,
        "Code storage limit exceeded.",
    )
}

pub fn policy_too_long(length: usize, limit: usize) -> ServiceError {
    user(
        "PolicyLengthExceededException",
        StatusCode::BAD_REQUEST,
        format!("The final policy size ({length}) is bigger than the limit ({limit})."),
    )
}

pub fn code_signing_config_not_found(arn: &str) -> ServiceError {
    user(
        "CodeSigningConfigNotFoundException",
        StatusCode::NOT_FOUND,
        format!(
            "The code signing configuration cannot be found. Check that the provided \
             configuration is not deleted: {arn}."
        ),
    )
}

/// The function's own policy does not let the caller invoke it.
pub fn invoke_denied(caller: &str, function: &Arn) -> ServiceError {
    ServiceError::new(
        "AccessDeniedException",
        StatusCode::FORBIDDEN,
        format!(
            "User: {caller} is not authorized to perform: lambda:InvokeFunction on resource: \
             {function} because no resource-based policy allows the lambda:InvokeFunction action"
        ),
    )
}

/// The role was assumable when it was set, and no longer is.
pub fn role_denied() -> ServiceError {
    ServiceError::new(
        "AccessDeniedException",
        StatusCode::FORBIDDEN,
        "The role defined for the function cannot be assumed by Lambda.",
    )
}

/// The function's runtime cannot run here.
pub fn invalid_runtime(message: impl Into<String>) -> ServiceError {
    user("InvalidRuntimeException", StatusCode::BAD_GATEWAY, message)
}

/// The function's code cannot be had.
pub fn invalid_code(message: impl Into<String>) -> ServiceError {
    user("InvalidZipFileException", StatusCode::BAD_GATEWAY, message)
}

/// Something of ours failed. Log the cause before making this.
pub fn service_failed() -> ServiceError {
    ServiceError::new(
        "ServiceException",
        StatusCode::INTERNAL_SERVER_ERROR,
        "An error occurred and the request cannot be processed.",
    )
    .with_member("Type", Value::Str("Service".to_owned()))
}

/// Logs why the store failed; the client learns that it may retry.
#[expect(clippy::needless_pass_by_value, reason = "the form `map_err` takes")]
pub fn store_failed(error: StoreError) -> ServiceError {
    tracing::error!(%error, "lambda: the store failed");
    service_failed()
}
