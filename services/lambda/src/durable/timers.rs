//! What happens to operations by itself when its time has come.

use base::Timestamp;

use super::records::{Detail, Failure, Operation};
use super::state::Draft;
use crate::generated::{EventType, OperationStatus, OperationType};

/// Ends waits, makes steps ready for their next attempt and times callbacks out. Whether anything
/// was due.
pub fn fire(draft: &mut Draft<'_>) -> bool {
    let now = draft.now;
    let is_due = |operation: &Operation| operation.next_due().is_some_and(|due| due <= now);
    let due: Vec<usize> = (0..draft.count())
        .filter(|number| draft.operation(*number).is_some_and(is_due))
        .collect();
    for number in &due {
        let kind = draft.operation(*number).map(|operation| operation.kind);
        match kind {
            Some(OperationType::Wait) => {
                draft.change(*number, |wait| {
                    wait.status = OperationStatus::Succeeded;
                    wait.ended = Some(now);
                });
                draft.event(EventType::WaitSucceeded, Some(*number), Detail::None);
            }
            Some(OperationType::Step) => draft.change(*number, |step| {
                step.status = OperationStatus::Ready;
                step.due = None;
            }),
            _ => time_out(draft, *number, now),
        }
    }
    !due.is_empty()
}

fn time_out(draft: &mut Draft<'_>, number: usize, now: Timestamp) {
    draft.change(number, |operation| {
        let error = operation.callback.as_ref().map(|callback| {
            let is_heartbeat = match (callback.heartbeat_deadline, callback.deadline) {
                (Some(heartbeat), Some(deadline)) => heartbeat < deadline,
                (heartbeat, _) => heartbeat.is_some(),
            };
            if is_heartbeat {
                Failure::new("Callback.Heartbeat", "Callback timed out on heartbeat")
            } else {
                Failure::new("Callback.Timeout", "Callback timed out")
            }
        });
        operation.status = OperationStatus::TimedOut;
        operation.ended = Some(now);
        operation.error = error;
    });
    draft.event(EventType::CallbackTimedOut, Some(number), Detail::None);
}
