//! Every error a client of Scheduler can see, as AWS words it.

use http::StatusCode;
use service::ServiceError;
use store::StoreError;
use wire::ErrorSchema;

use crate::generated::errors;

fn modelled(error: &'static ErrorSchema, message: impl Into<String>) -> ServiceError {
    let message = message.into();
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    ServiceError::new(error.code, status, message.clone())
        .with_member("Message", wire::Value::Str(message))
}

pub fn validation(message: impl Into<String>) -> ServiceError {
    modelled(&errors::VALIDATION_EXCEPTION, message)
}

pub fn schedule_not_found(name: &str) -> ServiceError {
    not_found(format!("Schedule {name} does not exist."))
}

pub fn group_not_found(name: &str) -> ServiceError {
    not_found(format!("Schedule group {name} does not exist."))
}

pub fn not_found(message: impl Into<String>) -> ServiceError {
    modelled(&errors::RESOURCE_NOT_FOUND_EXCEPTION, message)
}

pub fn conflict(message: impl Into<String>) -> ServiceError {
    modelled(&errors::CONFLICT_EXCEPTION, message)
}

/// The store failed: logged here, and the client may retry.
pub fn unavailable(error: &StoreError) -> ServiceError {
    tracing::error!(%error, "Scheduler cannot reach its records");
    if error.is_of_the_disk() {
        return ServiceError::unavailable();
    }
    modelled(
        &errors::INTERNAL_SERVER_EXCEPTION,
        "The request could not be completed; try again.",
    )
}
