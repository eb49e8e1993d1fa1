//! Stopping, pausing, resuming and deleting executions.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/durable-managing-executions.html>

use std::sync::Arc;
use std::time::Duration;

use base::Timestamp;
use service::ServiceError;

use super::arn::ExecutionArn;
use super::records::{Control, Detail, Failure, Head, Pause};
use super::state::Draft;
use super::{Durable, LONGEST, refusals};
use crate::generated::{EventType, ExecutionStatus};

/// How long a client's token stands for the same request.
const REMEMBERED: Duration = Duration::from_mins(15);

impl Durable {
    /// Ends an execution, and says when it ended. One that has ended stays as it is.
    pub async fn stop(
        self: &Arc<Self>,
        arn: ExecutionArn,
        error: Option<Failure>,
    ) -> Result<Timestamp, ServiceError> {
        let this = Arc::clone(self);
        Self::undisturbed(async move {
            let mut entered = this.enter_named(&arn).await?;
            if let Some(ended) = entered.head.ended {
                return Ok(ended);
            }
            let mut draft = Draft::of(&entered, this.now());
            let now = draft.now;
            let error = error.unwrap_or_default();
            draft.close(ExecutionStatus::Stopped, None, Some(error));
            let change = draft.done();
            this.commit(&mut entered, change).await?;
            Ok(now)
        })
        .await
    }

    /// Has no more of the function run. An invocation that is under way goes on to its next
    /// checkpoint.
    pub async fn pause(
        self: &Arc<Self>,
        arn: ExecutionArn,
        reason: Option<String>,
        holds_timeout: bool,
        client_token: Option<String>,
    ) -> Result<(), ServiceError> {
        let this = Arc::clone(self);
        Self::undisturbed(async move {
            let mut entered = this.enter_named(&arn).await?;
            let now = this.now();
            if is_repeated(&entered.head, client_token.as_deref(), true, now) {
                return Ok(());
            }
            if entered.head.status != ExecutionStatus::Running {
                return Err(refusals::wrong_state("pause", entered.head.status.as_str()));
            }
            let is_running = entered.invocation.is_some();
            let mut draft = Draft::of(&entered, now);
            draft.head.pause = Some(Pause {
                requested: now,
                began: None,
                reason,
                holds_timeout,
            });
            draft.head.last_control = remembered(client_token, true, now);
            if is_running {
                draft.head.status = ExecutionStatus::Pausing;
            } else {
                pause_now(&mut draft);
            }
            let change = draft.done();
            this.commit(&mut entered, change).await
        })
        .await
    }

    /// Has the function go on from its last checkpoint.
    pub async fn resume_paused(
        self: &Arc<Self>,
        arn: ExecutionArn,
        reason: Option<String>,
        client_token: Option<String>,
    ) -> Result<(), ServiceError> {
        let this = Arc::clone(self);
        Self::undisturbed(async move {
            let mut entered = this.enter_named(&arn).await?;
            let now = this.now();
            if is_repeated(&entered.head, client_token.as_deref(), false, now) {
                return Ok(());
            }
            let mut draft = Draft::of(&entered, now);
            draft.head.last_control = remembered(client_token, false, now);
            let pause = draft.head.pause.take();
            match draft.head.status {
                // It has not taken effect.
                ExecutionStatus::Pausing => {}
                ExecutionStatus::Paused => {
                    if let Some((pause, began)) = pause.and_then(|it| it.began.map(|at| (it, at)))
                        && pause.holds_timeout
                    {
                        draft.head.deadline = held_deadline(&draft.head, began, now);
                    }
                    let detail = Detail::Resumed {
                        requested: now,
                        reason,
                    };
                    draft.event(EventType::ExecutionResumed, None, detail);
                }
                other => return Err(refusals::wrong_state("resume", other.as_str())),
            }
            draft.head.status = ExecutionStatus::Running;
            let change = draft.done();
            this.commit(&mut entered, change).await
        })
        .await
    }

    /// Deletes an execution that has ended, and says when.
    pub async fn delete(self: &Arc<Self>, arn: ExecutionArn) -> Result<Timestamp, ServiceError> {
        let this = Arc::clone(self);
        Self::undisturbed(async move {
            let mut entered = this.enter_named(&arn).await?;
            if !entered.head.is_closed() {
                return Err(refusals::wrong_state(
                    "delete",
                    entered.head.status.as_str(),
                ));
            }
            this.remove(&mut entered).await?;
            Ok(this.now())
        })
        .await
    }
}

/// What was asked for takes effect.
pub fn pause_now(draft: &mut Draft<'_>) {
    let now = draft.now;
    draft.head.status = ExecutionStatus::Paused;
    let Some(pause) = &mut draft.head.pause else {
        return;
    };
    pause.began = Some(now);
    let detail = Detail::Paused {
        requested: pause.requested,
        reason: pause.reason.clone(),
        holds_timeout: pause.holds_timeout,
    };
    draft.event(EventType::ExecutionPaused, None, detail);
}

/// When an execution that is running or paused times out at the latest, as things are now.
pub fn expected_timeout(head: &Head) -> Timestamp {
    let held = head
        .pause
        .as_ref()
        .is_some_and(|it| it.holds_timeout && it.began.is_some());
    if held {
        head.started + LONGEST
    } else {
        head.deadline
    }
}

/// With the time of a pause added, but no later than any execution may end.
fn held_deadline(head: &Head, began: Timestamp, now: Timestamp) -> Timestamp {
    (head.deadline + now.since(began)).min(head.started + LONGEST)
}

fn is_repeated(head: &Head, token: Option<&str>, pauses: bool, now: Timestamp) -> bool {
    let Some((last, token)) = head.last_control.as_ref().zip(token) else {
        return false;
    };
    last.client_token == token && last.pauses == pauses && now.since(last.at) < REMEMBERED
}

fn remembered(token: Option<String>, pauses: bool, at: Timestamp) -> Option<Control> {
    token.map(|client_token| Control {
        client_token,
        pauses,
        at,
    })
}
