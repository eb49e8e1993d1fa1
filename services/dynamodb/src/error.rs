//! Every error a client of DynamoDB can see, as AWS words it.

use http::StatusCode;
use service::ServiceError;
use store::StoreError;
use wire::{Shape as _, Value};

use crate::domain::value::Item;
use crate::domain::{Invalid, convert};

impl From<Invalid> for ServiceError {
    fn from(invalid: Invalid) -> Self {
        Self::bad_request("ValidationException", invalid.message)
    }
}

pub fn invalid(message: impl Into<String>) -> ServiceError {
    Invalid::new(message).into()
}

/// An operation on items names a table that is not there.
pub fn resource_not_found() -> ServiceError {
    not_found("Requested resource not found")
}

/// An operation on tables names one that is not there.
pub fn table_not_found(name: &str) -> ServiceError {
    not_found(format!(
        "Requested resource not found: Table: {name} not found"
    ))
}

pub fn not_found(message: impl Into<String>) -> ServiceError {
    ServiceError::bad_request("ResourceNotFoundException", message)
}

pub fn in_use(message: impl Into<String>) -> ServiceError {
    ServiceError::bad_request("ResourceInUseException", message)
}

pub fn limit_exceeded(message: impl Into<String>) -> ServiceError {
    ServiceError::bad_request("LimitExceededException", message)
}

/// More was asked of a table, or of an index, than it may give.
pub fn throttled(on_demand: bool, of_index: bool) -> ServiceError {
    if on_demand {
        return ServiceError::bad_request(
            "ThrottlingException",
            "Throughput exceeds the maximum OnDemandThroughput configured on table or index",
        );
    }
    let message = if of_index {
        "The level of configured provisioned throughput for one or more global secondary indexes of \
         the table was exceeded. Consider increasing your provisioning level for the \
         under-provisioned global secondary indexes with the UpdateTable API"
    } else {
        "The level of configured provisioned throughput for the table was exceeded. Consider \
         increasing your provisioning level with the UpdateTable API."
    };
    ServiceError::bad_request("ProvisionedThroughputExceededException", message)
}

/// Whether a batch may leave this for the next request.
pub fn is_left_for_later(error: &ServiceError) -> bool {
    matches!(
        error.code.as_ref(),
        "TransactionConflictException"
            | "ProvisionedThroughputExceededException"
            | "ThrottlingException"
    )
}

pub fn still_in_use(what: &str, name: &str) -> ServiceError {
    in_use(format!(
        "Attempt to change a resource which is still in use: Table is being {what}: {name}"
    ))
}

/// The errors of backups, restores, exports and imports name tables by a code of their own.
pub fn no_such_table(name: &str) -> ServiceError {
    ServiceError::bad_request("TableNotFoundException", format!("Table not found: {name}"))
}

pub fn table_exists(name: &str) -> ServiceError {
    ServiceError::bad_request(
        "TableAlreadyExistsException",
        format!("Table already exists: {name}"),
    )
}

pub fn no_such_backup(arn: &str) -> ServiceError {
    ServiceError::bad_request(
        "BackupNotFoundException",
        format!("Backup not found: {arn}"),
    )
}

pub fn backup_in_use(arn: &str) -> ServiceError {
    ServiceError::bad_request("BackupInUseException", format!("Backup is in use: {arn}"))
}

pub fn no_recovery(table: &str) -> ServiceError {
    ServiceError::bad_request(
        "PointInTimeRecoveryUnavailableException",
        format!("Point in time recovery is not enabled for table '{table}'"),
    )
}

pub const CONDITION_FAILED: &str = "The conditional request failed";

/// The item is shown where the request asked for it.
pub fn condition_failed(item: Option<&Item>) -> ServiceError {
    let error = ServiceError::bad_request("ConditionalCheckFailedException", CONDITION_FAILED);
    match item {
        Some(item) => error.with_member("Item", convert::to_api(item.clone()).into_value()),
        None => error,
    }
}

/// INSERT met an item of that key.
pub fn duplicate_item() -> ServiceError {
    ServiceError::bad_request(
        "DuplicateItemException",
        "Duplicate primary key exists in table",
    )
}

/// A transaction holds the item.
pub fn transaction_conflict() -> ServiceError {
    ServiceError::bad_request(
        "TransactionConflictException",
        "Transaction is ongoing for the item",
    )
}

pub fn transaction_in_progress() -> ServiceError {
    ServiceError::bad_request(
        "TransactionInProgressException",
        "The transaction with the given request token is already in progress.",
    )
}

pub fn token_reused() -> ServiceError {
    ServiceError::bad_request(
        "IdempotentParameterMismatchException",
        "Request token is already in use with different parameters.",
    )
}

/// Why one item of a transaction cancelled it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    pub code: &'static str,
    pub message: Option<String>,
    pub item: Option<Item>,
}

impl Reason {
    pub const NONE: Self = Self {
        code: "None",
        message: None,
        item: None,
    };

    /// What an error of a single item's operation is called in a transaction's answer.
    pub fn of(error: &ServiceError, item: Option<Item>) -> Self {
        let code = match error.code.as_ref() {
            "ConditionalCheckFailedException" => "ConditionalCheckFailed",
            "TransactionConflictException" => "TransactionConflict",
            "DuplicateItemException" => "DuplicateItem",
            "ProvisionedThroughputExceededException" => "ProvisionedThroughputExceeded",
            "ThrottlingException" => "ThrottlingError",
            _ => "ValidationError",
        };
        Self {
            code,
            message: Some(error.message.clone()),
            item,
        }
    }
}

pub fn transaction_canceled(reasons: Vec<Reason>) -> ServiceError {
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code).collect();
    let message = format!(
        "Transaction cancelled, please refer cancellation reasons for specific reasons [{}]",
        codes.join(", ")
    );
    let reasons = reasons.into_iter().map(|reason| {
        Value::of_members([
            Some(("Code", Value::Str(reason.code.to_owned()))),
            reason
                .message
                .map(|message| ("Message", Value::Str(message))),
            reason
                .item
                .map(|item| ("Item", convert::to_api(item).into_value())),
        ])
    });
    ServiceError::bad_request("TransactionCanceledException", message)
        .with_member("CancellationReasons", Value::List(reasons.collect()))
}

pub fn expired_iterator() -> ServiceError {
    ServiceError::bad_request(
        "ExpiredIteratorException",
        "The shard iterator has expired: it is more than 15 minutes old.",
    )
}

pub fn trimmed() -> ServiceError {
    ServiceError::bad_request(
        "TrimmedDataAccessException",
        "The operation attempted to read past the oldest stream record in a shard.",
    )
}

/// Logs why the store failed; the client learns that it may retry.
#[expect(clippy::needless_pass_by_value, reason = "the form `map_err` takes")]
pub fn store_failed(error: StoreError) -> ServiceError {
    tracing::error!(error = %error, "dynamodb: the store failed");
    if error.is_of_the_disk() {
        return ServiceError::unavailable();
    }
    ServiceError::new(
        "InternalServerError",
        StatusCode::INTERNAL_SERVER_ERROR,
        "Internal server error",
    )
}
