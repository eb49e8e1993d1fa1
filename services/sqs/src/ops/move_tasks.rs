//! StartMessageMoveTask, CancelMessageMoveTask and ListMessageMoveTasks.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>

use std::sync::Arc;

use base::Arn;
use service::{RequestContext, ServiceError};
use store::Batch;

use crate::domain::move_task::{MoveTask, Status};
use crate::domain::queue_name;
use crate::generated::{
    CancelMessageMoveTaskRequest, CancelMessageMoveTaskResult, ListMessageMoveTasksRequest,
    ListMessageMoveTasksResult, ListMessageMoveTasksResultEntry, StartMessageMoveTaskRequest,
    StartMessageMoveTaskResult,
};
use crate::moving::{forget_old, of_queue};
use crate::queue::Queue;
use crate::records::{MOVE_TASKS, QueueName, move_task_key};
use crate::{Sqs, error};

const FASTEST: i32 = 500;
const MAX_RESULTS: i32 = 10;

/// Answers once the task is durable; it goes on behind, also over restarts.
pub async fn start_message_move_task(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: StartMessageMoveTaskRequest,
) -> Result<StartMessageMoveTaskResult, ServiceError> {
    let rate = match input.max_number_of_messages_per_second {
        None => None,
        Some(rate) if (1..=FASTEST).contains(&rate) => Some(rate.unsigned_abs()),
        Some(rate) => {
            return Err(error::invalid_parameter(
                rate,
                "MaxNumberOfMessagesPerSecond",
                "Value must be an integer between 1 and 500.",
            ));
        }
    };
    let _changing = sqs.queues.changing.lock().await;
    let source = sqs.by_arn(&context, &input.source_arn, "SourceArn")?;
    if !sqs.is_dead_letter_queue(&source) {
        return Err(error::invalid_parameter_value(
            "Source queue must be configured as a Dead Letter Queue.",
        ));
    }
    let destination = match &input.destination_arn {
        None => None,
        Some(arn) => {
            let destination = sqs.by_arn(&context, arn, "DestinationArn")?;
            if queue_name::is_fifo(&destination.name.name) != source.is_fifo() {
                return Err(error::invalid_parameter_value(
                    "Source and destination queues must be of the same type.",
                ));
            }
            if destination.name == source.name {
                return Err(error::invalid_parameter_value(
                    "Source and destination queues must be different.",
                ));
            }
            Some(destination.arn.clone())
        }
    };
    let tasks = of_queue(&sqs, &source).await?;
    if tasks.iter().any(|task| task.status.is_active()) {
        return Err(error::unsupported(
            "There is already a task running. Only one active task is allowed for a source queue \
             arn at a given time.",
        ));
    }
    let task = MoveTask {
        id: uuid::Uuid::new_v4().to_string(),
        source: source.arn.clone(),
        destination,
        rate,
        started_at: sqs.shared.clock.now(),
        to_move: source.counts().await?.visible as u64,
        moved: 0,
        status: Status::Running,
    };
    let mut batch = Batch::new();
    MOVE_TASKS
        .put(&mut batch, move_task_key(source.id, &task), &task)
        .map_err(error::store_failed)?;
    forget_old(&mut batch, source.id, &tasks);
    let store = &sqs.shared.store;
    store.commit(batch).await.map_err(error::store_failed)?;
    let handle = task.handle();
    sqs.begin_move(source, task);
    Ok(StartMessageMoveTaskResult {
        task_handle: Some(handle),
    })
}

/// What is on its way still arrives.
pub async fn cancel_message_move_task(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: CancelMessageMoveTaskRequest,
) -> Result<CancelMessageMoveTaskResult, ServiceError> {
    let (id, source) = MoveTask::read_handle(&input.task_handle).ok_or_else(|| {
        error::invalid_parameter_value("Value for parameter TaskHandle is invalid.")
    })?;
    let source = sqs.by_arn(&context, &source.to_string(), "SourceArn")?;
    // Between two steps of the task, so that neither overwrites what the other says.
    let _step = source.moving.lock().await;
    let tasks = of_queue(&sqs, &source).await?;
    let task = tasks.into_iter().find(|task| task.id == id);
    let mut task = task.ok_or_else(|| error::resource_not_found("Task does not exist."))?;
    if task.status != Status::Running {
        return Err(error::unsupported("Only active tasks can be cancelled."));
    }
    task.status = Status::Cancelling;
    let mut batch = Batch::new();
    MOVE_TASKS
        .put(&mut batch, move_task_key(source.id, &task), &task)
        .map_err(error::store_failed)?;
    let store = &sqs.shared.store;
    store.commit(batch).await.map_err(error::store_failed)?;
    source.cancelled.notify_waiters();
    Ok(CancelMessageMoveTaskResult {
        approximate_number_of_messages_moved: Some(task.moved as i64),
    })
}

/// The last ten at most, the newest first.
pub async fn list_message_move_tasks(
    sqs: Arc<Sqs>,
    context: RequestContext,
    input: ListMessageMoveTasksRequest,
) -> Result<ListMessageMoveTasksResult, ServiceError> {
    let most = input.max_results.unwrap_or(1);
    if !(1..=MAX_RESULTS).contains(&most) {
        return Err(error::invalid_parameter(
            most,
            "MaxResults",
            "Value must be an integer between 1 and 10.",
        ));
    }
    let source = sqs.by_arn(&context, &input.source_arn, "SourceArn")?;
    let tasks = of_queue(&sqs, &source).await?;
    let entries = tasks.into_iter().take(most as usize).map(entry).collect();
    Ok(ListMessageMoveTasksResult {
        results: Some(entries),
    })
}

fn entry(task: MoveTask) -> ListMessageMoveTasksResultEntry {
    let handle = (task.status == Status::Running).then(|| task.handle());
    ListMessageMoveTasksResultEntry {
        task_handle: handle,
        status: Some(task.status.name().to_owned()),
        source_arn: Some(task.source.to_string()),
        destination_arn: task.destination.map(|arn| arn.to_string()),
        max_number_of_messages_per_second: task.rate.and_then(|rate| i32::try_from(rate).ok()),
        approximate_number_of_messages_moved: Some(task.moved as i64),
        approximate_number_of_messages_to_move: Some(task.to_move as i64),
        failure_reason: match task.status {
            Status::Failed { reason } => Some(reason),
            _ => None,
        },
        started_timestamp: Some(task.started_at.millis()),
    }
}

impl Sqs {
    /// The queue of an ARN, which must be the caller's.
    fn by_arn(
        &self,
        context: &RequestContext,
        arn: &str,
        parameter: &str,
    ) -> Result<Arc<Queue>, ServiceError> {
        let invalid = || {
            error::invalid_parameter_value(format!(
                "You must use this format to specify the {parameter}: \
                 arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
            ))
        };
        let parsed: Arn = arn.parse().map_err(|_| invalid())?;
        let name = QueueName {
            account: parsed.account_id().ok_or_else(invalid)?,
            region: parsed.region().ok_or_else(invalid)?,
            name: parsed.resource.clone(),
        };
        if parsed.service != "sqs" {
            return Err(invalid());
        }
        let queue = self.queues.get(&name);
        let own = queue.filter(|_| name.account == context.account);
        own.ok_or_else(|| {
            error::resource_not_found(format!(
                "The resource that you specified for the {parameter} parameter doesn't exist."
            ))
        })
    }

    /// Whether another queue's redrive policy names it.
    fn is_dead_letter_queue(&self, queue: &Queue) -> bool {
        let names_it = |other: &Queue| {
            let record = other.record();
            let policy = record.attributes.redrive_policy.as_ref();
            policy.is_some_and(|policy| policy.dead_letter_target_arn == queue.arn)
        };
        let QueueName {
            account, region, ..
        } = &queue.name;
        let sources = self.queues.list(*account, region, None, names_it, 1);
        !sources.is_empty()
    }
}
