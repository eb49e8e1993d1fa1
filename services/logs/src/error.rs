//! The errors CloudWatch Logs answers with.

use service::ServiceError;
use store::StoreError;
use wire::ErrorSchema;

use crate::generated::errors;

fn modelled(error: &'static ErrorSchema, message: impl Into<String>) -> ServiceError {
    ServiceError::bad_request(error.code, message)
}

pub fn invalid_parameter(message: impl Into<String>) -> ServiceError {
    modelled(&errors::INVALID_PARAMETER_EXCEPTION, message)
}

pub fn group_not_found() -> ServiceError {
    modelled(
        &errors::RESOURCE_NOT_FOUND_EXCEPTION,
        "The specified log group does not exist.",
    )
}

pub fn stream_not_found() -> ServiceError {
    modelled(
        &errors::RESOURCE_NOT_FOUND_EXCEPTION,
        "The specified log stream does not exist.",
    )
}

pub fn group_exists() -> ServiceError {
    modelled(
        &errors::RESOURCE_ALREADY_EXISTS_EXCEPTION,
        "The specified log group already exists",
    )
}

pub fn stream_exists() -> ServiceError {
    modelled(
        &errors::RESOURCE_ALREADY_EXISTS_EXCEPTION,
        "The specified log stream already exists",
    )
}

pub fn filter_not_found() -> ServiceError {
    modelled(
        &errors::RESOURCE_NOT_FOUND_EXCEPTION,
        "The specified subscription filter does not exist.",
    )
}

pub fn limit_exceeded() -> ServiceError {
    modelled(
        &errors::LIMIT_EXCEEDED_EXCEPTION,
        "Resource limit exceeded.",
    )
}

pub fn invalid_operation() -> ServiceError {
    modelled(
        &errors::INVALID_OPERATION_EXCEPTION,
        "The operation is not valid on the specified resource.",
    )
}

pub fn too_many_tags() -> ServiceError {
    modelled(
        &errors::TOO_MANY_TAGS_EXCEPTION,
        "A resource can have no more than 50 tags.",
    )
}

/// The store failed: logged here, and the client may retry.
pub fn unavailable(error: &StoreError) -> ServiceError {
    tracing::error!(%error, "CloudWatch Logs cannot reach its records");
    ServiceError::new(
        errors::SERVICE_UNAVAILABLE_EXCEPTION.code,
        http::StatusCode::SERVICE_UNAVAILABLE,
        "The service cannot complete the request.",
    )
}
