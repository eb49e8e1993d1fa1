//! One invocation of an execution: its event, and what becomes of its answer.

use std::sync::Arc;
use std::time::Duration;

use base::{RequestId, Timestamp};
use bytes::Bytes;
use exec::{InvokeError, InvokeEvent, InvokeOutcome};
use serde_json::json;
use service::ServiceError;
use uuid::Uuid;

use super::output::{self, Output};
use super::records::{Detail, Failure, Head, Operation};
use super::state::{Draft, Invocation, State};
use super::tokens::CheckpointToken;
use super::{Durable, PAGE_BYTES, apply, view};
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::function::{Preparation, Version};
use crate::generated::{EventType, ExecutionStatus};

/// Failed invocations in a row after which the execution has failed: they are a second apart at
/// first, then twice as long each time.
const MAX_FAILURES: u32 = 8;
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// Answers in a row that say there is something to wait for when there is nothing.
const MAX_IDLE: u32 = 3;
/// What could not be run for no fault of the function's is tried again after this.
const PAUSE: Duration = Duration::from_secs(1);
const INVALID: &str = "InvalidParameterValueException";

/// An invocation that is to be made.
struct Prepared {
    event: Bytes,
    head: Head,
}

/// How an invocation ended.
enum Outcome {
    Answered(Bytes),
    /// The function failed, and may do better next time.
    Failed(Failure),
    /// There is nothing to run any more.
    Gone(Failure),
    /// It did not come about.
    Refused,
}

/// Whether another is to follow at once.
#[derive(PartialEq)]
enum Next {
    Again,
    Rest,
}

impl Durable {
    /// Invokes the function as long as it has something to do.
    pub(super) async fn drive(self: &Arc<Self>, id: Uuid) {
        loop {
            match self.turn(id).await {
                Ok(Next::Again) if *self.is_open.borrow() => {}
                Ok(_) => return,
                Err(error) => {
                    tracing::error!(%error, execution = %id, "lambda: run a durable execution");
                    self.agenda.set(&id, Some(self.now() + PAUSE));
                    return;
                }
            }
        }
    }

    async fn turn(self: &Arc<Self>, id: Uuid) -> Result<Next, ServiceError> {
        let Some(prepared) = self.prepare(id).await? else {
            return Ok(Next::Rest);
        };
        let started = self.now();
        let request_id = RequestId::random();
        let this = Arc::clone(self);
        // One that is lost is made again, and takes nothing with it.
        let invoked = tokio::spawn(async move { this.invoke(&prepared, request_id).await });
        let outcome = invoked.await.unwrap_or(Outcome::Refused);
        let this = Arc::clone(self);
        Self::undisturbed(async move { this.finish(id, outcome, started, request_id).await }).await
    }

    /// `None` if there is nothing to invoke it for.
    async fn prepare(self: &Arc<Self>, id: Uuid) -> Result<Option<Prepared>, ServiceError> {
        let Some(mut entered) = self.enter(id).await? else {
            return Ok(None);
        };
        if entered.head.status == ExecutionStatus::Pausing && entered.invocation.is_none() {
            // The invocation that was to stop has been lost.
            let mut draft = Draft::of(&entered, self.now());
            super::control::pause_now(&mut draft);
            let change = draft.done();
            self.commit(&mut entered, change).await?;
        }
        let head = &entered.head;
        if head.is_closed() || head.is_paused() || !head.owed || entered.invocation.is_some() {
            return Ok(None);
        }
        let invocation = Invocation {
            id: Uuid::new_v4(),
            sequence: 0,
            last: None,
        };
        let token = CheckpointToken {
            execution: id,
            invocation: invocation.id,
            sequence: 0,
        };
        let event = event(&entered, &token);
        entered.seen = entered.head.changes;
        entered.invocation = Some(invocation);
        Ok(Some(Prepared {
            event,
            head: entered.head.clone(),
        }))
    }

    async fn invoke(&self, prepared: &Prepared, request_id: RequestId) -> Outcome {
        let head = &prepared.head;
        let Some(version) = self.version(head) else {
            let message = format!("Function not found: {}", head.function_arn());
            return Outcome::Gone(Failure::new("ResourceNotFoundException", message));
        };
        if version.preparation() == Preparation::UnderWay {
            return Outcome::Refused;
        }
        let event = InvokeEvent {
            request_id,
            payload: prepared.event.clone(),
            invoked_arn: head.function_arn().to_string(),
            trace: head.trace.clone(),
            client_context: None,
            cognito_identity: None,
            tail: false,
            asynchronous: true,
            sink: None,
            tenant: head.tenant.clone(),
        };
        let outcome = self.runs.run(&version, event).await;
        outcome.map_or_else(|error| refused(head, &error), answered)
    }

    /// The version that an execution is of, while it is there.
    fn version(&self, head: &Head) -> Option<Arc<Version>> {
        let name = FunctionName {
            place: head.place(),
            name: head.function.clone(),
            qualifier: Some(Qualifier::parse(&head.version)),
        };
        let target = self.functions.resolve(&name).ok()?;
        Some(target.version)
    }

    async fn finish(
        self: &Arc<Self>,
        id: Uuid,
        outcome: Outcome,
        started: Timestamp,
        request_id: RequestId,
    ) -> Result<Next, ServiceError> {
        let Some(mut entered) = self.enter(id).await? else {
            // Deleted meanwhile.
            return Ok(Next::Rest);
        };
        if entered.invocation.take().is_none() {
            // The store failed during the invocation, and the state has been read again.
            return Ok(Next::Again);
        }
        let is_cut_short = !*self.is_open.borrow() && matches!(outcome, Outcome::Failed(_));
        if is_cut_short {
            // By the server's end, not by its own doing: the next run makes it again.
            return Ok(Next::Rest);
        }
        if matches!(outcome, Outcome::Refused) {
            let at = self.now() + PAUSE;
            entered.head.retry_at = Some(at);
            let due = entered.head.due.map_or(at, |due| due.min(at));
            self.agenda.set(&id, Some(due));
            return Ok(Next::Rest);
        }
        let seen = entered.seen;
        let mut draft = Draft::of(&entered, self.now());
        settle(&mut draft, &entered, outcome, started, request_id, seen);
        let change = draft.done();
        self.commit(&mut entered, change).await?;
        // A commit has launched whatever is owed.
        Ok(Next::Rest)
    }
}

fn answered(outcome: InvokeOutcome) -> Outcome {
    match outcome.function_error {
        None => Outcome::Answered(outcome.payload),
        Some(_) => Outcome::Failed(output::failure(&outcome.payload)),
    }
}

fn refused(head: &Head, error: &InvokeError) -> Outcome {
    match error {
        InvokeError::RuntimeUnavailable { .. } => {
            Outcome::Failed(Failure::new("InvalidRuntimeException", error.to_string()))
        }
        InvokeError::CodeUnavailable(_) => {
            Outcome::Failed(Failure::new("InvalidZipFileException", error.to_string()))
        }
        InvokeError::Role(_) => {
            Outcome::Failed(Failure::new("AccessDeniedException", error.to_string()))
        }
        InvokeError::Restore(_) | InvokeError::RestoreTimeout => {
            Outcome::Failed(Failure::new("SnapStartException", error.to_string()))
        }
        InvokeError::Throttled { .. } | InvokeError::ShuttingDown => Outcome::Refused,
        _ => {
            let function = head.function_arn();
            tracing::warn!(%error, %function, "lambda: invoke a durable function");
            Outcome::Refused
        }
    }
}

/// The event: everything the function needs for its replay, or as much as one event holds.
fn event(state: &State, token: &CheckpointToken) -> Bytes {
    let replayed = state.for_replay();
    let (page, next) = page(&replayed, 0, usize::MAX);
    let operations: Vec<_> = page.iter().map(|it| view::in_event(it)).collect();
    let updated: Vec<String> = state
        .changed_since(state.seen)
        .iter()
        .map(|operation| operation.id.clone())
        .collect();
    let event = json!({
        "DurableExecutionArn": state.head.arn().to_string(),
        "CheckpointToken": token.text(),
        "InitialExecutionState": {
            "Operations": operations,
            "NextMarker": next.map_or_else(String::new, |next| next.to_string()),
        },
        "UpdatedOperationIds": updated,
    });
    event.to_string().into()
}

/// As many operations from the given one on as one answer holds, and the one after them.
pub fn page<'a>(
    operations: &[&'a Arc<Operation>],
    from: usize,
    limit: usize,
) -> (Vec<&'a Arc<Operation>>, Option<usize>) {
    let mut page: Vec<&Arc<Operation>> = Vec::new();
    let mut bytes = 0;
    for (at, operation) in operations.iter().enumerate().skip(from) {
        bytes += view::bytes(operation);
        let is_full = bytes > PAGE_BYTES || page.len() >= limit;
        if is_full && !page.is_empty() {
            return (page, Some(at));
        }
        page.push(operation);
    }
    (page, None)
}

/// What becomes of the execution.
fn settle(
    draft: &mut Draft<'_>,
    state: &State,
    outcome: Outcome,
    started: Timestamp,
    request_id: RequestId,
    seen: u64,
) {
    let completed = |error: Option<Failure>, ended: Timestamp| Detail::Invocation {
        started,
        ended,
        request_id: request_id.to_string(),
        error,
    };
    let now = draft.now;
    draft.head.seen = seen;
    if draft.head.is_closed() {
        // It ended while the function ran: that stands.
        draft.event(EventType::InvocationCompleted, None, completed(None, now));
        return;
    }
    // Whatever has changed without the function's knowing is for the next invocation.
    let has_news = draft.head.changes > seen;
    match outcome {
        Outcome::Answered(payload) => {
            let output = Output::parse(&payload).map_err(|wrong| Failure::new(INVALID, wrong));
            let output = output.and_then(|output| check(draft, output));
            let error = match &output {
                Err(error) | Ok(Output::Failed(error)) => Some(error.clone()),
                Ok(_) => None,
            };
            draft.event(EventType::InvocationCompleted, None, completed(error, now));
            draft.head.failures = 0;
            match output {
                Err(error) | Ok(Output::Failed(error)) => {
                    draft.close(ExecutionStatus::Failed, None, Some(error));
                }
                Ok(Output::Succeeded(result)) => {
                    draft.close(ExecutionStatus::Succeeded, result, None);
                }
                Ok(Output::Pending) => pending(draft, state, has_news),
            }
        }
        Outcome::Failed(error) => {
            let detail = completed(Some(error.clone()), now);
            draft.event(EventType::InvocationCompleted, None, detail);
            draft.head.failures += 1;
            let failures = draft.head.failures;
            if failures >= MAX_FAILURES {
                draft.close(ExecutionStatus::Failed, None, Some(error));
            } else {
                retry(draft, failures);
            }
        }
        Outcome::Gone(error) => draft.close(ExecutionStatus::Failed, None, Some(error)),
        Outcome::Refused => {}
    }
    if draft.head.status == ExecutionStatus::Pausing {
        super::control::pause_now(draft);
    }
}

fn retry(draft: &mut Draft<'_>, failures: u32) {
    let doublings = failures.saturating_sub(1).min(16);
    draft.head.owed = true;
    draft.head.retry_at = Some(draft.now + FIRST_DELAY * (1 << doublings));
}

fn check(draft: &Draft<'_>, output: Output) -> Result<Output, Failure> {
    if let Output::Succeeded(result) = &output {
        let checked = apply::check_result(draft, result.as_deref());
        checked.map_err(|wrong| Failure::new(INVALID, wrong.message))?;
    }
    Ok(output)
}

fn pending(draft: &mut Draft<'_>, state: &State, has_news: bool) {
    let was_cut_short = draft.head.is_paused();
    draft.head.owed = was_cut_short || has_news;
    if was_cut_short || has_news || state.has_pending() {
        draft.head.idle = 0;
        return;
    }
    let error = Failure::new(
        INVALID,
        "Cannot return PENDING status with no pending operations.",
    );
    draft.head.idle += 1;
    let idle = draft.head.idle;
    if idle >= MAX_IDLE {
        draft.close(ExecutionStatus::Failed, None, Some(error));
    } else {
        // It may have raced with what it waited for, which a replay sees.
        retry(draft, idle);
    }
}
