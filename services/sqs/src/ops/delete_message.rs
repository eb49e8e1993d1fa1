//! DeleteMessage and DeleteMessageBatch.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use super::batch::failed_entry;
use crate::Sqs;
use crate::domain::batch;
use crate::generated::{
    DeleteMessageBatchRequest, DeleteMessageBatchResult, DeleteMessageBatchResultEntry,
    DeleteMessageRequest,
};

pub async fn delete_message(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: DeleteMessageRequest,
) -> Result<Unit, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    let outcomes = queue.delete(&[input.receipt_handle]).await?;
    outcomes.into_iter().collect::<Result<(), ServiceError>>()?;
    Ok(Unit {})
}

pub async fn delete_message_batch(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: DeleteMessageBatchRequest,
) -> Result<DeleteMessageBatchResult, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    let ids = input.entries.iter().map(|entry| entry.id.as_str());
    batch::check(ids, "DeleteMessageBatchRequestEntry")?;
    let (ids, handles): (Vec<_>, Vec<_>) = input
        .entries
        .into_iter()
        .map(|entry| (entry.id, entry.receipt_handle))
        .unzip();
    let outcomes = queue.delete(&handles).await?;
    let mut result = DeleteMessageBatchResult::default();
    for (id, outcome) in ids.into_iter().zip(outcomes) {
        match outcome {
            Ok(()) => result.successful.push(DeleteMessageBatchResultEntry { id }),
            Err(error) => result.failed.push(failed_entry(id, &error)),
        }
    }
    Ok(result)
}
