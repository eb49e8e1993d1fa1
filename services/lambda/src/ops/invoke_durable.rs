//! Invoke, of a durable function: an execution begins, or is found by its name.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use crate::Lambda;
use crate::durable::{Start, arn::ExecutionArn};
use crate::function::Version;
use crate::generated::{InvocationResponse, InvocationType};
use crate::invoker::Call;

pub async fn invoke(
    lambda: &Arc<Lambda>,
    context: &RequestContext,
    version: &Version,
    name: Option<String>,
    kind: InvocationType,
    call: Call,
) -> Result<InvocationResponse, ServiceError> {
    let is_sync = kind == InvocationType::RequestResponse;
    if kind == InvocationType::DryRun {
        return Ok(answer(204, None));
    }
    let start = Start {
        name,
        payload: call.payload,
        is_sync,
        trace: context.trace.clone(),
        tenant: call.tenant,
    };
    let execution = lambda.entrance.begin(version, start).await?;
    if !is_sync {
        return Ok(answer(202, Some(&execution)));
    }
    let ended = lambda.durable.ended(&execution).await?;
    let (payload, function_error) = ended.payload();
    Ok(InvocationResponse {
        function_error: function_error.map(|error| error.as_str().to_owned()),
        payload: Some(payload),
        executed_version: Some(ended.head.version),
        ..answer(200, Some(&execution))
    })
}

fn answer(status: i32, execution: Option<&ExecutionArn>) -> InvocationResponse {
    InvocationResponse {
        status_code: Some(status),
        durable_execution_arn: execution.map(ToString::to_string),
        ..InvocationResponse::default()
    }
}
