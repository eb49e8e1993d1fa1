//! Steps: attempts that succeed, fail for good, or are to be made again.

use std::time::Duration;

use service::ServiceError;

use super::{begun, check_outcome, wrong_action};
use crate::durable::records::{Detail, Failure};
use crate::durable::state::Draft;
use crate::error::invalid_parameter as invalid;
use crate::generated::{EventType, OperationAction, OperationStatus, OperationUpdate};

pub fn apply(draft: &mut Draft<'_>, update: OperationUpdate) -> Result<(), ServiceError> {
    let current = draft.find(&update.id).map(|step| step.status);
    let delay = update
        .step_options
        .as_ref()
        .and_then(|options| options.next_attempt_delay_seconds);
    match update.action {
        OperationAction::Start => {
            if delay.is_some() {
                return Err(invalid("Invalid StepOptions for the given action."));
            }
            start(draft, &update, current)
        }
        OperationAction::Succeed | OperationAction::Fail => {
            if delay.is_some() {
                return Err(invalid("Invalid StepOptions for the given action."));
            }
            check_current(current, "close")?;
            close(draft, update)
        }
        OperationAction::Retry => {
            check_current(current, "re-attempt")?;
            let Some(delay) = delay.and_then(|delay| u32::try_from(delay).ok()) else {
                return Err(invalid("Invalid StepOptions for the given action."));
            };
            if update.error.is_some() && update.payload.is_some() {
                return Err(invalid(
                    "Cannot provide both error and payload to RETRY a STEP.",
                ));
            }
            retry(draft, update, delay);
            Ok(())
        }
        OperationAction::Cancel => Err(wrong_action()),
    }
}

fn start(
    draft: &mut Draft<'_>,
    update: &OperationUpdate,
    current: Option<OperationStatus>,
) -> Result<(), ServiceError> {
    let number = match (current, draft.number(&update.id)) {
        (Some(OperationStatus::Ready), Some(number)) => {
            // What the attempt before has left is kept: this one may go on from there.
            draft.change(number, |step| step.status = OperationStatus::Started);
            number
        }
        (None, _) => draft.add(begun(draft, update)),
        _ => return Err(invalid("Invalid current STEP state to start.")),
    };
    draft.event(EventType::StepStarted, Some(number), Detail::None);
    Ok(())
}

/// An attempt whose start was not worth a checkpoint ends all the same.
fn check_current(current: Option<OperationStatus>, verb: &str) -> Result<(), ServiceError> {
    match current {
        None | Some(OperationStatus::Started | OperationStatus::Ready) => Ok(()),
        Some(_) => Err(invalid(format!("Invalid current STEP state to {verb}."))),
    }
}

/// The step, which may be told of only now.
fn known(draft: &mut Draft<'_>, update: &OperationUpdate) -> usize {
    if let Some(number) = draft.number(&update.id) {
        return number;
    }
    let number = draft.add(begun(draft, update));
    draft.event(EventType::StepStarted, Some(number), Detail::None);
    number
}

fn close(draft: &mut Draft<'_>, update: OperationUpdate) -> Result<(), ServiceError> {
    check_outcome(&update)?;
    let (status, event) = if update.action == OperationAction::Succeed {
        (OperationStatus::Succeeded, EventType::StepSucceeded)
    } else {
        (OperationStatus::Failed, EventType::StepFailed)
    };
    let (number, now) = (known(draft, &update), draft.now);
    let mut attempt = 0;
    draft.change(number, |step| {
        step.status = status;
        step.ended = Some(now);
        step.attempt += 1;
        step.due = None;
        step.result = update.payload;
        step.error = update.error.map(Failure::from);
        attempt = step.attempt;
    });
    draft.event(event, Some(number), Detail::Attempt { attempt });
    Ok(())
}

/// Without an error it has not failed: it looks again later, as a poll does.
fn retry(draft: &mut Draft<'_>, update: OperationUpdate, delay: u32) {
    let (number, now) = (known(draft, &update), draft.now);
    let error = update.error.map(Failure::from);
    let (result, mut attempt) = (update.payload, 0);
    draft.change(number, |step| {
        step.status = OperationStatus::Pending;
        step.attempt += 1;
        step.due = Some(now + Duration::from_secs(delay.into()));
        step.result.clone_from(&result);
        step.error.clone_from(&error);
        attempt = step.attempt;
    });
    let event = if error.is_some() {
        EventType::StepFailed
    } else {
        EventType::StepSucceeded
    };
    let detail = Detail::Retry {
        attempt,
        delay,
        result,
        error,
    };
    draft.event(event, Some(number), detail);
}
