//! Changing a queue's stored settings: one at a time, on the disk first.

use std::sync::Arc;

use service::ServiceError;
use store::Batch;

use crate::completion::to_the_end;
use crate::domain::Fault;
use crate::domain::attributes::QueueAttributes;
use crate::domain::queue_name;
use crate::queue::Queue;
use crate::records::{QUEUES, QueueName, QueueRecord};
use crate::{Sqs, error};

/// Applies `change` to the queue's record and stores it.
pub async fn update(
    sqs: &Arc<Sqs>,
    queue: Arc<Queue>,
    change: impl FnOnce(&mut QueueRecord) -> Result<(), ServiceError>,
) -> Result<(), ServiceError> {
    let _changing = sqs.queues.changing.lock().await;
    if queue.is_deleted() {
        return Err(error::queue_does_not_exist());
    }
    let mut record = (*queue.record()).clone();
    change(&mut record)?;
    let mut batch = Batch::new();
    QUEUES
        .put(&mut batch, queue.name.key(), &record)
        .map_err(error::store_failed)?;
    let shared = Arc::clone(&sqs.shared);
    to_the_end(async move {
        shared
            .store
            .commit(batch)
            .await
            .map_err(error::store_failed)?;
        queue.set_record(record).await;
        Ok(())
    })
    .await
}

/// Checks that the dead-letter queue of a redrive policy is there, fits, and allows it.
pub fn check_redrive_target(
    sqs: &Sqs,
    source: &QueueName,
    attributes: &QueueAttributes,
) -> Result<(), ServiceError> {
    let Some(policy) = &attributes.redrive_policy else {
        return Ok(());
    };
    let target = &policy.dead_letter_target_arn;
    let refuse =
        |reason: &str| Err(Fault::parameter(policy.to_json(), "RedrivePolicy", reason).into());
    if target.account_id() != Some(source.account) {
        return refuse("Dead-letter target owner should be same as the source.");
    }
    if target.region().as_ref() != Some(&source.region) {
        return refuse("Dead-letter target must be in the same region as the source.");
    }
    if queue_name::is_fifo(&target.resource) != attributes.fifo {
        return refuse("Dead-letter queue must be same type of queue as the source.");
    }
    if target.resource == source.name {
        return refuse("Dead-letter queue must not be the source queue itself.");
    }
    let name = QueueName {
        name: target.resource.clone(),
        ..source.clone()
    };
    let Some(queue) = sqs.queues.get(&name) else {
        return refuse("Dead letter target does not exist.");
    };
    let source_arn = base::Arn::regional("sqs", &source.region, source.account, &source.name);
    match &queue.record().attributes.redrive_allow_policy {
        Some(allowed) if !allowed.allows(&source_arn) => {
            refuse("Dead-letter target does not allow this queue to redrive to it.")
        }
        _ => Ok(()),
    }
}
