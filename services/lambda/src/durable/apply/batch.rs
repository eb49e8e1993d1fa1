//! What holds for the updates of a checkpoint together.

use std::collections::HashMap;

use service::ServiceError;

use crate::error::invalid_parameter as invalid;
use crate::generated::{OperationAction, OperationType, OperationUpdate};

/// # Errors
/// Several updates of the execution, or one that others follow; two updates of one operation, but
/// for a start and what ends it.
pub fn check(updates: &[OperationUpdate]) -> Result<(), ServiceError> {
    let of_execution = |update: &OperationUpdate| update.r#type == OperationType::Execution;
    if updates.iter().filter(|update| of_execution(update)).count() > 1 {
        return Err(invalid("Cannot checkpoint multiple EXECUTION updates."));
    }
    if updates.iter().rev().skip(1).any(of_execution) {
        return Err(invalid("EXECUTION checkpoint must be the last update."));
    }
    let mut last: HashMap<&str, &OperationUpdate> = HashMap::new();
    for update in updates.iter().filter(|update| !of_execution(update)) {
        let before = last.insert(&update.id, update);
        if before.is_some_and(|before| !may_follow(before, update)) {
            return Err(invalid(
                "Cannot update the same operation twice in a single request.",
            ));
        }
    }
    Ok(())
}

fn may_follow(before: &OperationUpdate, update: &OperationUpdate) -> bool {
    before.action == OperationAction::Start
        && update.action != OperationAction::Start
        && matches!(before.r#type, OperationType::Step | OperationType::Context)
}
