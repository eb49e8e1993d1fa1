//! A checkpoint: updates by the function, checked one after another and applied together.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_OperationUpdate.html>

mod batch;
mod chained;
mod step;

use std::time::Duration;

use service::ServiceError;

use super::records::{Callback, Detail, Failure, Operation};
use super::state::Draft;
use super::tokens::CallbackId;
use super::{MAX_ERROR, MAX_OPERATIONS, MAX_PAYLOAD, MAX_WRITTEN};
use crate::error::invalid_parameter as invalid;
use crate::generated::{
    EventType, ExecutionStatus, OperationAction, OperationStatus, OperationType, OperationUpdate,
};

/// Applies the updates of one checkpoint to a draft, which is to be dropped if they are refused.
/// Gives the numbers of the chained invocations that it begins.
///
/// # Errors
/// An update that does not fit the execution as it is, in Lambda's words.
pub fn apply(
    draft: &mut Draft<'_>,
    updates: Vec<OperationUpdate>,
) -> Result<Vec<usize>, ServiceError> {
    batch::check(&updates)?;
    let mut invocations = Vec::new();
    for update in updates {
        draft.head.written += bytes(&update) as u64;
        if draft.head.written > MAX_WRITTEN {
            return Err(invalid(format!(
                "Durable execution storage must be less than or equal to {MAX_WRITTEN} bytes."
            )));
        }
        if update.r#type == OperationType::Execution {
            execution(draft, update)?;
            continue;
        }
        check(draft, &update)?;
        match update.r#type {
            OperationType::Step => step::apply(draft, update)?,
            OperationType::Wait => wait(draft, update)?,
            OperationType::Callback => callback(draft, &update)?,
            OperationType::ChainedInvoke => invocations.push(chained::apply(draft, update)?),
            OperationType::Context | OperationType::Execution => context(draft, update)?,
        }
        // The execution itself is no operation of its function's.
        if draft.count() > MAX_OPERATIONS + 1 {
            return Err(invalid(format!(
                "The number of operations of a durable execution must be less than or equal to \
                 {MAX_OPERATIONS}."
            )));
        }
    }
    Ok(invocations)
}

fn bytes(update: &OperationUpdate) -> usize {
    let payload = update.payload.as_ref().map_or(0, String::len);
    let error = update
        .error
        .clone()
        .map_or(0, |error| Failure::from(error).bytes());
    payload + error
}

/// What holds for every kind of operation.
fn check(draft: &Draft<'_>, update: &OperationUpdate) -> Result<(), ServiceError> {
    if let Some(known) = draft.find(&update.id) {
        let differs =
            |given: &Option<String>, known: &Option<String>| given.is_some() && given != known;
        if known.kind != update.r#type {
            return Err(invalid("Inconsistent operation type."));
        }
        if differs(&update.sub_type, &known.sub_type) {
            return Err(invalid("Inconsistent operation subtype."));
        }
        if differs(&update.name, &known.name) {
            return Err(invalid("Inconsistent operation name."));
        }
        if differs(&update.parent_id, &known.parent_id) {
            return Err(invalid("Inconsistent parent operation id."));
        }
    }
    if let Some(parent) = &update.parent_id {
        let parent = draft.find(parent);
        if parent.is_none_or(|parent| parent.kind != OperationType::Context) {
            return Err(invalid("Invalid parent operation id."));
        }
    }
    if update.r#type == OperationType::ChainedInvoke {
        chained::check_input(update.payload.as_deref())?;
    } else if update
        .payload
        .as_ref()
        .is_some_and(|it| it.len() > MAX_PAYLOAD)
    {
        return Err(invalid(format!(
            "{} payload size must be less than or equal to {MAX_PAYLOAD} bytes.",
            update.r#type
        )));
    }
    check_error(update)
}

fn check_error(update: &OperationUpdate) -> Result<(), ServiceError> {
    let error = update.error.clone().map(Failure::from);
    if error.is_some_and(|error| error.bytes() >= MAX_ERROR) {
        return Err(invalid(format!(
            "Error object size must be less than {MAX_ERROR} bytes."
        )));
    }
    Ok(())
}

/// What is given must be what the action is about.
fn check_outcome(update: &OperationUpdate) -> Result<(), ServiceError> {
    match update.action {
        OperationAction::Succeed if update.error.is_some() => {
            Err(invalid("Cannot provide an Error for SUCCEED action."))
        }
        OperationAction::Fail if update.payload.is_some() => {
            Err(invalid("Cannot provide a Payload for FAIL action."))
        }
        _ => Ok(()),
    }
}

fn wrong_action() -> ServiceError {
    invalid("Invalid action for the given operation type.")
}

/// A new operation that has begun.
fn begun(draft: &Draft<'_>, update: &OperationUpdate) -> Operation {
    Operation {
        id: update.id.clone(),
        parent_id: update.parent_id.clone(),
        name: update.name.clone(),
        kind: update.r#type,
        sub_type: update.sub_type.clone(),
        status: OperationStatus::Started,
        started: draft.now,
        ended: None,
        // Given when it is added.
        changed: 0,
        attempt: 0,
        due: None,
        input: None,
        result: None,
        error: None,
        replays_children: false,
        callback: None,
        target: None,
    }
}

/// A result that is too large to be answered is checkpointed.
fn execution(draft: &mut Draft<'_>, update: OperationUpdate) -> Result<(), ServiceError> {
    let status = match update.action {
        OperationAction::Succeed => ExecutionStatus::Succeeded,
        OperationAction::Fail => ExecutionStatus::Failed,
        _ => return Err(invalid("Invalid EXECUTION action.")),
    };
    check_outcome(&update)?;
    check_error(&update)?;
    check_result(draft, update.payload.as_deref())?;
    let error = (status == ExecutionStatus::Failed)
        .then(|| update.error.map(Failure::from).unwrap_or_default());
    draft.close(status, update.payload, error);
    Ok(())
}

/// The size of an execution's result.
pub fn check_result(draft: &Draft<'_>, result: Option<&str>) -> Result<(), ServiceError> {
    let limit = draft.head.max_result();
    if result.is_some_and(|result| result.len() > limit) {
        return Err(invalid(format!(
            "Execution output payload size must be less than or equal to {limit} bytes."
        )));
    }
    Ok(())
}

fn context(draft: &mut Draft<'_>, update: OperationUpdate) -> Result<(), ServiceError> {
    let status = match update.action {
        OperationAction::Start => {
            if draft.find(&update.id).is_some() {
                return Err(invalid("Cannot start a CONTEXT that already exist."));
            }
            let number = draft.add(begun(draft, &update));
            draft.event(EventType::ContextStarted, Some(number), Detail::None);
            return Ok(());
        }
        OperationAction::Succeed => OperationStatus::Succeeded,
        OperationAction::Fail => OperationStatus::Failed,
        OperationAction::Retry | OperationAction::Cancel => return Err(wrong_action()),
    };
    check_outcome(&update)?;
    let number = if let Some(number) = draft.number(&update.id) {
        number
    } else {
        // One that is not worth two checkpoints is told of when it has ended.
        let number = draft.add(begun(draft, &update));
        draft.event(EventType::ContextStarted, Some(number), Detail::None);
        number
    };
    let current = draft.operation(number).map(|it| it.status);
    if current != Some(OperationStatus::Started) {
        return Err(invalid("Invalid current CONTEXT state to close."));
    }
    let now = draft.now;
    let options = update.context_options.unwrap_or_default();
    draft.change(number, |context| {
        context.status = status;
        context.ended = Some(now);
        context.result = update.payload;
        context.error = update.error.map(Failure::from);
        context.replays_children = options.replay_children == Some(true);
    });
    let event = if status == OperationStatus::Succeeded {
        EventType::ContextSucceeded
    } else {
        EventType::ContextFailed
    };
    draft.event(event, Some(number), Detail::None);
    Ok(())
}

fn wait(draft: &mut Draft<'_>, update: OperationUpdate) -> Result<(), ServiceError> {
    match update.action {
        OperationAction::Start => {
            if draft.find(&update.id).is_some() {
                return Err(invalid("Cannot start a WAIT that already exist."));
            }
            let seconds = update.wait_options.as_ref().and_then(|it| it.wait_seconds);
            let Some(seconds) = seconds.and_then(|seconds| u64::try_from(seconds).ok()) else {
                return Err(invalid("Update for WAIT operation requires WaitOptions."));
            };
            let mut operation = begun(draft, &update);
            operation.due = Some(draft.now + Duration::from_secs(seconds));
            let number = draft.add(operation);
            draft.event(EventType::WaitStarted, Some(number), Detail::None);
        }
        OperationAction::Cancel => {
            let number = draft.number(&update.id);
            let is_open = number
                .and_then(|number| draft.operation(number))
                .is_some_and(|wait| wait.status == OperationStatus::Started);
            let Some(number) = number.filter(|_| is_open) else {
                return Err(invalid(
                    "Cannot cancel a WAIT that does not exist or has already completed.",
                ));
            };
            let now = draft.now;
            draft.change(number, |wait| {
                wait.status = OperationStatus::Cancelled;
                wait.ended = Some(now);
            });
            let detail = update
                .error
                .map_or(Detail::None, |error| Detail::Error(error.into()));
            draft.event(EventType::WaitCancelled, Some(number), detail);
        }
        _ => return Err(wrong_action()),
    }
    Ok(())
}

/// The function only begins callbacks: others complete them.
fn callback(draft: &mut Draft<'_>, update: &OperationUpdate) -> Result<(), ServiceError> {
    if update.action != OperationAction::Start {
        return Err(wrong_action());
    }
    if draft.find(&update.id).is_some() {
        return Err(invalid("Cannot start a CALLBACK that already exist."));
    }
    let options = update.callback_options.clone().unwrap_or_default();
    let seconds = |given: Option<i32>| {
        let given = given.and_then(|given| u32::try_from(given).ok());
        given.filter(|seconds| *seconds > 0)
    };
    let timeout = seconds(options.timeout_seconds);
    let heartbeat = seconds(options.heartbeat_timeout_seconds);
    let after = |seconds: u32| draft.now + Duration::from_secs(seconds.into());
    let id = CallbackId::new(draft.head.arn(), draft.count() as u64);
    let mut operation = begun(draft, update);
    operation.callback = Some(Callback {
        id: id.text(),
        deadline: timeout.map(after),
        heartbeat,
        heartbeat_deadline: heartbeat.map(after),
    });
    let number = draft.add(operation);
    let detail = Detail::Limits { timeout, heartbeat };
    draft.event(EventType::CallbackStarted, Some(number), detail);
    Ok(())
}
