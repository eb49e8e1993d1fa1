//! Every error a client of the API can see, as AWS words it.

use http::StatusCode;
use service::ServiceError;
use store::StoreError;
use wire::ErrorSchema;

use crate::generated::errors;

fn modelled(error: &'static ErrorSchema, message: impl Into<String>) -> ServiceError {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    ServiceError::new(error.code, status, message)
}

pub fn bad_request(message: impl Into<String>) -> ServiceError {
    modelled(&errors::BAD_REQUEST_EXCEPTION, message)
}

pub fn conflict(message: impl Into<String>) -> ServiceError {
    modelled(&errors::CONFLICT_EXCEPTION, message)
}

/// There is no such resource: `what` is an `API`, a `Route`, and so on.
pub fn not_found(what: &str, id: &str) -> ServiceError {
    let message = format!("Invalid {what} identifier specified {id}");
    modelled(&errors::NOT_FOUND_EXCEPTION, message)
}

/// AWS has it, and Kagero not.
pub fn not_yet(what: &str) -> ServiceError {
    ServiceError::not_implemented("API Gateway v2", what)
}

/// The store failed: logged here, and the client may retry.
pub fn unavailable(error: &StoreError) -> ServiceError {
    tracing::error!(%error, "API Gateway v2 cannot reach its records");
    ServiceError::internal()
}
