//! CheckpointDurableExecution and GetDurableExecutionState: what an invocation records and reads.

use std::sync::Arc;

use service::ServiceError;

use super::arn::ExecutionArn;
use super::chained::Begun;
use super::entered::Entered;
use super::invocation::page;
use super::records::Operation;
use super::state::{Answered, Draft};
use super::tokens::CheckpointToken;
use super::{Durable, apply, control, refusals, timers, view};
use crate::generated::{
    CheckpointDurableExecutionResponse, CheckpointUpdatedExecutionState, ExecutionStatus,
    GetDurableExecutionStateResponse, OperationUpdate,
};

/// What is to be recorded.
pub struct Checkpoint {
    pub execution: ExecutionArn,
    pub token: String,
    pub client_token: Option<String>,
    pub updates: Vec<OperationUpdate>,
}

impl Durable {
    /// # Errors
    /// A token that is not the present one; updates that do not fit.
    pub async fn checkpoint(
        self: &Arc<Self>,
        checkpoint: Checkpoint,
    ) -> Result<CheckpointDurableExecutionResponse, ServiceError> {
        let this = Arc::clone(self);
        Self::undisturbed(async move { this.checkpoint_now(checkpoint).await }).await
    }

    async fn checkpoint_now(
        self: &Arc<Self>,
        checkpoint: Checkpoint,
    ) -> Result<CheckpointDurableExecutionResponse, ServiceError> {
        let (mut entered, token) = self
            .enter_with_token(&checkpoint.execution, &checkpoint.token)
            .await?;
        if let Some(answered) = repeated(&entered, &token, checkpoint.client_token.as_deref()) {
            return Ok(answer(Some(&answered.next), &answered.operations));
        }
        check_token(&entered, &token)?;
        let mut draft = Draft::of(&entered, self.now());
        let invocations = apply::apply(&mut draft, checkpoint.updates)?;
        let (mut beginnings, mut plain) = (Vec::new(), Vec::new());
        for number in invocations {
            match self.begin_target(&mut draft, number) {
                Begun::Execution(beginning) => beginnings.push(*beginning),
                Begun::Plain => plain.push(number),
                Begun::Failed => {}
            }
        }
        let closes = draft.head.is_closed();
        if !closes {
            // What is due by now is news for this invocation, and needs no other.
            timers::fire(&mut draft);
        }
        let is_cut_short = draft.head.status == ExecutionStatus::Pausing;
        if is_cut_short {
            draft.head.owed = true;
            control::pause_now(&mut draft);
        }
        if !draft.is_empty() {
            let change = draft.done();
            self.commit_beginnings(&mut entered, change, beginnings)
                .await?;
            self.run_targets(entered.id, plain);
        }
        if is_cut_short {
            // Without a token the function cannot go on.
            return Ok(answer(None, &[]));
        }
        let operations = entered.changed_since(entered.seen);
        entered.seen = entered.head.changes;
        if closes {
            return Ok(answer(None, &operations));
        }
        let next = CheckpointToken {
            sequence: token.sequence + 1,
            ..token.clone()
        };
        let answered = checkpoint.client_token.map(|client_token| Answered {
            client_token,
            token,
            next: next.clone(),
            operations: operations.clone(),
        });
        if let Some(invocation) = &mut entered.invocation {
            invocation.sequence = next.sequence;
            invocation.last = answered;
        }
        Ok(answer(Some(&next), &operations))
    }

    /// A page of what a replay needs.
    ///
    /// # Errors
    /// A token that is not the present one; a marker that is none.
    pub async fn state(
        self: &Arc<Self>,
        execution: &ExecutionArn,
        token: &str,
        marker: Option<&str>,
        limit: usize,
    ) -> Result<GetDurableExecutionStateResponse, ServiceError> {
        let (entered, token) = self.enter_with_token(execution, token).await?;
        check_token(&entered, &token)?;
        let from = match marker.filter(|marker| !marker.is_empty()) {
            Some(marker) => marker.parse().map_err(|_| refusals::invalid_marker())?,
            None => 0,
        };
        let replayed = entered.for_replay();
        let (page, next) = page(&replayed, from, limit);
        Ok(GetDurableExecutionStateResponse {
            operations: page.into_iter().map(|it| view::shown(it)).collect(),
            // Clients know the last page by its empty marker.
            next_marker: Some(next.map_or_else(String::new, |next| next.to_string())),
        })
    }

    /// Whoever asks for an execution that is not there is answered as one with a wrong token.
    async fn enter_with_token(
        self: &Arc<Self>,
        execution: &ExecutionArn,
        token: &str,
    ) -> Result<(Entered, CheckpointToken), ServiceError> {
        let token = CheckpointToken::parse(token).ok_or_else(refusals::invalid_token)?;
        if execution.uuid() != Some(token.execution) {
            return Err(refusals::token_of_another());
        }
        let entered = self.enter(token.execution).await?;
        let entered = entered.ok_or_else(refusals::invalid_token)?;
        if entered.head.arn() != *execution {
            return Err(refusals::token_of_another());
        }
        Ok((entered, token))
    }
}

fn check_token(entered: &Entered, token: &CheckpointToken) -> Result<(), ServiceError> {
    let is_current = entered.invocation.as_ref().is_some_and(|invocation| {
        invocation.id == token.invocation && invocation.sequence == token.sequence
    });
    if is_current && !entered.head.is_closed() && !entered.head.is_paused() {
        Ok(())
    } else {
        Err(refusals::invalid_token())
    }
}

/// The last checkpoint, if this is it again.
fn repeated(
    entered: &Entered,
    token: &CheckpointToken,
    client_token: Option<&str>,
) -> Option<Answered> {
    let last = entered.invocation.as_ref()?.last.as_ref()?;
    let is_same = last.token == *token && Some(last.client_token.as_str()) == client_token;
    (is_same && !entered.head.is_closed()).then(|| last.clone())
}

fn answer(
    token: Option<&CheckpointToken>,
    operations: &[Arc<Operation>],
) -> CheckpointDurableExecutionResponse {
    CheckpointDurableExecutionResponse {
        checkpoint_token: token.map(CheckpointToken::text),
        new_execution_state: CheckpointUpdatedExecutionState {
            operations: Some(operations.iter().map(|it| view::shown(it)).collect()),
            next_marker: None,
        },
    }
}
