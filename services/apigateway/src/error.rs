//! Every error a client of the control plane can see, as AWS words it.

use http::StatusCode;
use service::ServiceError;
use store::StoreError;
use wire::ErrorSchema;

use crate::generated::errors;

fn modelled(error: &'static ErrorSchema, message: impl Into<String>) -> ServiceError {
    let message = message.into();
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    ServiceError::new(error.code, status, message.clone())
        .with_member("message", wire::Value::Str(message))
}

pub fn bad_request(message: impl Into<String>) -> ServiceError {
    modelled(&errors::BAD_REQUEST_EXCEPTION, message)
}

pub fn not_found(message: impl Into<String>) -> ServiceError {
    modelled(&errors::NOT_FOUND_EXCEPTION, message)
}

pub fn conflict(message: impl Into<String>) -> ServiceError {
    modelled(&errors::CONFLICT_EXCEPTION, message)
}

pub fn limit_exceeded(message: impl Into<String>) -> ServiceError {
    modelled(&errors::LIMIT_EXCEEDED_EXCEPTION, message)
}

/// The store failed: logged here, and the client may retry.
pub fn unavailable(error: &StoreError) -> ServiceError {
    tracing::error!(%error, "API Gateway cannot reach its records");
    modelled(
        &errors::SERVICE_UNAVAILABLE_EXCEPTION,
        "The request could not be completed; try again.",
    )
}
