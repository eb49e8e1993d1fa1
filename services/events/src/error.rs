//! Every error a client of EventBridge can see, as AWS words it.

use service::ServiceError;
use store::StoreError;
use wire::ErrorSchema;

use crate::generated::errors;

fn modelled(error: &'static ErrorSchema, message: impl Into<String>) -> ServiceError {
    ServiceError::bad_request(error.code, message)
}

pub fn validation(message: impl Into<String>) -> ServiceError {
    ServiceError::bad_request("ValidationException", message)
}

pub fn bus_not_found(name: &str) -> ServiceError {
    not_found(format!("Event bus {name} does not exist."))
}

pub fn rule_not_found(rule: &str, bus: &str) -> ServiceError {
    not_found(format!("Rule {rule} does not exist on EventBus {bus}."))
}

pub fn not_found(message: impl Into<String>) -> ServiceError {
    modelled(&errors::RESOURCE_NOT_FOUND_EXCEPTION, message)
}

pub fn exists(message: impl Into<String>) -> ServiceError {
    modelled(&errors::RESOURCE_ALREADY_EXISTS_EXCEPTION, message)
}

pub fn limit_exceeded() -> ServiceError {
    modelled(
        &errors::LIMIT_EXCEEDED_EXCEPTION,
        "The requested resource exceeds the maximum number allowed.",
    )
}

pub fn invalid_pattern(reason: impl std::fmt::Display) -> ServiceError {
    modelled(
        &errors::INVALID_EVENT_PATTERN_EXCEPTION,
        format!("Event pattern is not valid. Reason: {reason}"),
    )
}

pub fn managed_rule(name: &str) -> ServiceError {
    modelled(
        &errors::MANAGED_RULE_EXCEPTION,
        format!("{name} is a managed rule. Set 'force' parameter to true to override."),
    )
}

pub fn illegal_status(message: impl Into<String>) -> ServiceError {
    modelled(&errors::ILLEGAL_STATUS_EXCEPTION, message)
}

pub fn access_denied(action: &str, resource: &str) -> ServiceError {
    ServiceError::bad_request(
        "AccessDeniedException",
        format!("The caller is not authorized to perform: {action} on resource: {resource}"),
    )
}

/// The store failed: logged here, and the client may retry.
pub fn unavailable(error: &StoreError) -> ServiceError {
    tracing::error!(%error, "EventBridge cannot reach its records");
    if error.is_of_the_disk() {
        return ServiceError::unavailable();
    }
    ServiceError::new(
        errors::INTERNAL_EXCEPTION.code,
        http::StatusCode::INTERNAL_SERVER_ERROR,
        "The request could not be completed; try again.",
    )
}
