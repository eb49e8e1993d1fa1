//! Every error a client of SNS can see, as AWS words it.

use http::StatusCode;
use service::ServiceError;
use store::StoreError;
use wire::ErrorSchema;

use crate::generated::errors;

fn modelled(error: &'static ErrorSchema, message: impl Into<String>) -> ServiceError {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    let made = ServiceError::new(error.code, status, message);
    match error.query_code {
        Some(code) => made.with_query_code(code),
        None => made,
    }
}

/// `Invalid parameter: ` and the reason.
pub fn invalid(reason: impl AsRef<str>) -> ServiceError {
    let message = format!("Invalid parameter: {}", reason.as_ref());
    modelled(&errors::INVALID_PARAMETER_EXCEPTION, message)
}

pub fn invalid_value(message: impl Into<String>) -> ServiceError {
    modelled(&errors::INVALID_PARAMETER_VALUE_EXCEPTION, message)
}

pub fn topic_not_found() -> ServiceError {
    modelled(&errors::NOT_FOUND_EXCEPTION, "Topic does not exist")
}

pub fn subscription_not_found() -> ServiceError {
    modelled(&errors::NOT_FOUND_EXCEPTION, "Subscription does not exist")
}

pub fn application_not_found() -> ServiceError {
    modelled(
        &errors::NOT_FOUND_EXCEPTION,
        "PlatformApplication does not exist",
    )
}

pub fn group_required() -> ServiceError {
    invalid("The MessageGroupId parameter is required for FIFO topics")
}

pub fn endpoint_not_found() -> ServiceError {
    modelled(&errors::NOT_FOUND_EXCEPTION, "Endpoint does not exist")
}

pub fn endpoint_disabled() -> ServiceError {
    modelled(&errors::ENDPOINT_DISABLED_EXCEPTION, "Endpoint is disabled")
}

pub fn resource_not_found() -> ServiceError {
    modelled(
        &errors::RESOURCE_NOT_FOUND_EXCEPTION,
        "Resource does not exist",
    )
}

pub fn not_authorized(action: &str, resource: &str) -> ServiceError {
    modelled(
        &errors::AUTHORIZATION_ERROR_EXCEPTION,
        format!("User is not authorized to perform: SNS:{action} on resource: {resource}"),
    )
}

pub fn too_many_tags() -> ServiceError {
    modelled(
        &errors::TAG_LIMIT_EXCEEDED_EXCEPTION,
        "Could not complete request: tag quota of per resource exceeded",
    )
}

pub fn empty_batch() -> ServiceError {
    modelled(
        &errors::EMPTY_BATCH_REQUEST_EXCEPTION,
        "The batch request doesn't contain any entries.",
    )
}

pub fn too_many_entries() -> ServiceError {
    modelled(
        &errors::TOO_MANY_ENTRIES_IN_BATCH_REQUEST_EXCEPTION,
        "The batch request contains more entries than permissible.",
    )
}

pub fn ids_not_distinct() -> ServiceError {
    modelled(
        &errors::BATCH_ENTRY_IDS_NOT_DISTINCT_EXCEPTION,
        "Two or more batch entries in the request have the same Id.",
    )
}

pub fn invalid_entry_id() -> ServiceError {
    modelled(
        &errors::INVALID_BATCH_ENTRY_ID_EXCEPTION,
        "The Id of a batch entry in a batch request doesn't abide by the specification.",
    )
}

pub fn batch_too_long() -> ServiceError {
    modelled(
        &errors::BATCH_REQUEST_TOO_LONG_EXCEPTION,
        "The length of all the messages put together is more than the limit.",
    )
}

/// The store failed: logged here, and the client may retry.
pub fn unavailable(error: &StoreError) -> ServiceError {
    tracing::error!(%error, "SNS cannot reach its records");
    if error.is_of_the_disk() {
        return ServiceError::unavailable();
    }
    modelled(
        &errors::INTERNAL_ERROR_EXCEPTION,
        "The request could not be completed; try again.",
    )
}
