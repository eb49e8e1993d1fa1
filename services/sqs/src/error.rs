//! Every error a client of SQS can see, as AWS words it.
//!
//! The JSON protocol names the modelled shape; the query protocol, and the `x-amzn-query-error`
//! header, carry the older code (`AWS.SimpleQueueService.NonExistentQueue`).

use std::fmt::Display;

use http::StatusCode;
use service::ServiceError;
use store::StoreError;

use crate::domain::Fault;

/// The queue is not there, or has been deleted.
pub fn queue_does_not_exist() -> ServiceError {
    ServiceError::bad_request("QueueDoesNotExist", "The specified queue does not exist.")
        .with_query_code("AWS.SimpleQueueService.NonExistentQueue")
}

/// CreateQueue met a queue of that name whose `attribute` differs.
pub fn queue_name_exists(attribute: &str) -> ServiceError {
    ServiceError::bad_request(
        "QueueNameExists",
        format!(
            "A queue already exists with the same name and a different value for attribute \
             {attribute}"
        ),
    )
    .with_query_code("QueueAlreadyExists")
}

pub fn queue_deleted_recently() -> ServiceError {
    ServiceError::bad_request(
        "QueueDeletedRecently",
        "You must wait 60 seconds after deleting a queue before you can create another with the \
         same name.",
    )
    .with_query_code("AWS.SimpleQueueService.QueueDeletedRecently")
}

pub fn purge_in_progress(queue: &str) -> ServiceError {
    ServiceError::new(
        "PurgeQueueInProgress",
        StatusCode::FORBIDDEN,
        format!("Only one PurgeQueue operation on {queue} is allowed every 60 seconds."),
    )
    .with_query_code("AWS.SimpleQueueService.PurgeQueueInProgress")
}

/// Short polling met the quota of messages in flight.
pub fn too_many_in_flight() -> ServiceError {
    ServiceError::new(
        "OverLimit",
        StatusCode::FORBIDDEN,
        "Too many messages have been received without being deleted. Please delete your received \
         messages or let them timeout before receiving more.",
    )
    .with_query_code("OverLimit")
}

pub fn invalid_address(url: &str) -> ServiceError {
    ServiceError::new(
        "InvalidAddress",
        StatusCode::NOT_FOUND,
        format!("The address {url} is not valid for this endpoint."),
    )
    .with_query_code("InvalidAddress")
}

/// `Value <value> for parameter <parameter> is invalid. Reason: <reason>`
pub fn invalid_parameter(value: impl Display, parameter: &str, reason: &str) -> ServiceError {
    invalid_parameter_value(format!(
        "Value {value} for parameter {parameter} is invalid. Reason: {reason}"
    ))
}

pub fn invalid_parameter_value(message: impl Into<String>) -> ServiceError {
    ServiceError::bad_request("InvalidParameterValueException", message)
        .with_query_code("InvalidParameterValue")
}

pub fn resource_not_found(message: impl Into<String>) -> ServiceError {
    ServiceError::new("ResourceNotFoundException", StatusCode::NOT_FOUND, message)
        .with_query_code("ResourceNotFoundException")
}

pub fn unsupported(message: impl Into<String>) -> ServiceError {
    ServiceError::bad_request("UnsupportedOperation", message)
        .with_query_code("AWS.SimpleQueueService.UnsupportedOperation")
}

pub fn missing_parameter(parameter: &str) -> ServiceError {
    ServiceError::bad_request(
        "MissingRequiredParameterException",
        format!("The request must contain the parameter {parameter}."),
    )
    .with_query_code("MissingParameter")
}

/// What a rule of the domain refused, in AWS's terms.
impl From<Fault> for ServiceError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Parameter(message) => invalid_parameter_value(message),
            Fault::Missing(parameter) => missing_parameter(parameter),
            Fault::AttributeName(message) => Self::bad_request("InvalidAttributeName", message)
                .with_query_code("InvalidAttributeName"),
            Fault::AttributeValue(message) => Self::bad_request("InvalidAttributeValue", message)
                .with_query_code("InvalidAttributeValue"),
            Fault::MessageContents(message) => Self::bad_request("InvalidMessageContents", message)
                .with_query_code("InvalidMessageContents"),
            Fault::ReceiptHandle(message) => {
                Self::new("ReceiptHandleIsInvalid", StatusCode::NOT_FOUND, message)
                    .with_query_code("ReceiptHandleIsInvalid")
            }
            Fault::EmptyBatch(message) => Self::bad_request("EmptyBatchRequest", message)
                .with_query_code("AWS.SimpleQueueService.EmptyBatchRequest"),
            Fault::TooManyEntries(message) => {
                Self::bad_request("TooManyEntriesInBatchRequest", message)
                    .with_query_code("AWS.SimpleQueueService.TooManyEntriesInBatchRequest")
            }
            Fault::EntryId(message) => Self::bad_request("InvalidBatchEntryId", message)
                .with_query_code("AWS.SimpleQueueService.InvalidBatchEntryId"),
            Fault::EntryIdsNotDistinct(message) => {
                Self::bad_request("BatchEntryIdsNotDistinct", message)
                    .with_query_code("AWS.SimpleQueueService.BatchEntryIdsNotDistinct")
            }
            Fault::BatchTooLong(message) => Self::bad_request("BatchRequestTooLong", message)
                .with_query_code("AWS.SimpleQueueService.BatchRequestTooLong"),
            Fault::OverLimit(message) => {
                Self::new("OverLimit", StatusCode::FORBIDDEN, message).with_query_code("OverLimit")
            }
        }
    }
}

/// Logs why the store failed; the client learns that it may retry.
#[expect(clippy::needless_pass_by_value, reason = "the form `map_err` takes")]
pub fn store_failed(error: StoreError) -> ServiceError {
    tracing::error!(error = %error, "sqs: the store failed");
    if error.is_of_the_disk() {
        return ServiceError::unavailable();
    }
    ServiceError::internal()
}
