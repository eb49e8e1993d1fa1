//! PurgeQueue.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_PurgeQueue.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use wire::Unit;

use crate::Sqs;
use crate::generated::PurgeQueueRequest;

/// Deletes what is in the queue now, messages in flight included.
pub async fn purge_queue(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: PurgeQueueRequest,
) -> Result<Unit, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    queue.purge(sqs.config.one_purge_a_minute).await?;
    Ok(Unit {})
}
