//! Carries out message move tasks: in small steps, each of which is one commit with its count.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base::Arn;
use service::ServiceError;
use store::{Batch, Durability, StoreError};

use crate::completion::to_the_end;
use crate::domain::move_task::{MoveTask, Status};
use crate::queue::{How, Leaving, Queue};
use crate::records::{MOVE_TASKS, QueueName, move_task_key};
use crate::{Sqs, error};

/// Messages moved in one step; fewer where a rate is given.
const STEP: u32 = 100;
/// Tasks remembered of a queue.
const REMEMBERED: usize = 10;
/// How long a task rests after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// What has become of a step.
enum Step {
    /// So many messages were moved.
    Moved(u64),
    Ended,
}

impl Sqs {
    /// Goes on with the tasks that an earlier run has left.
    pub(crate) async fn resume_moves(self: &Arc<Self>) -> Result<(), StoreError> {
        for queue in self.queues.all() {
            let tasks = MOVE_TASKS
                .scan(&*self.shared.store, queue.id, None, REMEMBERED + 1)
                .await?;
            let active = tasks.rows.into_iter().map(|row| row.value);
            for task in active.filter(|task| task.status.is_active()) {
                self.begin_move(Arc::clone(&queue), task);
            }
        }
        Ok(())
    }

    pub(crate) fn begin_move(self: &Arc<Self>, source: Arc<Queue>, task: MoveTask) {
        let (sqs, clock) = (Arc::downgrade(self), self.shared.clock.clone());
        tokio::spawn(async move {
            // A step moves as many as a tenth of a second allows, and at least one.
            let step = task.rate.map_or(STEP, |rate| rate.div_ceil(10)).max(1);
            let rate = task.rate.map(f64::from);
            loop {
                let Some(sqs) = sqs.upgrade() else { return };
                let mut cancelled = std::pin::pin!(source.cancelled.notified());
                cancelled.as_mut().enable();
                let began = clock.now();
                let stepped = sqs.step(&source, &task.id, step as usize).await;
                drop(sqs);
                let rest = match stepped {
                    Ok(Step::Ended) => return,
                    Ok(Step::Moved(count)) => match rate {
                        None => Duration::ZERO,
                        Some(rate) => Duration::from_secs_f64(count as f64 / rate),
                    },
                    Err(_) if source.is_deleted() => return,
                    // It has been logged where it happened.
                    Err(_) => PAUSE,
                };
                if rest.is_zero() {
                    tokio::task::yield_now().await;
                    continue;
                }
                tokio::select! {
                    () = clock.sleep_until(began + rest) => {}
                    () = cancelled => {}
                }
            }
        });
    }

    async fn step(
        self: &Arc<Self>,
        source: &Arc<Queue>,
        id: &str,
        most: usize,
    ) -> Result<Step, ServiceError> {
        let _step = source.moving.lock().await;
        let tasks = of_queue(self, source).await?;
        let Some(mut task) = tasks.into_iter().find(|task| task.id == id) else {
            return Ok(Step::Ended);
        };
        if task.status == Status::Cancelling {
            return self.end(source, task, Status::Cancelled).await;
        }
        let leaving = source.withdraw(most).await?;
        if leaving.is_empty() {
            return self.end(source, task, Status::Completed).await;
        }
        let mut by_target: BTreeMap<Option<String>, Vec<Leaving>> = BTreeMap::new();
        for one in leaving {
            let target = task.destination.clone().or_else(|| one.came_from());
            let target = target.map(|arn| arn.to_string());
            by_target.entry(target).or_default().push(one);
        }
        let before = task.moved;
        let mut problem = None;
        let mut failed = None;
        for (target, leaving) in by_target {
            if problem.is_some() || failed.is_some() {
                source.put_back(&leaving);
                continue;
            }
            let target = match target {
                None => {
                    problem = Some("CouldNotDetermineMessageSource");
                    None
                }
                Some(arn) => {
                    let queue = self.by_target(&arn);
                    if queue.is_none() {
                        problem = Some("AWS.SimpleQueueService.NonExistentQueue");
                    }
                    queue
                }
            };
            let Some(target) = target else {
                source.put_back(&leaving);
                continue;
            };
            task.moved += leaving.len() as u64;
            let key = move_task_key(source.id, &task);
            let how = How::Redriven(Box::new((key, task.clone())));
            let leaving = leaving.into_iter().map(|one| one.exhausted).collect();
            let moved = to_the_end(Arc::clone(source).move_to(target, leaving, how));
            failed = moved.await.err();
        }
        if let Some(error) = failed {
            return Err(error);
        }
        match problem {
            None => Ok(Step::Moved(task.moved - before)),
            Some(reason) => {
                let reason = reason.to_owned();
                self.end(source, task, Status::Failed { reason }).await
            }
        }
    }

    fn by_target(&self, arn: &str) -> Option<Arc<Queue>> {
        let arn: Arn = arn.parse().ok()?;
        self.queues.get(&QueueName {
            account: arn.account_id()?,
            region: arn.region()?,
            name: arn.resource,
        })
    }

    async fn end(
        &self,
        source: &Queue,
        mut task: MoveTask,
        status: Status,
    ) -> Result<Step, ServiceError> {
        task.status = status;
        let mut batch = Batch::new();
        batch.durability(Durability::Lazy);
        MOVE_TASKS
            .put(&mut batch, move_task_key(source.id, &task), &task)
            .map_err(error::store_failed)?;
        let store = &self.shared.store;
        store.commit(batch).await.map_err(error::store_failed)?;
        Ok(Step::Ended)
    }
}

/// The tasks of a source queue, the newest first.
pub async fn of_queue(sqs: &Sqs, source: &Queue) -> Result<Vec<MoveTask>, ServiceError> {
    let page = MOVE_TASKS
        .scan_reversed(&*sqs.shared.store, source.id, None, REMEMBERED + 1)
        .await
        .map_err(error::store_failed)?;
    Ok(page.rows.into_iter().map(|row| row.value).collect())
}

/// Makes room for another task in a batch that adds one.
pub fn forget_old(batch: &mut Batch, source: u64, tasks: &[MoveTask]) {
    for task in tasks.iter().skip(REMEMBERED - 1) {
        MOVE_TASKS.delete(batch, move_task_key(source, task));
    }
}
