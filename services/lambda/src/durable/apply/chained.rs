//! The beginning of a chained invocation, as far as the function's word goes.

use service::ServiceError;

use super::begun;
use crate::domain::function_name::FunctionName;
use crate::durable::MAX_PAYLOAD;
use crate::durable::records::Target;
use crate::durable::state::Draft;
use crate::error::invalid_parameter as invalid;
use crate::generated::{OperationAction, OperationUpdate};

/// Its number. Where the name leads, and what history tells of it, is found out afterwards.
pub fn apply(draft: &mut Draft<'_>, update: OperationUpdate) -> Result<usize, ServiceError> {
    if update.action != OperationAction::Start {
        return Err(super::wrong_action());
    }
    let Some(options) = &update.chained_invoke_options else {
        return Err(invalid(
            "Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.",
        ));
    };
    if draft.find(&update.id).is_some() {
        return Err(invalid("Cannot start a CHAINED_INVOKE that already exist."));
    }
    check_place(draft, &options.function_name)?;
    let mut operation = begun(draft, &update);
    operation.target = Some(Target {
        function: options.function_name.clone(),
        tenant: options.tenant_id.clone(),
        trace: options.x_amzn_trace_id.clone(),
        version: None,
        execution: None,
    });
    operation.input = update.payload;
    Ok(draft.add(operation))
}

pub fn check_input(payload: Option<&str>) -> Result<(), ServiceError> {
    if payload.is_some_and(|payload| payload.len() > MAX_PAYLOAD) {
        return Err(invalid(format!(
            "CHAINED_INVOKE input payload size must be less than or equal to {MAX_PAYLOAD} bytes."
        )));
    }
    Ok(())
}

fn check_place(draft: &Draft<'_>, function: &str) -> Result<(), ServiceError> {
    let place = draft.head.place();
    match FunctionName::parse(function, None, &place) {
        Ok(name) if name.place.account != place.account => Err(invalid(
            "Cannot start a CHAINED_INVOKE on a function in another account.",
        )),
        Ok(_) => Ok(()),
        Err(refused) if refused.code == "ResourceNotFoundException" => Err(invalid(
            "Cannot start a CHAINED_INVOKE on a function in another region.",
        )),
        Err(refused) => Err(refused),
    }
}
