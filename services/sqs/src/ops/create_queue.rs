//! CreateQueue.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use service::{RequestContext, ServiceError};
use store::Batch;

use super::queue_tags;
use super::settings::check_redrive_target;
use crate::completion::to_the_end;
use crate::domain::attributes::QueueAttributes;
use crate::domain::queue_name;
use crate::generated::{CreateQueueRequest, CreateQueueResult};
use crate::queue::Queue;
use crate::records::{DELETED, QUEUES, QueueName, QueueRecord};
use crate::{Sqs, error};

/// How long a deleted queue's name stays taken, where that is enforced.
const NAME_FREE_AFTER: Duration = Duration::from_mins(1);

/// Creates a queue; a queue of that name with the same values for the given attributes is answered
/// as if it were new.
pub async fn create_queue(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: CreateQueueRequest,
) -> Result<CreateQueueResult, ServiceError> {
    let given = input.attributes.unwrap_or_default();
    let fifo = given.get("FifoQueue").is_some_and(|value| value == "true");
    queue_name::check(&input.queue_name, fifo)?;
    let attributes = attributes(fifo, &given)?;
    let tags = input.tags.unwrap_or_default();
    queue_tags::check(&tags)?;
    let name = QueueName {
        account: context.account,
        region: context.region.clone(),
        name: input.queue_name,
    };
    let result = CreateQueueResult {
        queue_url: Some(sqs.url(&context, &name)),
    };

    let _changing = sqs.queues.changing.lock().await;
    if let Some(existing) = sqs.queues.get(&name) {
        let there = existing.record();
        let names = given.keys().map(String::as_str);
        return match there.attributes.first_difference(&attributes, names) {
            Some(attribute) => Err(error::queue_name_exists(attribute)),
            None => Ok(result),
        };
    }
    check_name_is_free(&sqs, &name).await?;
    check_redrive_target(&sqs, &name, &attributes)?;
    store(&sqs, name, attributes, tags).await?;
    Ok(result)
}

fn attributes(
    fifo: bool,
    given: &BTreeMap<String, String>,
) -> Result<QueueAttributes, ServiceError> {
    let mut attributes = QueueAttributes::new(fifo);
    attributes.set(
        &given
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    )?;
    Ok(attributes)
}

async fn check_name_is_free(sqs: &Sqs, name: &QueueName) -> Result<(), ServiceError> {
    if !sqs.config.refuse_recently_deleted_names {
        return Ok(());
    }
    let deleted_at = DELETED
        .get(&*sqs.shared.store, name.key())
        .await
        .map_err(error::store_failed)?;
    match deleted_at {
        Some(at) if at + NAME_FREE_AFTER > sqs.shared.clock.now() => {
            Err(error::queue_deleted_recently())
        }
        _ => Ok(()),
    }
}

async fn store(
    sqs: &Arc<Sqs>,
    name: QueueName,
    attributes: QueueAttributes,
    tags: BTreeMap<String, String>,
) -> Result<(), ServiceError> {
    let now = sqs.shared.clock.now();
    let record = QueueRecord {
        id: uuid::Uuid::new_v4().as_u64_pair().0,
        created_at: now,
        modified_at: now,
        attributes,
        tags,
    };
    let mut batch = Batch::new();
    QUEUES
        .put(&mut batch, name.key(), &record)
        .map_err(error::store_failed)?;
    DELETED.delete(&mut batch, name.key());
    let sqs = Arc::clone(sqs);
    to_the_end(async move {
        sqs.shared
            .store
            .commit(batch)
            .await
            .map_err(error::store_failed)?;
        sqs.queues
            .insert(Queue::new(name, record, Arc::clone(&sqs.shared)));
        Ok(())
    })
    .await
}
