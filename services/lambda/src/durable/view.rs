//! Operations as the API shows them, and as they reach the function in its event.

use serde_json::{Map, Value as Json, json};
use wire::{Shape as _, Value};

use super::records::Operation;
use crate::generated::{
    CallbackDetails, ChainedInvokeDetails, ContextDetails, ErrorObject, ExecutionDetails,
    OperationShape, OperationStatus, OperationType, StepDetails, WaitDetails,
};

pub fn shown(operation: &Operation) -> OperationShape {
    let result = operation.result.clone();
    let error = operation.error.clone().map(ErrorObject::from);
    let shown = OperationShape {
        id: operation.id.clone(),
        parent_id: operation.parent_id.clone(),
        name: operation.name.clone(),
        r#type: operation.kind,
        sub_type: operation.sub_type.clone(),
        start_timestamp: operation.started,
        end_timestamp: operation.ended,
        status: operation.status,
        ..OperationShape::default()
    };
    match operation.kind {
        OperationType::Execution => OperationShape {
            execution_details: Some(ExecutionDetails {
                input_payload: operation.input.clone(),
            }),
            ..shown
        },
        OperationType::Context => OperationShape {
            context_details: Some(ContextDetails {
                result,
                error,
                replay_children: operation.replays_children.then_some(true),
            }),
            ..shown
        },
        OperationType::Step => OperationShape {
            step_details: Some(StepDetails {
                attempt: Some(operation.attempt.cast_signed()),
                next_attempt_timestamp: operation
                    .due
                    .filter(|_| operation.status == OperationStatus::Pending),
                result,
                error,
            }),
            ..shown
        },
        OperationType::Wait => OperationShape {
            wait_details: Some(WaitDetails {
                scheduled_end_timestamp: operation.due,
            }),
            ..shown
        },
        OperationType::Callback => OperationShape {
            callback_details: Some(CallbackDetails {
                callback_id: operation.callback.as_ref().map(|it| it.id.clone()),
                result,
                error,
            }),
            ..shown
        },
        OperationType::ChainedInvoke => OperationShape {
            chained_invoke_details: Some(ChainedInvokeDetails { result, error }),
            ..shown
        },
    }
}

/// The same in the event of an invocation, where times are milliseconds.
pub fn in_event(operation: &Operation) -> Json {
    json_of(shown(operation).into_value())
}

fn json_of(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => json!(truth),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Str(text) => Json::String(text),
        Value::Blob(bytes) => Json::String(String::from_utf8_lossy(&bytes).into_owned()),
        Value::Time(at) => json!(at.millis()),
        Value::List(items) => items.into_iter().map(json_of).collect(),
        Value::Map(members) => {
            let members = members
                .into_iter()
                .map(|(name, value)| (name, json_of(value)));
            Json::Object(members.collect::<Map<_, _>>())
        }
    }
}

/// How much of an event or an answer an operation takes, roughly.
pub fn bytes(operation: &Operation) -> usize {
    // The members around the payloads.
    operation.bytes() + 512
}
