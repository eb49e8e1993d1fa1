//! ChangeMessageVisibility and ChangeMessageVisibilityBatch.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>

use std::sync::Arc;
use std::time::Duration;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::batch::failed_entry;
use crate::domain::batch;
use crate::domain::visibility::MAX_VISIBILITY_TIMEOUT;
use crate::generated::{
    ChangeMessageVisibilityBatchRequest, ChangeMessageVisibilityBatchResult,
    ChangeMessageVisibilityBatchResultEntry, ChangeMessageVisibilityRequest,
};
use crate::{Sqs, error};

pub async fn change_message_visibility(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: ChangeMessageVisibilityRequest,
) -> Result<Unit, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    let timeout = timeout(Some(input.visibility_timeout))?;
    queue
        .change_visibility(&input.receipt_handle, timeout)
        .await?;
    Ok(Unit {})
}

pub async fn change_message_visibility_batch(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: ChangeMessageVisibilityBatchRequest,
) -> Result<ChangeMessageVisibilityBatchResult, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    let ids = input.entries.iter().map(|entry| entry.id.as_str());
    batch::check(ids, "ChangeMessageVisibilityBatchRequestEntry")?;
    let mut result = ChangeMessageVisibilityBatchResult::default();
    for entry in input.entries {
        let outcome = match timeout(entry.visibility_timeout) {
            Ok(timeout) => {
                queue
                    .change_visibility(&entry.receipt_handle, timeout)
                    .await
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => result
                .successful
                .push(ChangeMessageVisibilityBatchResultEntry { id: entry.id }),
            Err(error) => result.failed.push(failed_entry(entry.id, &error)),
        }
    }
    Ok(result)
}

fn timeout(seconds: Option<i32>) -> Result<Duration, ServiceError> {
    let seconds = seconds.ok_or_else(|| error::missing_parameter("VisibilityTimeout"))?;
    let timeout = u64::try_from(seconds).map(Duration::from_secs);
    timeout
        .ok()
        .filter(|timeout| *timeout <= MAX_VISIBILITY_TIMEOUT)
        .ok_or_else(|| {
            error::invalid_parameter(
                seconds,
                "VisibilityTimeout",
                "VisibilityTimeout must be an integer between 0 and 43200.",
            )
        })
}
