//! DeleteQueue.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use store::Batch;
use wire::Unit;

use crate::completion::to_the_end;
use crate::generated::DeleteQueueRequest;
use crate::records::{ACCEPTED, DELETED, MESSAGES, MOVE_TASKS, QUEUES, RECEIVES};
use crate::{Sqs, error};

/// Deletes a queue with all its messages, at once: AWS may take up to 60 seconds.
pub async fn delete_queue(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: DeleteQueueRequest,
) -> Result<Unit, ServiceError> {
    let queue = sqs.queue(&context, &input.queue_url)?;
    let _changing = sqs.queues.changing.lock().await;
    if queue.is_deleted() {
        return Err(error::queue_does_not_exist());
    }
    let mut batch = Batch::new();
    QUEUES.delete(&mut batch, queue.name.key());
    MESSAGES.delete_prefix(&mut batch, queue.id);
    RECEIVES.delete_prefix(&mut batch, queue.id);
    ACCEPTED.delete_prefix(&mut batch, queue.id);
    MOVE_TASKS.delete_prefix(&mut batch, queue.id);
    if sqs.config.refuse_recently_deleted_names {
        let now = sqs.shared.clock.now();
        DELETED
            .put(&mut batch, queue.name.key(), &now)
            .map_err(error::store_failed)?;
    }
    to_the_end({
        let sqs = Arc::clone(&sqs);
        async move {
            sqs.shared
                .store
                .commit(batch)
                .await
                .map_err(error::store_failed)?;
            sqs.queues.remove(&queue.name);
            queue.mark_deleted();
            Ok(Unit {})
        }
    })
    .await
}
