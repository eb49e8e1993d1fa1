//! Amazon SQS.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html>

mod cache;
mod completion;
mod domain;
mod error;
pub mod generated;
mod moving;
mod ops;
mod queue;
mod queues;
mod records;
mod service_impl;

use std::sync::Arc;

use base::Clock;
use generated as sqs;
use service::{Operation, Service, operation};
use store::{Store, StoreError};

use queues::Queues;

/// How the service is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// Host and port in the queue URLs of callers that did not come over HTTP.
    pub authority: String,
    /// Bytes of message content kept in memory; what is beyond is read from the store when it is
    /// received.
    pub content_in_memory: usize,
    /// Refuses a second purge of a queue within 60 seconds, as AWS does.
    pub one_purge_a_minute: bool,
    /// Refuses the name of a queue deleted within the last 60 seconds, as AWS does. Off by
    /// default: stacks are torn down and set up again faster than that when developing.
    pub refuse_recently_deleted_names: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            authority: "localhost:4566".to_owned(),
            content_in_memory: 64 * 1024 * 1024,
            one_purge_a_minute: true,
            refuse_recently_deleted_names: false,
        }
    }
}

/// What the operations work on.
pub struct Sqs {
    config: Config,
    shared: Arc<queue::Shared>,
    queues: Queues,
}

/// Opens the service on a store.
pub async fn service(
    config: Config,
    store: Arc<dyn Store>,
    clock: Clock,
) -> Result<Arc<dyn Service>, StoreError> {
    let shared = Arc::new(queue::Shared {
        store,
        clock,
        budget: cache::Budget::new(config.content_in_memory),
    });
    let queues = Queues::open(&shared).await?;
    let sqs = Arc::new(Sqs {
        config,
        shared,
        queues,
    });
    sqs.resume_moves().await?;
    Ok(Arc::new(service_impl::SqsService(sqs)))
}

/// What the service answers.
pub static OPERATIONS: &[Operation<Sqs>] = &[
    operation!(sqs::AddPermission => ops::add_permission),
    operation!(sqs::CancelMessageMoveTask => ops::cancel_message_move_task),
    operation!(sqs::ChangeMessageVisibility => ops::change_message_visibility),
    operation!(sqs::ChangeMessageVisibilityBatch => ops::change_message_visibility_batch),
    operation!(sqs::CreateQueue => ops::create_queue),
    operation!(sqs::DeleteMessage => ops::delete_message),
    operation!(sqs::DeleteMessageBatch => ops::delete_message_batch),
    operation!(sqs::DeleteQueue => ops::delete_queue),
    operation!(sqs::GetQueueAttributes => ops::get_queue_attributes),
    operation!(sqs::GetQueueUrl => ops::get_queue_url),
    operation!(sqs::ListDeadLetterSourceQueues => ops::list_dead_letter_source_queues),
    operation!(sqs::ListMessageMoveTasks => ops::list_message_move_tasks),
    operation!(sqs::ListQueueTags => ops::list_queue_tags),
    operation!(sqs::ListQueues => ops::list_queues),
    operation!(sqs::PurgeQueue => ops::purge_queue),
    operation!(sqs::ReceiveMessage => ops::receive_message),
    operation!(sqs::RemovePermission => ops::remove_permission),
    operation!(sqs::SendMessage => ops::send_message),
    operation!(sqs::SendMessageBatch => ops::send_message_batch),
    operation!(sqs::SetQueueAttributes => ops::set_queue_attributes),
    operation!(sqs::StartMessageMoveTask => ops::start_message_move_task),
    operation!(sqs::TagQueue => ops::tag_queue),
    operation!(sqs::UntagQueue => ops::untag_queue),
];
