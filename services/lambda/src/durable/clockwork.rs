//! What wakes executions: one timer for all of them, and no more invocations at once than there are
//! environments for.

use std::collections::VecDeque;
use std::sync::Arc;

use base::Timestamp;
use futures::StreamExt as _;
use service::ServiceError;
use store::StoreError;
use uuid::Uuid;

use super::entered::Entered;
use super::records::HEADS;
use super::state::{Draft, removal};
use super::{Durable, control, timers};
use crate::error;
use crate::generated::ExecutionStatus;

use super::records::Failure;

/// Executions that are woken at once: their batches share a sync.
const AT_ONCE: usize = 64;
/// Invocations at once, of all functions. Functions' own limits are the executor's.
const MAX_INVOCATIONS: usize = 1_000;
/// Records read at once.
const PAGE: usize = 500;

/// Executions whose invocation is to begin.
#[derive(Default)]
pub struct Lanes {
    running: usize,
    waiting: VecDeque<Uuid>,
}

impl Durable {
    /// Takes up what an earlier run left. Must be called within a Tokio runtime, once.
    pub async fn resume(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = HEADS.scan(&self.store, (), after.as_ref(), PAGE).await?;
            for row in page.rows {
                let head = row.value;
                let Ok(id) = head.id.parse::<Uuid>() else {
                    return Err(StoreError::corrupt(format!("execution {}", head.id)));
                };
                self.agenda.set(&id, head.due);
                if head.is_closed() {
                    self.tell_parent_later(&head);
                } else if head.plain_targets > 0 {
                    self.take_up_targets(id);
                }
                let is_due = head.retry_at.is_none_or(|at| at <= self.now());
                if head.owed && !head.is_paused() && is_due {
                    self.launch(id);
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let this = Arc::clone(self);
        *self.clockwork.lock() = Some(tokio::spawn(async move { this.keep_time().await }));
        Ok(())
    }

    /// Wakes nobody more.
    pub fn end(&self) {
        self.is_open.send_replace(false);
        if let Some(clockwork) = self.clockwork.lock().take() {
            clockwork.abort();
        }
    }

    async fn keep_time(self: Arc<Self>) {
        loop {
            let due = self.agenda.due(&self.clock).await;
            futures::stream::iter(due)
                .for_each_concurrent(AT_ONCE, |(_, id)| {
                    let this = Arc::clone(&self);
                    async move { this.wake_or_later(id).await }
                })
                .await;
        }
    }

    async fn wake_or_later(self: Arc<Self>, id: Uuid) {
        let this = Arc::clone(&self);
        let woken = Self::undisturbed(async move { this.wake(id).await }).await;
        if let Err(error) = woken {
            tracing::error!(%error, execution = %id, "lambda: wake a durable execution");
            let later = self.now() + std::time::Duration::from_secs(1);
            self.agenda.set(&id, Some(later));
        }
    }

    /// Has everything happen to an execution that is due.
    pub(super) async fn wake(self: &Arc<Self>, id: Uuid) -> Result<(), ServiceError> {
        let Some(mut entered) = self.enter(id).await? else {
            return Ok(());
        };
        let now = self.now();
        if entered.head.is_closed() {
            return self.wake_closed(&mut entered, now).await;
        }
        let mut draft = Draft::of(&entered, now);
        if control::expected_timeout(&draft.head) <= now {
            let seconds = draft.head.timeout;
            let error = Failure {
                message: Some(format!("Execution timed out after {seconds} seconds.")),
                ..Failure::default()
            };
            draft.close(ExecutionStatus::TimedOut, None, Some(error));
            let change = draft.done();
            return self.commit(&mut entered, change).await;
        }
        if timers::fire(&mut draft) {
            draft.head.owed = true;
            let change = draft.done();
            return self.commit(&mut entered, change).await;
        }
        // A retry, or nothing: somebody was faster.
        let is_retry = draft.head.retry_at.is_some_and(|at| at <= now);
        if is_retry {
            entered.head.retry_at = None;
        }
        let due = Draft::of(&entered, now).done().head.due;
        entered.head.due = due;
        self.agenda.set(&id, due);
        self.launch_if_owed(&entered);
        Ok(())
    }

    /// Deletes one whose retention is over.
    async fn wake_closed(
        self: &Arc<Self>,
        entered: &mut Entered,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        if entered.head.due.is_some_and(|due| due > now) {
            self.agenda.set(&entered.id, entered.head.due);
            return Ok(());
        }
        self.remove(entered).await
    }

    /// Takes an execution out of the store and out of memory.
    pub(super) async fn remove(&self, entered: &mut Entered) -> Result<(), ServiceError> {
        let batch = removal(&entered.head);
        let removed = self.store.commit(batch).await;
        entered.forget();
        removed.map_err(error::store_failed)?;
        self.agenda.set(&entered.id, None);
        Ok(())
    }

    /// Begins an invocation if one is owed, none is under way, and nothing holds it up.
    pub(super) fn launch_if_owed(self: &Arc<Self>, entered: &Entered) {
        let head = &entered.head;
        let is_held = head.is_closed()
            || matches!(head.status, ExecutionStatus::Paused)
            || head.retry_at.is_some_and(|at| at > self.now());
        if head.owed && !is_held && entered.invocation.is_none() {
            self.launch(entered.id);
        }
    }

    /// Begins an invocation as soon as there is room.
    pub(super) fn launch(self: &Arc<Self>, id: Uuid) {
        if !*self.is_open.borrow() {
            return;
        }
        {
            let mut lanes = self.lanes.lock();
            if lanes.running >= MAX_INVOCATIONS {
                lanes.waiting.push_back(id);
                return;
            }
            lanes.running += 1;
        }
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let mut next = Some(id);
            while let Some(id) = next {
                this.drive(id).await;
                let mut lanes = this.lanes.lock();
                next = lanes.waiting.pop_front();
                if next.is_none() {
                    lanes.running -= 1;
                }
            }
        });
    }
}
