//! Errors of the operations on durable executions, as Lambda words them.

use http::StatusCode;
use service::ServiceError;
use wire::Value;

use super::arn::ExecutionArn;
use crate::error;

fn user(code: &'static str, status: StatusCode, message: impl Into<String>) -> ServiceError {
    ServiceError::new(code, status, message).with_member("Type", Value::Str("User".to_owned()))
}

/// Consumed, forged, of an invocation that has ended, or of an execution that has.
pub fn invalid_token() -> ServiceError {
    error::invalid_parameter("Invalid checkpoint token")
}

pub fn token_of_another() -> ServiceError {
    error::invalid_parameter("Checkpoint token is not valid for the durable execution ARN")
}

pub fn no_such_execution() -> ServiceError {
    error::not_found("Durable Execution does not exist")
}

pub fn invalid_marker() -> ServiceError {
    error::invalid_parameter("Invalid Marker")
}

pub fn invalid_callback() -> ServiceError {
    error::invalid_parameter("Invalid callback id")
}

/// The callback has been completed, has timed out, or its execution has ended.
pub fn callback_closed() -> ServiceError {
    user(
        "CallbackTimeoutException",
        StatusCode::BAD_REQUEST,
        "The callback is either timed out or already completed",
    )
}

/// The name is taken by an execution with another payload or version.
pub fn already_started(by: &ExecutionArn) -> ServiceError {
    user(
        "DurableExecutionAlreadyStartedException",
        StatusCode::CONFLICT,
        format!("Execution already started: {by}"),
    )
}

/// Which version replays must be certain from the start.
pub fn unqualified() -> ServiceError {
    error::invalid_parameter("You cannot invoke a durable function using an unqualified ARN.")
}

pub fn too_long_to_wait() -> ServiceError {
    error::invalid_parameter(
        "You cannot synchronously invoke a durable function with an executionTimeout greater than \
         15 minutes.",
    )
}

pub fn not_durable() -> ServiceError {
    error::invalid_parameter(
        "You cannot use a durable execution name to invoke a function that is not durable.",
    )
}

/// Pausing, resuming or deleting does not fit the execution's state.
pub fn wrong_state(verb: &str, status: &str) -> ServiceError {
    error::conflict(format!(
        "You cannot {verb} a durable execution with status {status}."
    ))
}
