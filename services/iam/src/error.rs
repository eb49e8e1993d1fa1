//! Every error a client of IAM or STS can see, as AWS words it.
//!
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html>

use std::fmt::Display;

use auth::policy::MalformedPolicy;
use http::StatusCode;
use service::ServiceError;
use store::StoreError;

fn modelled(
    code: &'static str,
    query_code: &'static str,
    status: StatusCode,
    message: impl Into<String>,
) -> ServiceError {
    ServiceError::new(code, status, message).with_query_code(query_code)
}

/// `entity` is `role`, `user`, `role policy` or `user policy`.
pub fn not_found(entity: &str, name: &str) -> ServiceError {
    no_such_entity(format!("The {entity} with name {name} cannot be found."))
}

pub fn no_such_entity(message: impl Into<String>) -> ServiceError {
    modelled(
        "NoSuchEntityException",
        "NoSuchEntity",
        StatusCode::NOT_FOUND,
        message,
    )
}

pub fn already_exists(message: impl Into<String>) -> ServiceError {
    modelled(
        "EntityAlreadyExistsException",
        "EntityAlreadyExists",
        StatusCode::CONFLICT,
        message,
    )
}

pub fn delete_conflict(message: &str) -> ServiceError {
    modelled(
        "DeleteConflictException",
        "DeleteConflict",
        StatusCode::CONFLICT,
        message,
    )
}

pub fn limit_exceeded(message: impl Into<String>) -> ServiceError {
    modelled(
        "LimitExceededException",
        "LimitExceeded",
        StatusCode::CONFLICT,
        message,
    )
}

/// `Cannot exceed quota for AccessKeysPerUser: 2`
pub fn quota(name: &str, limit: impl Display) -> ServiceError {
    limit_exceeded(format!("Cannot exceed quota for {name}: {limit}"))
}

pub fn invalid_input(message: impl Into<String>) -> ServiceError {
    modelled(
        "InvalidInputException",
        "InvalidInput",
        StatusCode::BAD_REQUEST,
        message,
    )
}

pub fn malformed_policy(error: MalformedPolicy) -> ServiceError {
    modelled(
        "MalformedPolicyDocumentException",
        "MalformedPolicyDocument",
        StatusCode::BAD_REQUEST,
        error.0,
    )
}

pub fn packed_policy_too_large(percent: usize) -> ServiceError {
    modelled(
        "PackedPolicyTooLargeException",
        "PackedPolicyTooLarge",
        StatusCode::BAD_REQUEST,
        format!("Packed policy consumes {percent}% of allotted space, please use smaller policy."),
    )
}

pub fn validation(message: impl Into<String>) -> ServiceError {
    ServiceError::bad_request("ValidationError", message)
}

/// `User: ARN is not authorized to perform: ACTION on resource: ARN`
pub fn access_denied(caller: &str, action: &str, resource: &str) -> ServiceError {
    denied(format!(
        "User: {caller} is not authorized to perform: {action} on resource: {resource}"
    ))
}

pub fn denied(message: impl Into<String>) -> ServiceError {
    ServiceError::new("AccessDenied", StatusCode::FORBIDDEN, message)
}

/// The store failed; the client learns only that it may retry.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub fn store(error: StoreError) -> ServiceError {
    tracing::error!(%error, "store identities");
    ServiceError::internal()
}
